// What is said where there is nothing: whether the name is known at all, where its newest event is, and which names are near.

import { get, look } from '../api.js';
import { empty, entityLink, html, nothing, when } from '../parts.js';
import { address } from '../place.js';
import { dayOf, msOf } from '../times.js';

/** @typedef {{newest: string | null, near: string[]}} Absence when the newest event is, or names that are near if there is none */

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
