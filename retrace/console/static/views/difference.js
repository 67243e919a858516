// What two versions of a day's number do not share: the events that make the difference, however many.

import { badge, counted, eventLink, failed, html, loading, nothing, number, when } from '../parts.js';

/** @typedef {(cursor: string | null) => Promise<{items: any[], cursor: string | null}>} Ask */

/**
 * All of it, from the inputs of both, which are read page by page: the API lists the first of it only.
 * @param {Ask} ofFrom @param {Ask} ofTo @param {(count: number) => void} read is told how many inputs were read
 */
export async function wholeDifference(ofFrom, ofTo, read) {
  let count = 0;
  const inputs = async (/** @type {Ask} */ ask) => {
    /** @type {Map<string, any>} */
    const all = new Map();
    /** @type {string | null} */
    let cursor = null;
    do {
      const page = /** @type {Awaited<ReturnType<Ask>>} */ (await ask(cursor));
      for (const item of page.items) all.set(`${item.event_time} ${item.event_id}`, item);
      count += page.items.length;
      ({ cursor } = page);
      read(count);
    } while (cursor);
    return all;
  };
  const [from, to] = [await inputs(ofFrom), await inputs(ofTo)];
  const not = (/** @type {Map<string, any>} */ one, /** @type {Map<string, any>} */ other) => [...one].filter(([key]) => !other.has(key)).map(([, item]) => item);
  const changed = [...to].filter(([key, item]) => from.has(key) && from.get(key).content_sha256 !== item.content_sha256).map(([, item]) => item);
  return { only_in_from: not(from, to), only_in_to: not(to, from), changed };
}

/** @param {any} state */
export function difference({ difference: found, failure, listed, reading, unread, more }) {
  if (failure) return html`<section>${failed(failure)}</section>`;
  if (!found) return loading('Comparing');
  const { counts } = found;
  const same = !(counts.only_in_from || counts.only_in_to || counts.changed);
  const items = [
    ...found.only_in_to.map((/** @type {any} */ item) => ['+', 'only in the second', 'good', item]),
    ...found.only_in_from.map((/** @type {any} */ item) => ['−', 'only in the first', 'bad', item]),
    ...found.changed.map((/** @type {any} */ item) => ['~', 'other content', 'warn', item]),
  ];
  return html`<section aria-labelledby="diff-title"><h2 id="diff-title">From ${number(found.from.value)} to ${number(found.to.value)}</h2>
    <p>${same ? html`The same ${counted(counts.shared, 'event')} in both: the two hashes are ${found.from.inputs_hash === found.to.inputs_hash ? 'equal' : 'different'}.` : html`
      ${badge('good', `+ ${number(counts.only_in_to)}`)} ${badge('bad', `− ${number(counts.only_in_from)}`)} ${badge('warn', `~ ${number(counts.changed)}`)}
      <span class="quiet">${counted(counts.shared, 'event')} in both.</span>`}</p>
    ${items.length ? html`<div class="scroll"><table class="list difference"><thead><tr><th></th><th>event</th><th>event time</th><th>type</th></tr></thead><tbody>
      ${items.slice(0, listed).map(([sign, meaning, kind, item]) => html`<tr><td>${badge(kind, sign, meaning)}</td><td>${eventLink(item.event_id)}</td><td>${when(item.event_time)}</td><td>${item.event_type ?? '(content changed)'}</td></tr>`)}
    </tbody></table></div>` : nothing}
    ${unread ? failed(unread) : nothing}
    ${reading ? loading(reading) : found.truncated || items.length > listed ? html`<p class="quiet">Not all are listed; the counts are exact. <button @click=${more}>List more</button></p>` : nothing}</section>`;
}
