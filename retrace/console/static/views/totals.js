// Totals of a metric by day as a chart, a group below the other, and as a table that says how far each can be trusted.

import { get } from '../api.js';
import { ZERO, compared, exactOf, placeOf, roundNumbers, told, toldShort } from '../exact.js';
import { badge, counted, empty, failed, html, loading, nothing, number, table } from '../parts.js';
import { address } from '../place.js';
import { DAY, dayAt, dayOf, isDay, rfc, startOf } from '../times.js';
import { uncut, widthOf } from '../ticks.js';
import { whatIf } from './job.js';
import { definitionLink, groupName, groupOf, inGroup, valueLine } from './measures.js';
import { listed, queryOf } from './replay_form.js';
import { roomFor } from './versions.js';

/**
 * A total of a day, as the API tells it.
 * @typedef {{day: string, entity_id?: string, group: Record<string, string>, value: string | null, inputs: number, skipped: number, definition_sha256: string, replay_id: string, versions: number,
 *   complete: boolean, partial_because?: string[], arrived_since: number | null, arrived_since_counts?: string}} Total
 */

const MOST_DAYS = 366;
/** What does not follow from the values of entities. */
const ONLY_OF_ENTITIES = ['distinct', 'percentile'];
const GROUPS = 3;
const ROWS = 40;
/** Groups whose totals are in the row of a day. */
const IN_A_ROW = 4;
const REPLAYS = 5;
/** Pages that are followed. Some are empty while a large total is added up. */
const MOST_PAGES = 100;
const TICK_PX = 52;
/** What is left and right of a chart's columns, in pixels. */
const BESIDE_PX = 60;

/** The days of a window in a calendar; of one day, that day. @param {import('../place.js').Query} query @param {import('./window.js').Window} window @param {string} calendar */
export function daysOf({ day }, { from, to }, calendar) {
  const [first, last] = isDay(day) ? [startOf(day), startOf(day)] : [from, to - 1].map((at) => startOf(dayAt(calendar, at)));
  return Array.from({ length: Math.round((last - first) / DAY) + 1 }, (_, index) => dayOf(first + index * DAY));
}

/** Read the totals, page by page. @param {string} path @param {any} state @param {AbortSignal} signal @param {() => void} redraw */
export async function totalsOf(path, state, signal, redraw) {
  const { days, metric } = state;
  if (days.length > MOST_DAYS || ONLY_OF_ENTITIES.includes(metric.definition.aggregate)) return;
  Object.assign(state, { reading: true, failure: null });
  redraw();
  try {
    let cursor = null;
    for (let pages = 0; (cursor || !pages) && pages < MOST_PAGES && !signal.aborted; pages += 1) {
      const page = /** @type {any} */ (await get(`${path}/values`, { start_day: days[0], end_day: days[days.length - 1], limit: 1000, cursor }, signal));
      const { values = [], missing = [], replays = [] } = state.read ?? {};
      state.read = { values: [...values, ...page.values], missing: [...missing, ...page.missing], replays: [...replays, ...page.replays] };
      ({ cursor } = page);
      state.isCut = !!cursor;
      redraw();
    }
  } catch (failure) {
    state.failure = failure;
  }
  state.reading = false;
  redraw();
}

/** How far a total can be trusted: its look in a chart, and in words. @param {Total | undefined} total @param {string} [reason] why it is missing @returns {[string, string]} */
export function standing(total, reason) {
  if (!total) return ['missing', reason ?? 'not read yet'];
  const { complete, partial_because: why = [], arrived_since: since, arrived_since_counts: of } = total;
  const stale = since ? `${of ? 'perhaps ' : ''}stale: ${number(since)} came since${of ? `, of ${of}` : ''}` : since === null && complete ? 'not known whether it is stale' : '';
  const looks = [complete ? '' : 'partial', since ? 'stale' : ''].filter(Boolean).join(' ');
  return [looks, [complete ? 'complete' : `partial: ${why.join(' ')}`, stale].filter(Boolean).join(', ')];
}

