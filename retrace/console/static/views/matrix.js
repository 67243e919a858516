// Sources and types by time: a row of columns for each, with its number of events and when the last one was received.

import { breakable, empty, html, nothing, number } from '../parts.js';
import { address } from '../place.js';
import { dayOf, duration, msOf } from '../times.js';
import { legend, marked } from './dips.js';
import { axis, placed, spoken, strip } from './strip.js';
import { carried, inWindow, windowIn } from './window.js';

/** How many types are shown below their sources without being asked for. */
const FEW = 24;

/** @typedef {{source: string, event_type: string, last_seen: string | null}} Pair */

const sum = (/** @type {number[]} */ all) => all.reduce((one, next) => one + next, 0);
const added = (/** @type {number[][]} */ rows, /** @type {number} */ count) => Array.from({ length: count }, (_, index) => sum(rows.map((row) => row[index])));

/** Whether a filter of words finds something of these names. @param {import('../place.js').Query} query @param {any} named */
export function fits({ find }, { source, event_type, entity_id }) {
  const told = `${source ?? ''} ${event_type ?? ''} ${entity_id ?? ''}`.toLowerCase();
  return (find ?? '').toLowerCase().split(/\s+/).every((word) => told.includes(word));
}

/** The pairs of each source, in order; sources that are silent for long come last. @param {Pair[]} pairs @returns {Array<[string, Pair[]]>} */
export function bySource(pairs) {
  const sources = new Map();
  const ordered = [...pairs].sort((one, other) => (keyOf(one) < keyOf(other) ? -1 : 1));
  for (const pair of ordered) sources.set(pair.source, [...(sources.get(pair.source) ?? []), pair]);
  const isSilent = (/** @type {[string, Pair[]]} */ [, all]) => Number(all.every(({ last_seen: last }) => !last));
  return [...sources].sort((one, other) => isSilent(one) - isSilent(other));
}

/** Whether none of those that are shown has an event in the window, as far as they are counted. @param {any} state */
export function hasNothing({ shown, of }) {
  return shown.length > 0 && shown.every((/** @type {Pair} */ pair) => of.get(keyOf(pair))?.all?.every((/** @type {number} */ count) => !count));
}

/** Where there are events, if there are none in the window. @param {any} state @param {import('../place.js').Query} query */
function elsewhere(state, { find }) {
  const { elsewhere: there } = state;
  if (!hasNothing(state) || there === undefined) return nothing;
  const window = Object.fromEntries(new URLSearchParams(there));
  const end = windowIn(window)?.to ?? 0;
  return html`<p class="note">No event in this window. ${there ? html`<a href=${address('/', { find, ...window })}>${window.last ? `Show the last ${window.last.slice(0, -1)} days` : `Show the days until ${dayOf(end - 1)}`}</a>, which have events.` : 'Nor in the last 30 days: choose a window in which there are events.'}</p>`;
}

/** @param {any} state @param {import('../place.js').Query} query @param {number} pixels how wide a row of columns is */
export function matrix(state, query, pixels) {
  const { bins, shown, late_ms: late } = state;
  if (!shown.length) return empty(...nothingToShow(query));
  const open = shown.length <= FEW || !!query.find;
  return html`${elsewhere(state, query)}<div class="matrix" role="table" aria-label="Events by source and type">
    <div role="row" class="head"><span role="columnheader">source and type</span><span role="columnheader" class="number">events</span><span role="columnheader">by ${spoken(bins.width)}${axis(bins, pixels)}</span><span role="columnheader" class="number">late</span><span role="columnheader" title="When the newest event, by event time, was received">newest event</span></div>
    ${bySource(shown).map(([source, pairs]) => html`${pairs.length > 1 || !open ? sourceRow(source, pairs, state, query, open) : nothing}${open ? pairs.map((pair) => typeRow(pair, state, query, pairs.length > 1)) : nothing}`)}
    </div>
    <p class="quiet">Each row has a scale of its own: its highest column is its most. Dotted is still to come, orange is late${late ? ` by ${duration(late)} and more` : ''}. Choose a column to see its events.</p>${legend(state)}`;
}

/** @param {import('../place.js').Query} query @returns {[unknown, unknown]} */
function nothingToShow(query) {
  if (query.find) return [`No source or type is called like “${query.find}”.`, html`<a href=${address('/', carried('/', query))}>Show all sources</a>, or look in <a href="/quarantine">quarantine</a> for what was refused.`];
  return ['No events yet.', html`Send some: <code>retrace ingest FILE</code>. What was refused is in <a href="/quarantine">quarantine</a>.`];
}

/** @param {string} source @param {Pair[]} pairs @param {any} state @param {import('../place.js').Query} query @param {boolean} open whether its types have rows */
function sourceRow(source, pairs, state, query, open) {
  const { bins, of } = state;
  const known = pairs.map((pair) => of.get(keyOf(pair))).filter((found) => found?.all);
  const all = added(known.map((found) => placed(found.all, found, bins)), bins.count);
  const late = added(known.map((found) => placed(found.late, found, bins)), bins.count);
  const until = known.map((found) => found.until).filter(Boolean).sort()[0];
  const last = pairs.map((pair) => pair.last_seen ?? '').sort().pop() ?? '';
  const there = { ...query, find: source };
  return row(html`<a class="source" href=${address('/', there)}>${breakable(source)}</a>`, source, { all, late, until, dips: marked(state.dips.get(source), open ? [null] : undefined) }, last, known.length === pairs.length, state, (from, to) => inWindow('/', there, { from, to }));
}

/** @param {Pair} pair */
export const keyOf = ({ source, event_type }) => JSON.stringify([source, event_type]);

/** @param {Pair} pair @param {any} state @param {import('../place.js').Query} query @param {boolean} within */
function typeRow(pair, state, query, within) {
  const { bins, of } = state;
  const { source, event_type: type, last_seen: last } = pair;
  const found = of.get(keyOf(pair));
  const name = html`<a class=${within ? 'within' : ''} href=${address('/type', { source, type, ...carried('/type', query) })}>${breakable(type)}</a>${within ? nothing : html` <span class="quiet">${breakable(source)}</span>`}`;
  if (found?.failure) return html`<div role="row" class="line"><span role="cell">${name}</span><span role="cell" class="is-late wide">${found.failure.message}</span></div>`;
  const counts = found ? { all: placed(found.all, found, bins), late: placed(found.late, found, bins), until: found.until } : { all: Array(bins.count).fill(0), until: 1 };
  const dips = marked(state.dips.get(source), within ? [type] : [type, null]);
  return row(name, `${type} of ${source}`, { ...counts, dips }, last ?? '', !!found, state, (from, to) => inWindow('/type', { source, type }, { from, to }));
}

/** @param {unknown} name @param {string} told @param {import('./strip.js').Counts} counts @param {string} last @param {boolean} isKnown @param {any} state @param {(from: number, to: number) => string} there */
function row(name, told, counts, last, isKnown, { bins, looked }, there) {
  const late = sum(counts.late ?? []);
  const more = counts.until ? '+' : '';
  return html`<div role="row" class="line"><span role="rowheader">${name}</span><span role="cell" class="number">${isKnown ? `${number(sum(counts.all))}${more}` : '…'}</span>
    <span role="cell" class="row">${strip(bins, counts, told, 'event', there)}</span><span role="cell" class="number is-late">${late ? number(late) : nothing}</span>
    <span role="cell" class="quiet last">${last ? `${duration(Date.now() - msOf(last))} ago` : looked ? `none since ${looked}` : ''}</span></div>`;
}
