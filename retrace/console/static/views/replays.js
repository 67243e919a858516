// Replays, newest first, and those that still run, as they go on.

import { get } from '../api.js';
import { empty, failed, html, loading, nothing, number, when } from '../parts.js';
import { address } from '../place.js';
import { duration, msOf } from '../times.js';
import { isOver, progress, state, subjectOf } from './job.js';

const EVERY_MS = 2000;

/** @param {import('../main.js').Page} page */
export async function replays(page) {
  const head = html`<form class="where"><h1>Replays</h1><span class="actions"><a class="button main replay" href="/replay/new">New replay …</a></span></form>`;
  page.draw(html`${head}${loading()}`);
  let { items, cursor } = await get('/replay', { limit: 25 }, page.signal);
  /** @type {any} */
  let failure = null;
  const more = async () => {
    try {
      const found = await get('/replay', { limit: 25, cursor }, page.signal);
      items = [...items, ...found.items];
      ({ cursor } = found);
      failure = null;
    } catch (wrong) {
      failure = wrong;
    }
    draw();
  };
  const draw = () => page.draw(html`${head}<section>${items.length ? table(items) : empty('There has been no replay.', html`Find the events first, as of an <a href="/entity">entity</a>, then “Replay this window”.`)}
    ${failure ? failed(failure) : nothing}
    ${cursor ? html`<button @click=${more}>More</button>` : nothing}</section>`);
  draw();
  const look = async () => {
    const running = items.filter((/** @type {any} */ job) => !isOver(job));
    const found = await Promise.all(running.map((/** @type {any} */ job) => get(`/replay/${job.replay_id}`, {}, page.signal)));
    items = items.map((/** @type {any} */ job) => found.find((one) => one.replay_id === job.replay_id) ?? job);
    failure = null;
  };
  // Goes on whatever happens, and says what does.
  const watch = async () => {
    await look().catch((wrong) => { failure = wrong; });
    if (page.signal.aborted) return;
    draw();
    if (items.some((/** @type {any} */ job) => !isOver(job))) setTimeout(watch, EVERY_MS);
  };
  watch();
}

/** @param {any[]} items */
function table(items) {
  return html`<div class="scroll"><table class="list"><thead><tr><th>replay</th><th>state</th><th>asked for</th><th>of</th><th class="number">sent</th><th class="number">processed</th><th class="number">dead letters</th><th>by</th></tr></thead><tbody>
    ${items.map((job) => html`<tr><td><a class="id" href=${address('/replay', { id: job.replay_id })} title=${job.replay_id}>${job.replay_id.slice(0, 18)}</a></td>
      <td>${state(job)} ${isOver(job) ? nothing : progress(job)}</td>
      <td>${when(`${job.created_at.slice(0, 19)}Z`)} <span class="quiet">${duration(Date.now() - msOf(job.created_at))} ago</span></td>
      <td>${subjectOf(job.request)}${job.request.reason ? html`<br><span class="quiet">${job.request.reason}</span>` : nothing}</td>
      <td class="number">${number(job.sent)}</td><td class="number">${number(job.processed)}</td>
      <td class="number ${job.failed ? 'is-late' : ''}">${number(job.failed)}</td><td title=${job.requested_by}>${job.requested_by.split('/').pop()}</td></tr>`)}
  </tbody></table></div>`;
}
