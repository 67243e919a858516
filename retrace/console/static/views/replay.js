// One replay while it goes on: how far it is, and how to stop it or send its dead letters back.

import { get, post } from '../api.js';
import { empty, facts, failed, html, loading, nothing, number, say, when } from '../parts.js';
import { address } from '../place.js';
import { duration, msOf } from '../times.js';
import { failures, isOver, isWhatIf, progress, state, subjectOf, whatIf } from './job.js';
import { definitionLink } from './measures.js';
import { queryOf, replayOfRest } from './replay_form.js';

const EVERY_MS = 1000;
const SELDOM_MS = 10_000;
/** So long a planner may take to find the dead letters of a replay; until then it is as complete as it was. */
const REDRIVE_MS = 120_000;

/**
 * @typedef {import('./job.js').Job} Job
 * @typedef {{id: string, job: Job | null, refused: any, unread: any, busy: boolean, redriveUntil: number}} Shown what went wrong: what was refused, what could not be read
 */

/** @param {import('../main.js').Page} page */
export async function replay(page) {
  const { query, signal, draw, go } = page;
  if (!query.id) {
    go('/replays', { replace: true });
    return;
  }
  const path = `/replay/${encodeURIComponent(query.id)}`;
  /** @type {Shown} */
  const shown = { id: query.id, job: null, refused: null, unread: null, busy: false, redriveUntil: 0 };
  const redraw = () => draw(template(shown, act));
  // What was asked for and refused is said until something else is asked for; what could not be read, until it can be.
  const act = async (/** @type {string} */ what) => {
    Object.assign(shown, { busy: true, refused: null });
    redraw();
    await post(`${path}/${what}`).then((job) => {
      shown.job = job;
      if (what === 'redrive') shown.redriveUntil = Date.now() + REDRIVE_MS;
    }, (failure) => { shown.refused = failure; });
    shown.busy = false;
    redraw();
    watch();
  };
  const look = async () => {
    const before = shown.job?.state;
    await get(path, {}, signal).then((job) => Object.assign(shown, { job, unread: null }), (failure) => { shown.unread = failure; });
    if (before && shown.job && shown.job.state !== before) say(`The replay is ${shown.job.state}.`);
    redraw();
    watch();
  };
  /** @type {any} */
  let waiting;
  const watch = () => {
    clearTimeout(waiting);
    const isLost = !shown.job && shown.unread?.status === 404;
    if (signal.aborted || isLost || (shown.job && isOver(shown.job) && !isRedriven(shown))) return;
    waiting = setTimeout(look, document.hidden || shown.unread ? SELDOM_MS : EVERY_MS);
  };
  redraw();
  await look();
}

/** Whether dead letters are on their way back, as far as is known. @param {Shown} shown */
const isRedriven = ({ job, redriveUntil }) => !!job?.failed && !job.request.destination && Date.now() < redriveUntil;

/** @param {Shown} shown @param {(what: string) => void} act */
function template(shown, act) {
  const { id, job, refused, unread } = shown;
  if (!job) return html`<section><div class="split"><h1>Replay <code>${id}</code></h1><a href="/replays">all replays</a></div>${unread ? failed(unread) : loading()}</section>`;
  return html`${told(job, shown, act)}
    ${refused || unread ? html`<section>${refused ? failed(refused) : nothing}${unread ? failed(unread) : nothing}</section>` : nothing}
    ${results(job)}
    <section><h2>What was asked for</h2><pre tabindex="0">${JSON.stringify(job.request, null, 2)}</pre>
      ${isWhatIf(job.replay_id) ? html`<p class="quiet">It computes definitions that came with its request, of which the hash is kept. Ask for it again with the definition, by <code>POST /replay</code>.</p>`
    : job.request.events_file ? nothing
    : html`<p><a class="button replay" href=${address('/replay/new', queryOf(job.request))}>Ask for it again …</a></p>`}</section>`;
}

/** Whether another replay can send what this one's consumer did not process; dead letters of ours are redriven. @param {Job} job */
const hasRest = (job) => job.reports && job.request.destination && job.sent > job.processed && ['SENT', 'COMPLETE', 'CANCELLED'].includes(job.state);

/** @param {Job} job @param {Shown} shown @param {(what: string) => void} act */
function told(job, shown, act) {
  const { busy } = shown;
  const { request } = job;
  return html`<section><div class="split"><h1>Replay <code>${job.replay_id}</code></h1>
      <span class="actions">
        ${isOver(job) ? nothing : html`<button class="danger" ?disabled=${busy} @click=${() => confirm('Send nothing more of this replay, and drop what is in flight? There is no way back.') && act('cancel')}>Cancel …</button>`}
        ${job.failed || job.state === 'FAILED' ? html`<button class="main" ?disabled=${busy} @click=${() => act('redrive')}>Redrive ${job.failed && !request.destination ? `${number(job.failed)} dead letters` : ''}</button>` : nothing}
      </span></div>
    ${hasRest(job) ? html`<p><a class="button replay" href=${replayOfRest(request, job.replay_id)}>Send the ${number(job.sent - job.processed)} that are not processed …</a></p>` : nothing}
    <p class="split"><span>${state(job)} ${whatIf(job.replay_id)} ${subjectOf(request)}</span></p>
    ${progress(job, 'wide')}
    ${facts([
    ['destination', job.destination], ['matched', number(job.matched)], ['sent', number(job.sent)], ['processed', html`<strong>${number(job.processed)}</strong>`],
    [failures(job), html`<span class=${job.failed ? 'is-late' : ''}>${number(job.failed)}</span>`], job.dropped > 0 && ['dropped', number(job.dropped)],
    ['rows read', number(job.scanned)], ['asked for', when(job.created_at)],
    [isOver(job) ? 'state changed' : 'runs for', isOver(job) ? when(job.updated_at) : duration(Date.now() - msOf(job.created_at))],
    !!job.metrics?.length && ['metrics', job.metrics.map(({ name, definition_sha256: sha }, at) => html`${at ? ', ' : ''}${name} ${definitionLink(name, sha, isWhatIf(job.replay_id), 8)}`)],
    !!job.index_read_to && ['index read to', when(job.index_read_to)], ['by', job.requested_by], !!job.cancelled_by && ['cancelled by', job.cancelled_by], !!job.dead_letters_until && ['dead letters until', when(job.dead_letters_until)], !!job.may_change_until && ['may count until', when(job.may_change_until)],
  ])}
    ${job.failure ? html`<p class="note">${job.failure}</p>` : nothing}
    ${job.advice ? html`<p class="note">${job.advice}</p>` : nothing}
    ${isRedriven(shown) ? html`<p class="note">Dead letters are sent back. Those that fail again are counted here again.</p>`
    : job.failed && !request.destination ? html`<p class="note">Each dead letter in the queue has its reason. Remove the cause, then redrive.</p>` : nothing}
  </section>`;
}

/** @param {Job} job */
function results({ request, sent, state: at }) {
  if (!request.entity_id || request.destination) return nothing; // only the processor computes aggregates
  const days = [...new Set([request.start_time.slice(0, 10), new Date(msOf(request.end_time) - 1).toISOString().slice(0, 10)])];
  if (at === 'COMPLETE' && !sent) return empty('It found no events, so no aggregate was computed.');
  return html`<section><h2>Aggregates that it computes</h2><p>${days.map((day, index) => html`${index ? ' to ' : ''}<a href=${address('/aggregates', { entity: request.entity_id, day })}>${day} of ${request.entity_id}</a>`)}</p></section>`;
}