/** The totals by group, those of most events first. @param {Total[]} values @returns {Array<[Record<string, string>, Map<string, Total>]>} */
export function byGroup(values) {
  const groups = new Map();
  for (const total of values) {
    const key = JSON.stringify(total.group);
    groups.set(key, [...(groups.get(key) ?? []), total]);
  }
  const events = (/** @type {Total[]} */ all) => all.reduce((sum, one) => sum + one.inputs, 0);
  const ordered = [...groups.entries()].filter(([key, all]) => key !== '{}' || groups.size === 1 || all.some((/** @type {Total} */ one) => one.inputs)).sort(([, one], [, other]) => events(other) - events(one));
  return ordered.map(([key, all]) => [JSON.parse(key), new Map(all.map((/** @type {Total} */ one) => [one.day, one]))]);
}

/** @param {import('../main.js').Page} page @param {any} state */
export function totals(page, state) {
  const { days, read, failure, reading, groups: all, rows, showGroups, showRows, metric } = state;
  const title = html`<h2 id="totals-title">Totals by day, all entities, ${days.length === 1 ? days[0] : `${days[0]} to ${days[days.length - 1]}`} in ${metric.definition.time_zone}</h2>${days.length === 1 ? html`<p><a href=${month(page, days[0])}>The 30 days up to it</a></p>` : nothing}`;
  const framed = (/** @type {unknown} */ shown) => html`<section aria-labelledby="totals-title">${title}${shown}</section>`;
  if (days.length > MOST_DAYS) return framed(empty(`These are ${number(days.length)} days.`, `Choose at most ${MOST_DAYS}.`));
  const { aggregate } = metric.definition;
  if (ONLY_OF_ENTITIES.includes(aggregate)) return framed(empty(`A total of ${aggregate} does not follow from the values of entities.`, days.length === 1 ? 'The values of entities are below.' : 'Choose one day to see the value of each entity.'));
  if (!read) return framed(loading('Adding up'));
  const groups = byGroup(read.values);
  const reasons = new Map(read.missing.map((/** @type {any} */ one) => [one.day, one.reason]));
  const isGrouped = groups.length > 1 || groups.some(([group]) => Object.keys(group).length);
  const shown = all ? groups : groups.slice(0, GROUPS);
  const every = rowsOf(days, read.values, reasons);
  return framed(html`
    ${read.values.length ? html`${days.length === 1 ? nothing : shown.map(([group, of]) => chart(page, days, of, reasons, isGrouped ? groupName(group, true) : nothing, isGrouped ? groupOf(group) || 'all others' : ''))}
      ${days.length > 1 ? legend(isGrouped) : nothing}` : reading ? nothing : empty('No day of these has a total.', html`A total is made of a complete replay by source and type. <a href=${replayOf(days, metric)}>Replay these days</a>. The reasons are below.`)}
    ${shown.length < groups.length && days.length > 1 ? html`<p class="quiet">${counted(groups.length - shown.length, 'group')} more. <button @click=${showGroups}>Show all</button></p>` : nothing}
    ${reading ? loading('Adding up') : nothing}${failure ? failed(failure, page.again) : nothing}
    ${state.isCut && !reading && !failure ? html`<p class="note">Not all of it was added up yet. Show the page again to read on.</p>` : nothing}
    ${mending(read.replays)}
    ${valueTable(page, rows ? every : every.slice(0, ROWS), isGrouped, metric)}
    ${!rows && every.length > ROWS ? html`<p class="quiet">${counted(every.length - ROWS, 'row')} more. <button @click=${showRows}>Show all</button></p>` : nothing}`);
}

/** The address of a month that ends with a day. @param {import('../main.js').Page} page @param {string} day */
const month = ({ query: { name } }, day) => address('/metrics', { name, from: rfc(startOf(day) - 29 * DAY), to: rfc(startOf(day) + DAY) });

/** The form of a replay whose versions make totals, as far as a definition says of what. @param {string[]} days @param {any} metric */
function replayOf(days, { name, state, definition: { source, event_types: types = [] } }) {
  const of = types.length === 1 ? { type: types[0] } : { types: types.length ? listed(types) : '' };
  return address('/replay/new', { source, ...of, start_day: days[0], end_day: days[days.length - 1], metrics: state === 'RETIRED' && name });
}

