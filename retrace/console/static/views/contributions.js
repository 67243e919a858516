// What a metric comes to in one version: its value by group, its definition, and what each event contributed.

import { get } from '../api.js';
import { compared, exactOf, magnitude, shareOf, told } from '../exact.js';
import { bar, counted, empty, eventLink, facts, html, nothing, number, table, when } from '../parts.js';
import { address } from '../place.js';
import { isWhatIf, whatIf } from './job.js';
import { definitionLink, groupName, groupOf, inWords } from './measures.js';
import { below, pager } from './pager.js';
import { measured } from './versions.js';

/** The API has no cursor for the biggest: each page is asked for as a longer list, up to the longest. */
const BIGGEST = [25, 100, 1000];
const IN_TIME = 100;
/** Pages that are read on for one that has a skipped event. */
const LOOKED_THROUGH = 10;
const GROUPS = 12;
const ORDERS = /** @type {Array<[string, string]>} */ ([['', 'biggest first'], ['time', 'by time'], ['skipped', 'skipped']]);

/** @typedef {import('./versions.js').Version} Version */

/** The orders in which contributions can be listed: texts have no biggest. @param {any} state */
const ordersOf = ({ metrics, choice }) => (metrics?.find((/** @type {any} */ one) => one.name === choice.name)?.definition.aggregate === 'distinct' ? ORDERS.slice(1) : ORDERS);

/** The order that an address names, or the first. @param {import('../place.js').Query} query @param {any} state */
const orderIn = ({ list = '' }, state) => (ordersOf(state).find(([order]) => order === list) ?? ordersOf(state)[0])[0];

/** What each event of the second version contributed, page by page, in the order that the address names. @param {import('../main.js').Page} page @param {any} state @param {() => void} redraw */
export function contributionsOf({ query, signal }, state, redraw) {
  const { choice: { name, calendar }, chosen } = state;
  const order = orderIn(query, state);
  const asked = { entity_id: query.entity, day: query.day, calendar, replay_id: chosen.to, metric: name };
  const ask = (/** @type {Record<string, any>} */ more) => get('/aggregates/inputs', { ...asked, ...more }, signal);
  const biggest = async (/** @type {string | null} */ cursor) => {
    const [at, before] = cursor ? [Number(cursor), BIGGEST[Number(cursor) - 1]] : [0, 0];
    const { items, exact } = await ask({ by: 'contribution', limit: BIGGEST[at] });
    if (!exact) list.isPart = true;
    return { items: items.slice(before), cursor: items.length === BIGGEST[at] && at + 1 < BIGGEST.length ? String(at + 1) : null };
  };
  const skipped = async (/** @type {string | null} */ cursor) => {
    for (let read = 0; ; read += 1) {
      const found = await ask({ limit: 1000, cursor });
      const items = found.items.filter((/** @type {any} */ one) => one.skipped);
      if (items.length || !found.cursor || read === LOOKED_THROUGH) return { items, cursor: found.cursor };
      ({ cursor } = found);
    }
  };
  const asking = order === 'skipped' ? skipped : order === 'time' ? (/** @type {string | null} */ cursor) => ask({ limit: IN_TIME, cursor }) : biggest;
  const list = Object.assign(pager(asking, redraw), { isPart: false });
  return list;
}

/** What a metric comes to in a version. @param {Version} version @param {any} state @param {import('../place.js').Query} query */
export function inVersion(version, state, query) {
  const { choice, chosen, metrics, groups: all, showGroups, contributions, keep } = state;
  const order = orderIn(query, state);
  const found = measured(version, choice.name);
  if (!found.length) return empty(html`This version has no metric <code>${choice.name}</code>.`, 'Its replay did not compute it. A replay computes the active metrics, or those that it names.');
  const definition = metrics?.find((/** @type {any} */ one) => one.name === choice.name && one.definition_sha256 === found[0].definition_sha256)?.definition;
  const skipped = found.reduce((sum, one) => sum + one.skipped, 0);
  return html`<section aria-labelledby="value-title"><h2 id="value-title">${choice.name} of ${chosen.from ? 'the second version' : 'this version'}</h2>
    ${facts([
    ...only(found),
    ['replay', html`<a class="id" href=${address('/replay', { id: version.replay_id })} title=${version.replay_id}>${version.replay_id.slice(0, 18)}</a> ${whatIf(version.replay_id)}`],
    ['definition', html`${definitionLink(choice.name, found[0].definition_sha256, isWhatIf(version.replay_id))}${definition ? html` <span class="quiet">${inWords(definition)}</span>` : nothing}`],
    ['skipped', skipped ? html`<a href=${address('/aggregates', { ...query, list: 'skipped' })} @click=${keep}>${counted(skipped, 'event')}</a>` : 'none'],
  ])}
    ${isGrouped(found) ? values(found, all, showGroups) : nothing}
    ${found.some(({ value, inputs }) => value === null && inputs) ? html`<p class="quiet">Values of distinct and percentile are computed when they are asked for: <code>retrace aggregates get … --metric ${choice.name}</code>.</p>` : nothing}</section>
    <section aria-labelledby="each-title"><div class="over"><h2 id="each-title">What each event contributed</h2>
      <span class="steps" role="group" aria-label="Order">${ordersOf(state).map(([one, name]) => html`<a class="button" href=${address('/aggregates', { ...query, list: one })} @click=${keep} aria-current=${one === order ? 'true' : nothing}>${name}</a>`)}</span></div>
      ${contributions ? listed(contributions, order, skipped) : nothing}</section>`;
}

