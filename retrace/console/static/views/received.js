// What was received in a window, and what became of it: counts of CloudWatch, and refusals out of quarantine.

import { get } from '../api.js';
import { counted, failed, html, loading, nothing, number } from '../parts.js';
import { address } from '../place.js';
import { DAY, msOf, rfc } from '../times.js';
import { fits } from './matrix.js';
import { axis, placed, strip } from './strip.js';
import { carried, inWindow } from './window.js';

const NAMES = /** @type {const} */ ([['accepted', 'accepted'], ['duplicate', 'duplicates'], ['conflict', 'conflicts'], ['rejected', 'rejected']]);
const MOST = 5000;
/** The API lists refusals of so many days at once. */
const LONGEST = 30 * DAY;

/** Refusals of a window by time, of the sources that are looked for. @param {import('../place.js').Query} query @param {import('./window.js').Window} window @param {import('./strip.js').Bins} bins @param {AbortSignal} signal */
export async function refusals(query, { from, to }, { first, width, count }, signal) {
  /** @type {Record<string, number[]>} */
  const series = { conflict: Array(count).fill(0), rejected: Array(count).fill(0) };
  const bounds = { start_time: rfc(Math.max(from, to - LONGEST)), end_time: rfc(to) };
  let cursor = null;
  let [read, refused] = [0, 0];
  do {
    const found = /** @type {any} */ (await get('/rejected', { ...bounds, limit: 1000, cursor }, signal));
    for (const item of found.items.filter((/** @type {any} */ one) => !query.find || fits(query, one))) {
      const place = Math.floor((msOf(item.ingest_time) - first) / width);
      series[item.status === 'CONFLICT' ? 'conflict' : 'rejected'][place] += 1;
      refused += 1;
    }
    read += found.items.length;
    ({ cursor } = found);
  } while (cursor && read < MOST);
  return { ...series, first, width, refused, more: !!cursor };
}

/** @param {any} state @param {import('../place.js').Query} query @param {number} pixels */
export function arrivals({ bins, metrics, refused, failures }, query, pixels) {
  if (failures.refused) return failed(failures.refused);
  if (failures.metrics) return failed(failures.metrics);
  if (!metrics || !refused) return loading();
  // CloudWatch counts without regard to sources, so what it says is not of those that are looked for.
  const all = query.find || !metrics.series ? refused : { ...metrics.series, first: metrics.first, width: metrics.width };
  return html`<div class="matrix" role="table" aria-label="Received">
    <div role="row" class="head"><span role="columnheader">outcome</span><span role="columnheader" class="number">in all</span><span role="columnheader">${axis(bins, pixels)}</span></div>
    ${NAMES.filter(([name]) => all[name]).map(([name, told]) => line(told, name, placed(all[name], all, bins), bins, query))}</div>
    ${query.find ? html`<p class="quiet">Accepted events and duplicates are counted for all sources together. <a href=${address('/', carried('/', query))}>Show all sources</a> to see them.</p>`
    : metrics.series ? nothing : html`<p class="quiet">CloudWatch does not tell how many were accepted: ${metrics.not_found} Refusals are read from quarantine.</p>`}
    ${refused.refused ? html`<p><a href=${address('/quarantine', carried('/quarantine', query))}>${counted(refused.refused, 'refusal')}${refused.more ? ' and more' : ''}</a></p>` : nothing}`;
}

/** @param {string} told @param {string} name @param {number[]} all @param {import('./strip.js').Bins} bins @param {import('../place.js').Query} query */
function line(told, name, all, bins, query) {
  const isRefused = name === 'conflict' || name === 'rejected';
  const there = isRefused ? (/** @type {number} */ from, /** @type {number} */ to) => inWindow('/quarantine', { find: query.find, reason: name.toUpperCase() }, { from, to }) : null;
  return html`<div role="row" class="line"><span role="rowheader">${told}</span><span role="cell" class="number">${number(all.reduce((one, next) => one + next, 0))}</span><span role="cell" class="row">${strip(bins, { all }, told, name, there)}</span></div>`;
}
