// The fields of a replay, and the request that they mean. Both are in the address, so that a replay can be handed round.

import { html, nothing } from '../parts.js';
import { address } from '../place.js';
import { DAY, calendarDay, clock, rfc, startOf, written, zone, zoneName } from '../times.js';

/** What a replay may leave out, as the API takes it. @type {Record<string, string>} */
const ONLY = { '': 'no: everything', unprocessed: 'not processed by its consumer', not_sent_to: 'never sent to the destination' };

/** Names as a field holds them: with commas, or as JSON where a name has one itself. @param {string[]} names */
export function listed(names) {
  const text = names.join(',');
  return names.join('\n') === list(text).join('\n') ? text : JSON.stringify(names);
}

/** @param {string | undefined} text @returns {string[]} */
function list(text = '') {
  try {
    const found = JSON.parse(text);
    if (Array.isArray(found)) return found.map(String);
  } catch {
    // Not JSON, then: names with commas.
  }
  return text.split(',').map((one) => one.trim()).filter(Boolean);
}

/** A number; what is none stays as it is written, so that the API refuses it and names the field. @param {string} text */
const numeric = (text) => (/^\d+(\.\d+)?$/.test(text.trim()) ? Number(text) : text);
/** A yes; what is neither yes nor no stays as it is written, likewise. @param {string | undefined} text */
const yes = (text) => (text === 'true' ? true : text === 'false' ? '' : text);
/** What only nanoseconds tell is not cut off, or the last event before the end would be left out. @param {string} text */
const isFiner = (text) => /\.\d{3}\d*[1-9]/.test(text);
const time = (/** @type {string} */ text, utc = true) => {
  const ms = isFiner(text) ? null : written(text, utc);
  return ms === null ? text : rfc(ms);
};

/** Whether it names two things to replay, or two times, of which one would be left out. @param {import('../place.js').Query} query */
export function isTwofold(query) {
  const days = query.start_day || query.end_day;
  const ofEntity = query.entity && (query.source || query.type || query.types || days);
  return !!(ofEntity || (days && (query.from || query.to)) || (query.type && query.types));
}

/** What a form says, with times that mean the same to everybody. @param {Record<string, string>} form */
export function agreed(form) {
  const shown = zone() === 'utc';
  return { ...form, from: form.from && time(form.from, shown), to: form.to && time(form.to, shown) };
}

/**
 * The request as the API takes it; null where too little is said, or two things at once.
 * @param {import('../place.js').Query} query @returns {Record<string, any> | null}
 */
export function requestOf(query) {
  if (isTwofold(query)) return null;
  const types = query.types ? { event_types: list(query.types) } : { event_type: query.type };
  const subject = query.entity ? { entity_id: query.entity } : { source: query.source, ...types };
  const when = query.start_day
    ? { start_day: query.start_day, end_day: query.end_day || query.start_day }
    : { start_time: time(query.from ?? ''), end_time: time(query.to ?? '') };
  if (Object.values({ ...subject, ...when }).some((value) => !value)) return null;
  const include = criteria(query, 'include');
  const exclude = criteria(query, 'exclude');
  return {
    ...subject,
    ...when,
    ...(include ? { include } : {}),
    ...(exclude ? { exclude } : {}),
    ...(query.max_messages ? { max_messages: numeric(query.max_messages) } : {}),
    ...(query.rate ? { rate: numeric(query.rate) } : {}),
    ...(yes(query.whole_days) ? { whole_days: yes(query.whole_days) } : {}),
    ...(yes(query.include_duplicates) ? { include_duplicates: yes(query.include_duplicates) } : {}),
    ...(query.destination ? { destination: query.destination } : {}),
    ...(query.only ? { only: query.only } : {}),
    ...(query.of ? { of: query.of } : {}),
    ...(query.metrics ? { metrics: list(query.metrics) } : {}),
    ...(query.reason ? { reason: query.reason } : {}),
  };
}

/** The other way round: the form of an earlier request, to be changed or sent again. @param {any} request */
export function queryOf(request) {
  const { entity_id: entity, start_time: from, end_time: to, source, event_type: type, day, rate, max_messages, destination, only, of: ofReplay, metrics, reason } = request;
  const of = (/** @type {string} */ which) => {
    const { sources = [], event_types: types = [], event_ids: events = [], min_lag_ms: lag } = request[which] ?? {};
    return { [`${which}_sources`]: listed(sources), [`${which}_types`]: listed(types), [`${which}_events`]: listed(events), [`${which}_lag_ms`]: lag };
  };
  return {
    entity, from, to, source, type, types: listed(request.event_types ?? []), start_day: day ?? request.start_day, end_day: day ?? request.end_day, rate, max_messages, destination, only, of: ofReplay, reason,
    // None is not all.
    metrics: metrics && (metrics.length ? listed(metrics) : '[]'),
    whole_days: request.whole_days && 'true', include_duplicates: request.include_duplicates && 'true', ...of('include'), ...of('exclude'),
  };
}

/** The form of a replay of what another one left. @param {any} request @param {string} of */
export function replayOfRest(request, of) {
  const { entity_id, start_time, end_time, source, event_type, event_types, day, start_day, end_day, destination } = request;
  return address('/replay/new', queryOf({ entity_id, start_time, end_time, source, event_type, event_types, day, start_day, end_day, destination, only: 'unprocessed', of }));
}