/** A row for each day, or for each total of one day, and for days without one; the newest first. @param {string[]} days @param {Total[]} values @param {Map<string, string>} reasons @returns {any[]} */
export function rowsOf(days, values, reasons) {
  const sum = (/** @type {number[]} */ all) => all.reduce((one, other) => one + other, 0);
  const together = (/** @type {Total[]} */ all) => ({ ...all[0], all, inputs: sum(all.map(({ inputs }) => inputs)), skipped: sum(all.map(({ skipped }) => skipped)) });
  const of = new Map(days.map((day) => [day, /** @type {any[]} */ ([])]));
  for (const total of values) if (total.value !== null || total.inputs || total.skipped) of.get(total.day)?.push(total);
  const rows = /** @type {any[]} */ ([]);
  for (const day of [...days].reverse()) {
    const [found, reason, last] = [of.get(day) ?? [], reasons.get(day) ?? 'not read yet', rows[rows.length - 1]];
    if (found.length) rows.push(...(days.length === 1 ? found.map((one) => together([one])) : [together(found)]));
    else if (last?.reason === reason) last.since = day;
    else rows.push({ day, reason });
  }
  return rows;
}

/** The address of a day's totals. @param {import('../main.js').Page} page @param {string} day */
const there = ({ query: { name } }, day) => address('/metrics', { name, day });

/** Columns for the days of a group, on a scale of their own. @param {import('../main.js').Page} page @param {string[]} days @param {Map<string, Total>} of @param {Map<string, string>} reasons @param {unknown} name @param {string} said */
function chart(page, days, of, reasons, name, said) {
  const values = [...of.values()].map(({ value }) => exactOf(value));
  const low = values.reduce((one, other) => (compared(other, one) < 0 ? other : one), ZERO);
  const high = values.reduce((one, other) => (compared(other, one) > 0 ? other : one), ZERO);
  const place = (/** @type {import('../exact.js').Exact} */ at) => (compared(low, high) ? 100 * placeOf(at, low, high) : 0);
  const rungs = roundNumbers(low, high, 4).map((at) => ({ at: place(at), text: toldShort(at) }));
  const gutter = Math.ceil(Math.max(...rungs.map(({ text }) => widthOf(text)))) + 8;
  const zero = place(ZERO);
  const column = (/** @type {string} */ day) => {
    const total = of.get(day);
    const [look, trust] = total || day <= dayOf(Date.now()) ? standing(total, reasons.get(day) ?? (of.size ? 'no events of this group' : undefined)) : ['future', 'has not come yet'];
    const told_ = `${said && `${said}, `}${day}: ${total ? `${total.value === null ? 'no value' : told(total.value)}, ` : ''}${trust}`;
    const at = total ? place(exactOf(total.value)) : zero;
    return html`<a class="day ${look}" href=${there(page, day)} tabindex="-1" aria-label=${told_} data-tip=${told_}>${total ? html`<i .style=${`bottom: ${Math.min(at, zero)}%; height: max(2px, ${Math.abs(at - zero)}%)`}></i>` : nothing}</a>`;
  };
  const width = (document.getElementById('view')?.clientWidth ?? 1000) - gutter - BESIDE_PX;
  const position = (/** @type {number} */ index) => ((index + 0.5) / days.length) * width;
  const ticks = uncut(roomFor(days.length, width, TICK_PX).map((at) => ({ at, text: days[at].slice(5) })), position, width, 10);
  return html`<figure class="days"><figcaption>${name}</figcaption><div class="plot" .style=${`margin-left: ${gutter}px`} role="group" aria-label="${said || page.query.name} by day">
      ${rungs.map(({ at, text }) => html`<span class="rung" .style=${`bottom: ${at}%`}></span><span class="label" .style=${`bottom: ${at}%; right: calc(100% + 6px)`}>${text}</span>`)}
      <div class="bars">${days.map(column)}</div></div>
    <div class="axis" aria-hidden="true" .style=${`margin-left: ${gutter}px`}>${ticks.map(({ at, text }) => html`<span class="tick" .style=${`left: ${(100 * (at + 0.5)) / days.length}%`}>${text}</span>`)}</div></figure>`;
}

/** @param {boolean} isGrouped */
function legend(isGrouped) {
  const marks = [['', 'complete'], ['stale', 'stale: events came since'], ['partial', 'partial: its replay left some out'], ['missing', 'no total']];
  return html`<ul class="legend days-legend" aria-label="Legend">${marks.map(([look, told_]) => html`<li><span class="day ${look}">${look === 'missing' ? nothing : html`<i></i>`}</span>${told_}</li>`)}</ul>
    <p class="quiet">${isGrouped ? 'Each group has a scale of its own. ' : ''}Choose a day to see its entities.</p>`;
}

