// What is said where there is nothing: whether the name is known at all, where its newest event is, and which names are near.

import { get, look } from '../api.js';
import { empty, entityLink, html, nothing, when } from '../parts.js';
import { address } from '../place.js';
import { DAY, dayOf, msOf, rfc, startOf } from '../times.js';
import { keyOf } from './matrix.js';
import { inWindow } from './window.js';

/** How many days back the API says when a type was last seen, and lists late events by their arrival. */
const LOOK_BACK_DAYS = 30;
const SHOWN_DAYS = 3;

/** @typedef {{newest: string | null, near: string[]}} Absence when the newest event is, or names that are near if there is none */

/** Where the overview has events of some types, as a part of an address: in the last days, or else where late ones belong; empty if neither is known. @param {import('./matrix.js').Pair[]} types @param {AbortSignal} signal */
export async function whereEventsAre(types, signal) {
  if (types.some(({ last_seen: last }) => last)) return `last=${LOOK_BACK_DAYS}d`;
  const now = Date.now();
  const known = new Set(types.map(keyOf));
  const { items } = await get('/late', { start_time: rfc(now - LOOK_BACK_DAYS * DAY), end_time: rfc(now), limit: 1000 }, signal);
  const times = items.filter((/** @type {any} */ item) => known.has(keyOf(item))).map((/** @type {any} */ item) => msOf(item.event_time));
  if (!times.length) return '';
  const end = startOf(dayOf(Math.max(...times))) + DAY;
  return inWindow('', {}, { from: end - SHOWN_DAYS * DAY, to: end }).slice(1);
}

/** Why an entity shows nothing. @param {string} id @param {AbortSignal} signal @returns {Promise<Absence>} */
export async function absenceOf(id, signal) {
  const { items } = await get('/events', { entity_id: id, order: 'newest', limit: 1 }, signal);
  if (items.length) return { newest: items[0].event_time, near: [] };
  const { near } = await look('/search', { q: id }, signal).catch(() => ({ near: [] }));
  return { newest: null, near: near.filter((/** @type {any} */ one) => one.kind === 'entity').map((/** @type {any} */ one) => one.entity_id) };
}

/** @param {string} id @param {Absence} absence @param {string} where in which view its day is shown @param {string} when_ what is empty */
export function absentEntity(id, { newest, near }, where, when_) {
  if (newest) {
    const day = dayOf(msOf(newest));
    const there = where === '/aggregates' ? { entity: id, day } : { id, day };
    return empty(html`<code>${id}</code> has no events ${when_}.`, html`Its newest event is of ${when(newest)}. <a href=${address(where, there)}>Show ${day}</a>.`);
  }
  return empty(html`No event of an entity <code>${id}</code> was ever accepted.`, html`Check how its producer writes it, and whether this is the right deployment. What was refused is in <a href="/quarantine">quarantine</a>.
    ${near.length ? html`<br>Near names: ${near.map((name, index) => html`${index ? ', ' : ''}${entityLink(name)}`)}.` : nothing}`);
}
