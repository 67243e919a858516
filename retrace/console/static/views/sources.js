// Every source and type that an event was accepted of.

import { get } from '../api.js';

/** Of how many it is asked at once when each sent last: a request looks at every day of each. */
const PAGE = 25;

/** @typedef {{items: any[], looked: string}} Sources with when each was last seen, since the day that was looked back to */

/**
 * Every source and type. Looking back takes a while where many are silent, so their names come first.
 * @param {AbortSignal} signal @param {number} [days] how far to look for when each sent last @returns {Promise<Sources>}
 */
export async function sources(signal, days) {
  /** @type {any[]} */
  const items = [];
  let cursor = null;
  let looked = '';
  do {
    const found = /** @type {any} */ (await get('/sources', { limit: days === 0 ? 1000 : PAGE, look_back_days: days, cursor }, signal));
    items.push(...found.items);
    cursor = found.cursor;
    // A page of sources that are silent looks back less far. What is said of all is true of each.
    if (found.looked_back_to > looked) looked = found.looked_back_to;
  } while (cursor);
  return { items, looked: days === 0 ? '' : looked };
}
