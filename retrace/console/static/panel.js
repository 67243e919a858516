// One event, beside whatever view it was found in: what is known of it, and what was sent.

import { render } from './vendor/lit-html.js';
import { look } from './api.js';
import { badge, facts, failed, html, loading, nothing, number, table, when } from './parts.js';
import { address } from './place.js';
import { whatIf } from './views/job.js';
import { HOUR, duration, msOf, rfc } from './times.js';

const place = /** @type {HTMLElement} */ (document.getElementById('panel'));
let shown = '';
let leaving = new AbortController();

/**
 * Open, change or close the panel as the address says.
 * @param {{path: string, query: Record<string, string>}} here @param {(to: string, options?: {replace?: boolean}) => void} go
 */
export async function eventPanel(here, go) {
  const { event, ...others } = here.query;
  if ((event ?? '') === shown) return;
  shown = event ?? '';
  leaving.abort();
  leaving = new AbortController();
  const { signal } = leaving;
  // In place: going back is to lead before the event was opened, not to open it again.
  const close = () => go(address(here.path, others), { replace: true });
  if (!event) {
    dialog()?.close();
    render(nothing, place);
    return;
  }
  frame(event, loading('Loading the event'), close);
  try {
    const found = await look(`/events/${encodeURIComponent(event)}`, {}, signal);
    if (!signal.aborted) frame(event, body(found), close);
  } catch (failure) {
    if (!signal.aborted) frame(event, failed(failure), close);
  }
}

const dialog = () => /** @type {HTMLDialogElement | null} */ (place.querySelector('dialog'));

/** @param {string} id @param {unknown} content @param {() => void} close */
function frame(id, content, close) {
  render(html`<dialog class="event" aria-labelledby="event-title" @close=${() => shown === id && close()} @click=${outside}>
    <div class="inside">
      <header><h2 id="event-title">Event <code>${id.slice(0, 16)}…</code></h2>
        <button @click=${() => dialog()?.close()} aria-label="Close" title="Close (Esc)">✕</button></header>
      ${content}
    </div></dialog>`, place);
  if (!dialog()?.open) dialog()?.showModal();
}

/** @param {MouseEvent} event */
function outside(event) {
  if (event.target === dialog()) dialog()?.close();
}

/** @param {any} found */
function body({ event, raw, laid_out, fault }) {
  const at = msOf(event.event_time);
  return html`
    ${raw === null
    ? html`<div class="failure" role="alert"><p><strong>Its text could not be read</strong>, so its hash is not checked. ${fault}</p><p><code>retrace check verify</code> finds whether it was damaged.</p></div>` : fault
    ? html`<div class="failure" role="alert"><p><strong>It differs from the accepted event.</strong> ${fault}</p><p><code>retrace check verify</code> finds what was damaged.</p></div>`
    : html`<p>${badge('good', 'hash checked', event.content_sha256)} <span class="quiet">The console computed the hash of the text again. It is what was accepted.</span></p>`}
    ${facts([
    ['entity', html`<a href=${address('/entity', { id: event.entity_id, from: rfc(at - 12 * HOUR), to: rfc(at + 12 * HOUR) })}>${event.entity_id}</a>`],
    ['source', event.source],
    ['type', html`<a href=${address('/type', { source: event.source, type: event.event_type, day: event.event_time.slice(0, 10) })}>${event.event_type}</a>`],
    ['event time', when(event.event_time)],
    ['arrived', when(event.ingest_time)],
    ['lag', duration(event.ingest_lag_ms)],
    ['sent by', event.sent_by],
    ['request', html`<code>${event.request_id}</code>`],
    ['event id', html`<code>${event.event_id}</code>`],
    ['content SHA-256', html`<code>${event.content_sha256}</code>`],
    ['stored in', html`<code>s3://${event.s3_bucket}/${event.s3_key}</code> <span class="quiet">bytes ${number(event.s3_offset)} + ${number(event.s3_length)}</span>`],
  ])}
    ${arrivals(event)}
    ${versions(event)}
    ${raw === null ? nothing : html`<div class="texts">
      <section><h3 id="laid-out">As JSON, digits as they were sent</h3><pre tabindex="0" aria-labelledby="laid-out">${laid_out}</pre></section>
      <section><h3 id="raw">Raw <button class="plain" @click=${() => navigator.clipboard.writeText(raw)}>Copy</button></h3><pre class="raw" tabindex="0" aria-labelledby="raw">${raw}</pre></section>
    </div>`}`;
}

/** @param {any} event */
function arrivals(event) {
  if (!event.arrivals.length) return html`<h3>Arrivals</h3><p class="quiet">It arrived once.</p>`;
  return html`<h3>Arrivals after the first: ${event.arrivals.length}${event.more_arrivals ? ' and more' : ''}</h3>
    ${table([
    ['as', (one) => badge(one.status === 'CONFLICT' ? 'bad' : 'warn', one.status)], ['arrived', (one) => when(one.ingest_time)],
    ['after the first', (one) => duration(msOf(one.ingest_time) - msOf(event.ingest_time))],
    ['in request', (one) => (one.rejected_id ? html`<a href=${address('/quarantine', { id: one.rejected_id })}>what was refused</a>` : html`<code>${one.request_id}</code>`)],
  ], event.arrivals)}`;
}

/** @param {any} event */
function versions(event) {
  const older = event.more_aggregates ? html`<p class="quiet">Only the newest versions of its day were searched.</p>` : nothing;
  if (!event.aggregates.length) return html`<h3>Aggregates</h3>${event.more_aggregates ? older : html`<p class="quiet">It is in no aggregate yet.</p>`}`;
  return html`<h3>In ${event.aggregates.length === 1 ? 'one version' : `${event.aggregates.length} versions`} of an aggregate</h3>
    ${older}<ul>${event.aggregates.map((/** @type {any} */ one) => html`<li>
      <a href=${address('/aggregates', { entity: one.entity_id, day: one.day, to: one.replay_id })}>${one.day} of ${one.entity_id}</a>
      by <a href=${address('/replay', { id: one.replay_id })}>replay ${one.replay_id.slice(0, 13)}</a> ${whatIf(one.replay_id)}</li>`)}</ul>`;
}
