// Days of entities whose newest version lacks events that came late, and the replays that mend them.

import { get } from '../api.js';
import { badge, counted, html, loading, nothing, number } from '../parts.js';
import { address } from '../place.js';
import { rfc } from '../times.js';
import { isLookedThrough } from './dips.js';
import { queryOf, replayOfDay } from './replay_form.js';
import { carried } from './window.js';

const SHOWN = 5;

/** Those of the late events that were received in a window; null if it is longer than the API looks through. @param {import('./window.js').Window} window @param {AbortSignal} signal */
export async function staleIn({ from, to }, signal) {
  return isLookedThrough({ from, to }) ? get('/stale', { start_time: rfc(from), end_time: rfc(to) }, signal) : null;
}

/** @param {any} state @param {import('../place.js').Query} query */
export function staleDays({ stale, failures }, query) {
  if (query.find) return html`<p class="quiet">These are of all sources together. <a href=${address('/', carried('/', query))}>Show all sources</a> to see them.</p>`;
  if (failures.stale) return html`<p>${badge('warn', 'not counted')} <span class="quiet">${failures.stale.message} ${failures.stale.remedy}</span></p>`;
  if (stale === undefined) return loading();
  if (!stale) return html`<p class="quiet">They are looked for in windows of at most 31 days.</p>`;
  const { items, cursor, entity_days: days } = stale;
  const found = cursor ? `at least ${counted(items.length, 'stale day')}` : counted(items.length, 'stale day');
  return html`<p>${badge(items.length ? 'bad' : cursor ? 'warn' : 'good', found)} <span class="quiet">of ${counted(days, 'day')} of entities with late events that were received in this window${items.length > SHOWN ? `. The ${SHOWN} that lack most:` : ''}</span></p>
    <ul class="jobs">${items.slice(0, SHOWN).map(stalest)}</ul>${items.length > 1 ? mending(stale) : nothing}`;
}

/** @param {any} item */
function stalest({ entity_id: entity, day, arrived_since: since, exact }) {
  return html`<li><a href=${address('/aggregates', { entity, day })}>${day} of ${entity}</a> <span class="is-late">lacks ${exact ? '' : 'at least '}${number(since)}</span> <a href=${replayOfDay({ entity, day })}>Replay the day …</a></li>`;
}

/** The replays that together compute all of them again. @param {any} stale */
function mending({ replays }) {
  const name = (/** @type {any} */ { entity_id: entity, source, event_type: type, event_types: types }) => entity ?? `${(types ?? [type]).join(', ')} of ${source}`;
  const links = replays.slice(0, SHOWN).map((/** @type {any} */ replay) => html`<a href=${address('/replay/new', queryOf(replay))}>${name(replay)}</a> `);
  return html`<p>Compute all of them again with ${counted(replays.length, 'replay')}: ${links}${replays.length > SHOWN ? html`and those that <code>retrace stale</code> names` : nothing}</p>`;
}
