// What two versions of a day's number do not share: the events that make the difference, page by page.

import { badge, counted, eventLink, failed, html, loading, nothing, number, table, when } from '../parts.js';

const LISTS = ['only_in_from', 'only_in_to', 'changed'];

/** Two pages of a comparison as one: what was found so far, and how far that is. @param {any} before @param {any} page */
export function joined(before, page) {
  if (!before) return page;
  const lists = Object.fromEntries(LISTS.map((name) => [name, [...before[name], ...page[name]]]));
  const counts = Object.fromEntries(Object.entries(page.counts).map(([name, count]) => [name, before.counts[name] + /** @type {number} */ (count)]));
  return { ...page, ...lists, counts };
}

/** @param {any} state */
export function difference({ difference: found, failure, reading, unread, more }) {
  if (failure) return html`<section>${failed(failure)}</section>`;
  if (!found) return loading('Comparing');
  const { counts } = found;
  const same = !(counts.only_in_from || counts.only_in_to || counts.changed);
  const items = [
    ...found.only_in_to.map((/** @type {any} */ item) => ['+', 'only in the second', 'good', item]),
    ...found.only_in_from.map((/** @type {any} */ item) => ['−', 'only in the first', 'bad', item]),
    ...found.changed.map((/** @type {any} */ item) => ['~', 'other content', 'warn', item]),
  ];
  return html`<section aria-labelledby="diff-title"><h2 id="diff-title">From ${number(found.from.event_count)} to ${number(found.to.event_count)}</h2>
    <p>${same && found.cursor ? html`The first ${counted(counts.shared, 'event')} are the same in both.` : same ? html`The same ${counted(counts.shared, 'event')} in both: the two hashes are ${found.from.inputs_hash === found.to.inputs_hash ? 'equal' : 'different'}.` : html`
      ${badge('good', `+ ${number(counts.only_in_to)}`)} ${badge('bad', `− ${number(counts.only_in_from)}`)} ${badge('warn', `~ ${number(counts.changed)}`)}
      <span class="quiet">${counted(counts.shared, 'event')} in both.${found.cursor ? ' More are not compared yet.' : ''}</span>`}</p>
    ${items.length ? table([
    ['', ([sign, meaning, kind]) => badge(kind, sign, meaning)], ['event', ([, , , item]) => eventLink(item.event_id)],
    ['event time', ([, , , item]) => when(item.event_time)], ['type', ([, , , item]) => item.event_type ?? '(content changed)'],
  ], items, 'difference') : nothing}
    ${unread ? failed(unread) : nothing}
    ${reading ? loading('Comparing') : found.cursor ? html`<p class="quiet">Compared as far as ${number(counts.shared + items.length)} events. <button @click=${more}>Compare more</button></p>` : nothing}</section>`;
}