/** @param {import('./versions.js').Measured[]} found */
const isGrouped = (found) => found.some(({ group }) => Object.keys(group).length);

/** What a metric without groups comes to. @param {import('./versions.js').Measured[]} found @returns {Array<[string, unknown]>} */
function only(found) {
  if (isGrouped(found)) return [];
  const [{ value, inputs, sum, event_id: event }] = found;
  const more = /** @type {Array<[string, unknown]>} */ ([...(sum ? [['sum', html`<span class="exact">${told(sum)}</span>`]] : []), ...(event ? [['event', eventLink(event)]] : [])]);
  return [['value', html`<strong class="exact">${value === null ? '–' : told(value)}</strong>`], ['contributed', counted(inputs, 'event')], ...more];
}

/** @param {import('./versions.js').Measured[]} found @param {boolean} all @param {() => void} showGroups */
function values(found, all, showGroups) {
  const having = found.filter(({ value, inputs }) => value !== null || inputs);
  const most = having.map(({ value }) => magnitude(exactOf(value))).reduce((one, other) => (compared(other, one) > 0 ? other : one), exactOf(null));
  const columns = /** @type {Array<[string, (one: any) => unknown, string?]>} */ ([
    ['group', (one) => groupName(one.group, true)],
    ['value', (one) => html`<strong>${one.value === null ? '–' : told(one.value)}</strong>`, 'number exact'],
    ['', (one) => bar(shareOf(magnitude(exactOf(one.value)), most), 1), 'barred'],
    ...(having.some((one) => one.sum !== undefined) ? [['sum', (/** @type {any} */ one) => (one.sum ? told(one.sum) : ''), 'number exact']] : []),
    ...(having.some((one) => one.event_id) ? [['event', (/** @type {any} */ one) => (one.event_id ? eventLink(one.event_id) : '')]] : []),
    ['contributed', (one) => counted(one.inputs, 'event'), 'number'],
  ]);
  const shown = all ? having : having.slice(0, GROUPS);
  return html`${table(columns, shown, 'groups')}
    ${shown.length < having.length ? html`<p class="quiet">${counted(having.length - shown.length, 'group')} more. <button @click=${showGroups}>Show all</button></p>` : nothing}`;
}

/** @param {any} list @param {string} order @param {number} skipped */
function listed(list, order, skipped) {
  const inGroups = list.items.some((/** @type {any} */ one) => Object.keys(one.group ?? {}).length);
  const first = magnitude(exactOf(order ? null : numeric(list.items[0]?.value)));
  const value = (/** @type {any} */ one) => (one.skipped ? html`<span class="quiet">skipped: ${one.skipped}</span>` : one.value === null ? html`<span class="quiet">nothing</span>` : html`<strong>${/^-?[\d.]+$/.test(one.value) ? told(one.value) : one.value}</strong>`);
  const columns = /** @type {Array<[string, (one: any) => unknown, string?]>} */ ([
    ['event', (one) => eventLink(one.event_id)], ['event time', (one) => when(one.event_time)], ['type', (one) => one.event_type],
    ...(inGroups ? [['group', (/** @type {any} */ one) => groupOf(one.group)]] : []),
    order === 'skipped' ? ['why', (one) => one.skipped] : ['contributed', value, 'number exact'],
    ...(order ? [] : [['', (/** @type {any} */ one) => bar(shareOf(magnitude(exactOf(numeric(one.value))), first), 1), 'barred']]),
  ]);
  return html`${list.items.length ? table(columns, list.items, 'contributions') : list.isRead && !list.cursor ? empty(...none(order, skipped)) : nothing}
    ${list.isPart ? html`<p class="note">The version has more events than a request reads. These are the biggest of those that were read. List them by time to see all.</p>` : nothing}
    ${!order && list.isRead && !list.cursor && list.items.length === BIGGEST[BIGGEST.length - 1] ? html`<p class="quiet">These are the ${number(list.items.length)} biggest. List them by time to see all.</p>` : nothing}${below(list)}`;
}

/** A contribution to a metric that takes texts is none. @param {string | null | undefined} value */
const numeric = (value) => (value && /^-?[\d.]+$/.test(value) ? value : null);

/** @param {string} order @param {number} skipped @returns {[unknown, unknown]} */
function none(order, skipped) {
  if (order === 'skipped') return ['No event was skipped.', 'Each event that the metric selects has a value.'];
  return ['No event contributed to it.', skipped ? 'Those that it selects were skipped. Choose “skipped” to see why.' : 'Its definition selects none of the events of this day: look at its source, types and conditions.'];
}
