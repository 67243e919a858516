// Replays, newest first, and those that still run, as they go on.

import { get } from '../api.js';
import { empty, failed, html, nothing, number, table, when } from '../parts.js';
import { address } from '../place.js';
import { duration, msOf, toSecond } from '../times.js';
import { isRunning, progress, state, subjectOf, whatIf } from './job.js';
import { below, pager } from './pager.js';
import { windowIn } from './window.js';

const EVERY_MS = 2000;

/** @param {import('../main.js').Page} page */
export async function replays({ query, signal, draw }) {
  const window = windowIn(query);
  /** @type {any} */
  let failure = null;
  const redraw = () => draw(template(list, failure, window));
  const list = pager((cursor) => requested(cursor, window, signal), redraw);
  const look = async () => {
    const found = await Promise.all(list.items.filter(isRunning).map((job) => get(`/replay/${job.replay_id}`, {}, signal)));
    list.items = list.items.map((job) => found.find((one) => one.replay_id === job.replay_id) ?? job);
  };
  // Goes on whatever happens, and says what does.
  const watch = async () => {
    if (list.items.some(isRunning)) {
      failure = await look().then(() => null, (wrong) => wrong);
      redraw();
    }
    if (!signal.aborted) setTimeout(watch, EVERY_MS);
  };
  await list.more();
  watch();
}

/** Replays of a window, newest first; pages of which none is in it are read over. @param {string | null} cursor @param {import('./window.js').Window | null} window @param {AbortSignal} signal */
async function requested(cursor, window, signal) {
  /** @type {any[]} */
  const items = [];
  do {
    const found = /** @type {any} */ (await get('/replay', { limit: 25, cursor }, signal));
    const times = found.items.map((/** @type {any} */ job) => msOf(job.created_at));
    items.push(...found.items.filter((/** @type {any} */ _, /** @type {number} */ index) => !window || (times[index] >= window.from && times[index] < window.to)));
    cursor = window && times.at(-1) < window.from ? null : found.cursor;
  } while (cursor && !items.length);
  return { items, cursor };
}

/** @param {ReturnType<typeof pager>} list @param {any} failure @param {import('./window.js').Window | null} window */
function template(list, failure, window) {
  return html`<form class="where"><h1>Replays</h1><span class="actions"><a class="button main replay" href="/replay/new">New replay …</a></span></form>
    <section>${list.items.length ? listed(list.items) : list.isRead ? window ? empty('No replay was requested in this window.', html`<a href="/replays">Show all replays</a>.`) : empty('There has been no replay.', html`Find the events first, as of an <a href="/entity">entity</a>, then “Replay this window”.`) : nothing}
    ${failure ? html`<p class="note">Running replays cannot be read at the moment. They may have progressed since.</p>${failed(failure)}` : nothing}
    ${below(list)}</section>`;
}

/** @param {import('./job.js').Job[]} items */
function listed(items) {
  return table([
    ['replay', (job) => html`<a class="id" href=${address('/replay', { id: job.replay_id })} title=${job.replay_id}>${job.replay_id.slice(0, 18)}</a> ${whatIf(job.replay_id)}`],
    ['state', (job) => html`${state(job)} ${isRunning(job) ? progress(job) : nothing}`],
    ['requested', (job) => html`${when(toSecond(job.created_at))} <span class="quiet">${duration(Date.now() - msOf(job.created_at))} ago</span>`],
    ['of', (job) => html`${subjectOf(job.request)}${job.request.reason ? html`<br><span class="quiet">${job.request.reason}</span>` : nothing}`],
    ['sent', (job) => number(job.sent), 'number'], ['processed', (job) => number(job.processed), 'number'],
    ['failed', (job) => html`<span class=${job.failed ? 'is-late' : ''}>${number(job.failed)}</span>`, 'number'],
    ['by', (job) => html`<span title=${job.requested_by}>${job.requested_by.split('/').pop()}</span>`],
  ], items);
}
