// A refused event: why it was refused, what differs from the first one, its body, to be sent again as it is or corrected.

import { get, post } from '../api.js';
import { badge, empty, eventLink, facts, failed, html, loading, nothing, number, table, when } from '../parts.js';
import { address } from '../place.js';
import { isDay } from '../times.js';
import { correctionOf, drop, keep } from './corrections.js';

/** @param {any} item */
export const status = (item) => badge(item.status === 'CONFLICT' ? 'warn' : 'bad', item.status);

/** @param {any[]} errors */
export function why(errors) {
  return errors.map((error) => html`<div>${error.field ? html`<code>${error.field}</code> ` : nothing}${error.message}</div>`);
}

/** Why an event was refused; of a conflict what differs, in place of two hashes, as soon as it is known. @param {any} item @param {any} [detail] */
export function reason(item, detail) {
  if (item.status !== 'CONFLICT') return why(item.errors);
  const found = (detail?.conflicts ?? []).flatMap((/** @type {any} */ one) => one.differences ?? []);
  if (!found.length) return html`<div>${detail ? 'other content than the first event of this key' : 'other content …'}</div>`;
  return found.slice(0, 3).map((/** @type {any} */ one) => html`<div><code>${one.path}</code> ${told(one.refused)}, first was ${told(one.first)}</div>`);
}

/** @param {string | undefined} value */
const told = (value) => value ?? 'absent';

/** @param {import('../main.js').Page} page */
export async function refused(page) {
  const { query, signal, draw } = page;
  const path = `/rejected/${encodeURIComponent(query.id)}`;
  /** @type {any} */
  const shown = { id: query.id, item: null, was: '', answer: null, failure: null, busy: false, text: correctionOf(query.id) };
  const redraw = () => draw(template(shown, retry, write));
  const write = (/** @type {string | null} */ text) => {
    shown.text = text;
    if (text === null || text === shown.was) drop(query.id);
    else keep(query.id, text);
    redraw();
  };
  const retry = async (/** @type {string | undefined} */ text) => {
    Object.assign(shown, { busy: true, failure: null, answer: null });
    redraw();
    try {
      shown.answer = await post(`${path}/retry?results=all`, undefined, text === undefined ? {} : { text, type: shown.item.content_type || 'application/json' });
      // What was refused again is corrected further.
      if (text !== undefined && isAllTaken(shown.answer)) drop(query.id);
    } catch (failure) {
      // What was refused again is an answer too: it says what is wrong with each event.
      const { problem } = /** @type {any} */ (failure);
      if (problem?.rejected_id) shown.answer = problem;
      else shown.failure = failure;
    }
    // Whatever became of it is recorded beside what was refused.
    shown.item = await get(path, {}, signal).catch(() => shown.item);
    shown.busy = false;
    redraw();
  };
  redraw();
  await get(path, {}, signal).then((item) => Object.assign(shown, { item, was: textOf(item) }), (failure) => { shown.failure = failure; });
  redraw();
}

/** @param {any} shown @param {(text?: string) => void} retry @param {(text: string | null) => void} write */
function template(shown, retry, write) {
  const { id, item, answer, failure, busy } = shown;
  const of = id.slice(0, 10);
  const head = html`<div class="split"><h1>Refused ${item ? status(item) : nothing}</h1><a href=${address('/quarantine', { day: isDay(of) ? of : '' })}>all ${isDay(of) ? `of ${of}` : 'refused events'}</a></div>`;
  if (!item) return html`<section>${head}${failure?.status === 404 ? empty(html`Nothing is in quarantine under <code>${id}</code>.`, html`Give the whole id, or its day and at least six digits. <a href="/quarantine">List what was refused</a>.`) : failure ? failed(failure) : loading()}</section>`;
  return html`<section>${head}
    ${facts([['received', when(item.ingest_time)], !!item.source && ['source', item.source], !!item.event_type && ['type', item.event_type],
    !!item.entity_id && ['entity', html`<a href=${address('/entity', { id: item.entity_id })}>${item.entity_id}</a>`], !!item.idempotency_key && ['key', item.idempotency_key], ['content type', item.content_type ?? '–'], ['bytes', number(item.size)], ['request', item.request_id], ['id', html`<code>${item.rejected_id}</code>`]])}
    <h2 class="minor">Why</h2>${item.status === 'CONFLICT' ? html`<p>Its source had sent this key with other content. The first event stays, this one is kept here.</p>` : why(item.errors)}
    ${Object.keys(item.headers).length ? html`<h2 class="minor">Headers that belong to it</h2><pre tabindex="0">${Object.entries(item.headers).map(([name, value]) => `${name}: ${value}`).join('\n')}</pre>` : nothing}</section>
  ${(item.conflicts ?? []).map(conflict)}
  <section><h2>Body</h2>${body(shown, retry, write)}
    ${busy ? loading('Sending') : nothing}
    ${failure ? failed(failure) : nothing}
    ${answer ? html`<div role="status">${outcome(answer)}</div>` : nothing}</section>
  <section><h2>Retries</h2>${item.retries.length ? retries(item.retries) : html`<p class="quiet">None yet.</p>`}</section>`;
}