/** The form of a replay of an entity's day, of UTC unless a time zone is given; with metrics, it computes only these. @param {import('../place.js').Query} query */
export function replayOfDay({ entity, day, calendar, metrics }) {
  const { from, to } = calendar && calendar !== 'UTC' ? calendarDay(calendar, day) : { from: startOf(day), to: startOf(day) + DAY };
  return address('/replay/new', { entity, from: rfc(from), to: rfc(to), metrics });
}

/** @param {import('../place.js').Query} query @param {'include' | 'exclude'} which */
function criteria(query, which) {
  const sources = list(query[`${which}_sources`]);
  const types = list(query[`${which}_types`]);
  const events = list(query[`${which}_events`]);
  const lag = query[`${which}_lag_ms`];
  const found = {
    ...(sources.length ? { sources } : {}),
    ...(types.length ? { event_types: types } : {}),
    ...(events.length ? { event_ids: events } : {}),
    ...(lag ? { min_lag_ms: numeric(lag) } : {}),
  };
  return Object.keys(found).length ? found : null;
}

/** @param {string} name @param {string} label @param {string} current @param {Record<string, string>} names what each value is called */
function choice(name, label, current, names) {
  return html`<label>${label}<select name=${name}>${Object.entries(names).map(([value, told]) => html`<option value=${value} ?selected=${value === current}>${told}</option>`)}</select></label>`;
}

/**
 * @typedef {{name: string, kind: string, built_in: boolean, ordered: boolean, reports: boolean}} Destination
 * Where it may go, as choices: the built-in one unless another is named. @param {Destination[]} declared @param {string} current @returns {Record<string, string>}
 */
export function destinations(declared, current) {
  const told = (/** @type {Destination} */ { name, kind, ordered, reports }) => `${name}: ${[kind, ordered && 'in order', reports && 'reports outcomes'].filter(Boolean).join(', ')}`;
  const known = Object.fromEntries(declared.map((one) => [one.built_in ? '' : one.name, one.built_in ? `${one.name}: computed by Retrace` : told(one)]));
  const value = declared.some(({ name, built_in: own }) => own && name === current) ? '' : current;
  return value in known ? known : { [value]: value ? `${value}: not declared` : 'choose one', ...known };
}

/** @param {import('../place.js').Query} query @param {Destination[] | null} [declared] destinations, null if they are not known */
export function fields(query, declared = null) {
  // An address is in UTC; a field is in the zone that is shown, as that is how it is read.
  const shown = (/** @type {string} */ name) => {
    const given = query[name] ?? '';
    const ms = (name === 'from' || name === 'to') && !isFiner(given) ? written(given, true) : null;
    return ms === null ? given : clock(ms);
  };
  const text = (/** @type {string} */ name, /** @type {string} */ label, /** @type {string} */ hint = '') => html`<label>${label}
    <input name=${name} value=${shown(name)} placeholder=${hint || nothing} autocomplete="off" spellcheck="false"></label>`;
  const check = (/** @type {string} */ name, /** @type {string} */ label) => html`<label class="check"><input type="checkbox" name=${name} value="true" ?checked=${query[name] === 'true'}> ${label}</label>`;
  const filtered = Object.keys(query).some((name) => name.startsWith('include_') || name.startsWith('exclude_'));
  return html`<h2 class="minor">Of an entity, or of a source and type</h2>
    <div class="fields">${text('entity', 'entity')}${text('source', 'source')}${text('type', 'type')}${text('types', 'or types, with commas')}</div>
    <h2 class="minor">In a window (${zoneName()}, unless a time says otherwise), or a source and type on UTC days</h2>
    <div class="fields">${text('from', 'from', '2025-11-28 10:00')}${text('to', 'to, excluded', '2025-11-28 12:00')}${text('start_day', 'first day', '2025-11-28')}${text('end_day', 'last day, included')}</div>
    <h2 class="minor">How</h2>
    <div class="fields">${text('reason', 'reason, shown in the list of replays')}${text('rate', 'messages a second, at most')}${text('max_messages', 'messages in all, at most')}
      ${declared ? choice('destination', 'destination', declared.some((one) => one.built_in && one.name === query.destination) ? '' : query.destination ?? '', destinations(declared, query.destination ?? '')) : text('destination', 'destination', 'aggregates')}${text('metrics', 'only these metrics, with commas', 'all active ones')}
      ${choice('only', 'only what is missing', query.only ?? '', ONLY)}${text('of', 'unprocessed of this replay')}
      ${check('whole_days', 'whole days of each entity, so that aggregates are complete')}${check('include_duplicates', 'again for each repeated arrival')}</div>
    <details ?open=${filtered}><summary>Filters</summary>
      <div class="fields">${text('include_sources', 'only sources, with commas')}${text('include_types', 'only types')}${text('include_events', 'only event ids')}${text('include_lag_ms', 'only later than (ms)')}
      ${text('exclude_sources', 'without sources')}${text('exclude_types', 'without types')}${text('exclude_events', 'without event ids')}${text('exclude_lag_ms', 'without later than (ms)')}</div></details>`;
}
