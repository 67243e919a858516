// Which metric is shown, of which calendar: those that are defined, and those that the listed versions have besides.

import { get } from '../api.js';
import { html, nothing } from '../parts.js';
import { address } from '../place.js';

/**
 * A metric as the API tells it.
 * @typedef {{name: string, state: 'ACTIVE' | 'RETIRED', built_in: boolean, definition_sha256: string, definition: any, changed_at: string | null, changed_by: string | null}} Metric
 * @typedef {{name: string, calendar: string}} Choice a metric in days of a time zone; without a name the number of events
 */

export const EVENTS = 'daily_event_count';
export const UTC = 'UTC';
/** Characters of a value that fit in a cell. */
const FITTING = 24;

/** Every metric, by name. @param {AbortSignal} signal @returns {Promise<Metric[]>} */
export async function everyMetric(signal) {
  const items = [];
  let cursor = null;
  do {
    const page = /** @type {any} */ (await get('/metrics', { limit: 1000, cursor }, signal));
    items.push(...page.items);
    ({ cursor } = page);
  } while (cursor);
  return items;
}

/** What an address shows. Null if it names a metric and no calendar, and the metric is of another one than UTC: then the calendar is to be said. @param {import('../place.js').Query} query @returns {Choice} */
export function choiceIn({ metric, calendar }) {
  return { name: metric === EVENTS ? '' : metric ?? '', calendar: calendar || UTC };
}

/** The part of an address that says so. @param {Choice} choice */
export const saying = ({ name, calendar }) => ({ metric: name, calendar: name || calendar !== UTC ? calendar : '' });

/** The calendar that an address leaves out though it names a metric. @param {import('../place.js').Query} query @param {Metric[]} metrics */
export function leftOut({ metric, calendar }, metrics) {
  return metric && metric !== EVENTS && !calendar ? metrics.find(({ name }) => name === metric)?.definition.time_zone ?? UTC : null;
}

/**
 * What can be chosen: the number of events, active metrics, what the versions have besides, and retired metrics.
 * @param {Metric[]} metrics @param {import('./versions.js').Version[]} versions those that are listed, of the calendar that is shown @param {Choice} shown
 * @returns {Array<[string, Choice[]]>} by kind
 */
export function choices(metrics, versions, shown) {
  const of = (/** @type {string} */ state) => metrics.filter((one) => !one.built_in && one.state === state).map(({ name, definition }) => ({ name, calendar: definition.time_zone }));
  const had = [...new Set(versions.flatMap((version) => version.metrics ?? []).map(({ name }) => name))].filter((name) => name !== EVENTS);
  const [active, retired] = [of('ACTIVE'), of('RETIRED')];
  const events = [...new Set([UTC, shown.calendar])].map((calendar) => ({ name: '', calendar }));
  const isNew = (/** @type {Choice} */ choice) => ![...events, ...active, ...retired].some((one) => same(one, choice));
  const besides = [...had.map((name) => ({ name, calendar: shown.calendar })), ...(shown.name && !had.includes(shown.name) ? [shown] : [])].filter(isNew);
  const all = /** @type {Array<[string, Choice[]]>} */ ([['', events], ['active metrics', active], ['of these versions', besides], ['retired', retired]]);
  return all.filter(([, some]) => some.length);
}

/** @param {Choice} one @param {Choice} other */
const same = (one, other) => one.name === other.name && one.calendar === other.calendar;

/** @param {Choice} choice */
export const nameOf = ({ name, calendar }) => `${name || 'events'}${calendar === UTC ? '' : `, ${calendar}`}`;

/** @param {Choice} choice */
const key = ({ name, calendar }) => JSON.stringify([name, calendar]);

/** @param {string} text @returns {Choice} */
export function choiceOf(text) {
  const [name, calendar] = JSON.parse(text);
  return { name, calendar };
}

/** @param {Array<[string, Choice[]]>} kinds @param {Choice} shown @param {(choice: Choice) => void} choose */
export function chooser(kinds, shown, choose) {
  const option = (/** @type {Choice} */ choice) => html`<option value=${key(choice)} ?selected=${same(choice, shown)} .selected=${same(choice, shown)}>${nameOf(choice)}</option>`;
  return html`<label>metric <select name="measure" @change=${(/** @type {any} */ { target }) => choose(choiceOf(target.value))}>
    ${kinds.map(([kind, some]) => (kind ? html`<optgroup label=${kind}>${some.map(option)}</optgroup>` : some.map(option)))}</select></label>`;
}

/** What a definition computes, in a line. @param {any} definition */
export function inWords({ aggregate, value, percentile, source, event_types: types, where = [], group_by: groups = [], time_zone: calendar }) {
  const of = value === undefined ? '' : ` of ${value || 'the payload'}`;
  const events = [types?.join(', '), source && `of ${source}`].filter(Boolean).join(' ');
  const conditions = where.length ? `, ${where.length === 1 ? 'one condition' : `${where.length} conditions`}` : '';
  return `${aggregate}${percentile ? ` ${percentile}` : ''}${of}${groups.length ? ` by ${groups.join(', ')}` : ''}${events ? `, ${events}` : ''}${conditions}, days of ${calendar}`;
}

/** A definition by its hash, which leads to its text; that of a what-if came with its request, and is not kept under its name. @param {string} name @param {string} sha @param {boolean} [isDraft] @param {number} [digits] of the hash */
export function definitionLink(name, sha, isDraft = false, digits = 12) {
  const begin = html`<code class="id" title=${sha}>${sha.slice(0, digits)}</code>`;
  return isDraft ? html`${begin} <span class="quiet">given with its replay</span>` : html`<a href=${address('/metrics', { name, definition: sha })}>${begin}</a>`;
}

/** @param {Record<string, unknown>} group */
export const groupOf = (group) => Object.values(group).map(String).join(', ');

/** @param {Record<string, unknown>} group @param {boolean} isGrouped */
export function groupName(group, isGrouped) {
  if (Object.keys(group).length) return html`${groupOf(group)}`;
  return isGrouped ? html`<span class="quiet">all others</span>` : nothing;
}

/** The name of a group that a value is of; events without a value are in none. @param {{group: Record<string, unknown>, inputs: number}} one */
export const inGroup = ({ group, inputs }) => (inputs ? groupName(group, true) : html`<span class="quiet">in no group</span>`);

/** A value in a cell of several, which breaks only if it is long. @param {unknown} name @param {string | null} value as it is shown */
export const valueLine = (name, value) => html`<div class=${(value ?? '').length < FITTING ? 'on' : ''}>${name === nothing ? nothing : html`<span class="quiet">${name}</span> `}<strong>${value ?? '–'}</strong></div>`;