/** @param {any} shown @param {(text?: string) => void} retry @param {(text: string | null) => void} write */
function body({ item, was, text, busy }, retry, write) {
  const edited = text !== null && text !== was;
  return html`${isText(item) ? nothing : html`<p class="note">Its body is not UTF-8. Invalid bytes are shown as �. “Send again as it was” sends its own bytes.</p>`}
    <label class="unseen" for="body">Body</label><textarea id="body" spellcheck="false" .value=${text ?? was} @input=${(/** @type {any} */ event) => write(event.target.value)}></textarea>
    ${item.resolved ? html`<p class="done" role="note">${badge('good', 'done')} A retry took it in${last(item)}. There is nothing left to send.</p>` : nothing}
    <p><button class="main" ?disabled=${busy || !edited || item.resolved} @click=${() => retry(text)}>Send corrected</button>
      <button ?disabled=${busy || item.resolved} @click=${() => retry()}>Send again as it was</button>
      ${edited ? html`<button @click=${() => write(null)}>Drop the correction</button>` : nothing}
      <span class="quiet">The refused event stays as it is. The retry is recorded with it.</span></p>`;
}

/** The event that a retry made of it. @param {any} item */
function last({ retries }) {
  const id = retries.flatMap((/** @type {any} */ retry) => retry.results).map((/** @type {any} */ result) => result.event_id).filter(Boolean).pop();
  return id ? html` as ${eventLink(id)}` : '';
}

/** A conflict beside its first event, with what differs. @param {any} one */
function conflict({ event_id: id, first, differences, more_differences: more }) {
  const value = (/** @type {string | undefined} */ text, /** @type {string} */ kind) => (text === undefined ? html`<span class="quiet">absent</span>` : html`<mark class=${kind}>${text}</mark>`);
  return html`<section class="conflict"><h2>What differs</h2>
    <p>The first event is ${eventLink(id)}, received ${when(first.ingest_time)}.</p>
    ${differences ? table([['member', (one) => html`<code>${one.path}</code>`], ['first', (one) => value(one.first, 'first')], ['refused', (one) => value(one.refused, 'refused')]], differences) : html`<p class="quiet">The first event cannot be read, so the two are not compared.</p>`}
    ${more ? html`<p class="quiet">There are more differences than these.</p>` : nothing}</section>`;
}

/** @param {any} item */
const isText = (item) => typeof item.body === 'string';

/** What was refused as a field can hold it, which has line feeds alone. @param {any} item @returns {string} */
function textOf(item) {
  const text = isText(item) ? item.body : new TextDecoder().decode(Uint8Array.from(atob(item.body_base64), (one) => one.charCodeAt(0)));
  return text.replace(/\r\n?/g, '\n');
}

/** @param {any} answer @returns {any[]} */
const resultsOf = (answer) => answer.results ?? [answer];

/** @param {any} result */
const isTaken = (result) => !!result.event_id && result.status !== 'CONFLICT';

/** A batch is answered with counts and a result for each event. @param {any} answer */
const isAllTaken = (answer) => (answer.counts ? !answer.counts.conflict && !answer.counts.rejected : isTaken(answer));

/** @param {any} answer */
function outcome(answer) {
  return html`${answer.counts ? html`<p>${Object.entries(answer.counts).map(([status, count]) => `${number(count)} ${status}`).join(', ')}</p>` : nothing}${each(answer)}`;
}

/** @param {any} answer */
function each(answer) {
  return resultsOf(answer).map((result) => html`<p>${badge(isTaken(result) ? 'good' : 'bad', result.status)} ${result.event_id ? eventLink(result.event_id) : nothing}</p>${why(result.errors ?? [])}`);
}

/** @param {any[]} all */
function retries(all) {
  return table([['requested', (retry) => when(retry.requested_at)], ['by', (retry) => retry.requested_by], ['corrected', (retry) => (retry.corrected ? 'yes' : 'no')], ['result', (retry) => outcome(retry)]], all);
}
