// Every source and type that an event was accepted of.

import { get } from '../api.js';

/** Every source and type. @param {AbortSignal} signal */
export async function sources(signal) {
  /** @type {any[]} */
  const items = [];
  let cursor = null;
  let looked = '';
  do {
    const found = /** @type {any} */ (await get('/sources', { limit: 1000, cursor }, signal));
    items.push(...found.items);
    ({ cursor, looked_back_to: looked } = found);
  } while (cursor);
  return { items, looked };
}