/** @param {import('../main.js').Page} page @param {any[]} rows @param {boolean} isGrouped @param {any} metric */
function valueTable(page, rows, isGrouped, metric) {
  const trust = (/** @type {any} */ one) => {
    if (one.reason) return html`<span class="quiet">${one.reason}</span>`;
    const { complete, partial_because: why = [], arrived_since: since, arrived_since_counts: of } = one;
    const unknown = since === null && complete ? html`<div class="quiet">It is not known whether events came since.</div>` : nothing;
    return html`${complete ? badge('good', 'complete') : badge('warn', 'partial')} ${since ? badge(of ? 'warn' : 'bad', `${of ? 'perhaps ' : ''}stale: ${number(since)} came since`) : nothing}${of ? html`<div class="quiet">Counted: ${of}.</div>` : nothing}${complete ? nothing : html`<div class="quiet">${why.join(' ')}</div>`}${unknown}`;
  };
  const known = (/** @type {(one: any) => unknown} */ shown) => (/** @type {any} */ one) => (one.replay_id ? shown(one) : '');
  return table([
    ['day', (one) => (one.since ? html`<span class="on">${one.since}</span> to <span class="on">${one.day}</span>` : html`<a class="on" href=${there(page, one.day)}>${one.day}</a>`)],
    ['total', (one) => (one.all ? inGroups(one.all, isGrouped) : '–'), 'number exact'],
    ['contributed', known((one) => number(one.inputs)), 'number'], ['skipped', known((one) => number(one.skipped)), 'number'], ['versions', known((one) => number(one.versions)), 'number'],
    ['trust', trust],
    ['definition', known((one) => definitionLink(metric.name, one.definition_sha256, false, 8))],
    ['replay', known((one) => html`<a class="id" href=${address('/replay', { id: one.replay_id })} title=${one.replay_id}>${one.replay_id.slice(0, 18)}</a> ${whatIf(one.replay_id)}`)],
  ], rows);
}

/** The totals of a day, of the groups with most events. @param {Total[]} all @param {boolean} isGrouped */
function inGroups(all, isGrouped) {
  const having = all.filter(({ value, inputs }) => value !== null || inputs || all.length === 1).sort((one, other) => other.inputs - one.inputs);
  return html`${having.slice(0, IN_A_ROW).map((one) => valueLine(isGrouped ? inGroup(one) : nothing, one.value === null ? null : told(one.value)))}
    ${having.length > IN_A_ROW ? html`<div class="quiet">and ${counted(having.length - IN_A_ROW, 'group')} more</div>` : nothing}`;
}

/** The replays that together make the days whole. @param {any[]} replays */
function mending(replays) {
  if (!replays.length) return nothing;
  const name = (/** @type {any} */ { source, event_type: type, event_types: types, day, start_day: first, start_time: time }) => `${(types ?? [type]).join(', ')} of ${source} from ${day ?? first ?? time.slice(0, 10)}`;
  return html`<p class="note">Compute missing, partial and stale days with ${counted(replays.length, 'replay')}:
    ${replays.slice(0, REPLAYS).map((replay, index) => html`${index ? ', ' : ''}<a href=${address('/replay/new', queryOf(replay))}>${name(replay)}</a>`)}${replays.length > REPLAYS ? ' and more' : ''}.</p>`;
}

/** What each entity has of a day's total. @param {any} state */
export function entities({ entities: list, metric }) {
  const { name, definition: { time_zone: calendar } } = metric;
  const isGrouped = list.items.some((/** @type {Total} */ one) => Object.keys(one.group).length);
  if (!list.items.length) return list.isRead && !list.cursor ? empty('No entity has a value on this day.', 'A total is made of a complete replay by source and type.') : nothing;
  return table([
    ['entity', (one) => html`<a href=${address('/aggregates', { entity: one.entity_id, day: one.day, metric: name, calendar, to: one.replay_id })}>${one.entity_id}</a>`],
    ...(isGrouped ? [/** @type {[string, (one: any) => unknown]} */ (['group', inGroup])] : []),
    ['value', (one) => html`<strong>${one.value === null ? '–' : told(one.value)}</strong>`, 'number exact'],
    ['contributed', (one) => number(one.inputs), 'number'], ['skipped', (one) => number(one.skipped), 'number'],
  ], list.items);
}
