// What is read of a day's versions: the versions, the metrics there are, a difference page by page, and why there is nothing.

import { get } from '../api.js';
import { address } from '../place.js';
import { calendarDay, rfc } from '../times.js';
import { absenceOf } from './absent.js';
import { contributionsOf } from './contributions.js';
import { joined } from './difference.js';
import { UTC, everyMetric, leftOut } from './measures.js';
import { chosenOf, measured } from './versions.js';

const LISTED = 1000;
const VERSIONS = 100;
/** Metrics that change by what each event contributes. */
const ADDING_UP = ['count', 'sum'];

/** What a difference is of. @param {any} state */
export const keyOf = ({ choice, chosen }) => JSON.stringify([choice.name, chosen]);

/** What a list of contributions is of. @param {any} state @param {import('../place.js').Query} query */
export const listKeyOf = ({ choice, chosen }, { list }) => JSON.stringify([choice.name, chosen?.to, list]);

/** @param {import('./versions.js').Chosen} chosen */
const comparable = (chosen) => (chosen.to ? chosen : null);

/** Take over what was read at another address of the same day, as far as it is the same. @param {import('../main.js').Page} page @param {any} state @param {any} kept @param {() => void} redraw */
export function restore(page, state, kept, redraw) {
  const { query } = page;
  Object.assign(state, kept.read);
  state.chosen = comparable(chosenOf(state.known.versions, query, state.choice.name));
  if (kept.key === keyOf(state)) state.difference = kept.found;
  if (!kept.contributions?.isRead || kept.listKey !== listKeyOf(state, query)) return;
  const { items, cursor, isPart } = kept.contributions;
  state.contributions = Object.assign(contributionsOf(page, state, redraw), { items, cursor, isPart, isRead: true });
}

/** @param {import('../main.js').Page} page @param {any} state */
export async function listMetrics({ signal }, state) {
  // Without them a day is shown all the same, with the metrics that its versions have.
  state.metrics ??= await everyMetric(signal).catch((failure) => { state.unlistedMetrics = failure; return []; });
}

/** Compare on from where the last page ended. @param {import('../main.js').Page} page @param {any} state @param {() => void} redraw */
export async function compareMore(page, state, redraw) {
  Object.assign(state, { reading: true, unread: null });
  redraw();
  try {
    state.difference = joined(state.difference, await nextPage(page, state));
  } catch (failure) {
    state.unread = failure;
  }
  state.reading = false;
  redraw();
}

/** @param {import('../main.js').Page} page @param {any} state */
function nextPage({ query, signal }, { chosen, choice, metrics, known, difference: found }) {
  const asked = { entity_id: query.entity, day: query.day, ...calendarOf(choice), from: chosen.from, to: chosen.to, limit: LISTED, cursor: found?.cursor };
  return get('/aggregates/diff', { ...asked, metric: addsUp(choice, metrics, known, chosen) ? choice.name : '' }, signal);
}

/** Whether a difference is the sum of what events contribute; of a definition that is not known the API says so. @param {any} choice @param {any[]} metrics @param {any} known @param {any} chosen */
function addsUp({ name }, metrics, known, chosen) {
  if (!name) return false;
  const [from, to] = [chosen.from, chosen.to].map((id) => known.versions.find((/** @type {any} */ one) => one.replay_id === id));
  const isMissing = [from, to].some((version) => version && !measured(version, name).length);
  const extremes = [from, to].flatMap((version) => (version ? measured(version, name) : [])).some((one) => 'event_id' in one || 'sum' in one);
  const definition = metrics.find((one) => one.name === name)?.definition;
  return !isMissing && !extremes && (!definition || ADDING_UP.includes(definition.aggregate));
}

/** @param {import('./measures.js').Choice} choice */
const calendarOf = ({ calendar }) => (calendar === UTC ? {} : { calendar });

/** List older versions as well. @param {import('../main.js').Page} page @param {any} state @param {() => void} redraw */
export async function listOlder({ query, signal }, state, redraw) {
  state.unlisted = null;
  try {
    const older = await get('/aggregates', { entity_id: query.entity, day: query.day, ...calendarOf(state.choice), limit: VERSIONS, cursor: state.known.cursor }, signal);
    Object.assign(state.known, { versions: [...state.known.versions, ...older.versions], cursor: older.cursor });
  } catch (failure) {
    state.unlisted = failure;
  }
  redraw();
}

/** @param {import('../main.js').Page} page @param {any} state @param {() => void} redraw */
export async function read(page, state, redraw) {
  const { query: { entity: entity_id, day }, query, signal, go } = page;
  const { choice } = state;
  try {
    const listing = listMetrics(page, state);
    if (query.metric && !query.calendar) await listing;
    const calendar = leftOut(query, state.metrics ?? []);
    if (calendar) {
      go(address('/aggregates', { ...query, calendar }), { replace: true });
      return;
    }
    state.known ??= await get('/aggregates', { entity_id, day, ...calendarOf(choice), limit: VERSIONS }, signal);
    await listing;
    if (signal.aborted) return;
    if (!state.known.versions.length) {
      state.absence = await emptiness(query, choice, signal);
      return;
    }
    const { from, to } = chosenOf(state.known.versions, query, choice.name);
    // An address without versions would be of others once there is a newer one.
    if (from && (from !== query.from || to !== query.to)) {
      state.choose({ from, to }, true);
      return;
    }
    state.chosen = { from, to };
    state.contributions ??= choice.name && to ? contributionsOf(page, state, redraw) : null;
    const list = state.contributions;
    redraw();
    if (from && from !== to) state.difference ??= await nextPage(page, state).catch((failure) => { state.failure = failure; return null; });
    redraw();
    const version = state.known.versions.find((/** @type {any} */ one) => one.replay_id === to);
    if (list && !list.isRead && version && measured(version, choice.name).length) await list.more();
  } catch (failure) {
    state.failure = failure;
  } finally {
    redraw();
  }
}

/** Why a day has no versions: null if it has events that were not replayed yet. @param {import('../place.js').Query} query @param {import('./measures.js').Choice} choice @param {AbortSignal} signal */
async function emptiness({ entity, day }, { calendar }, signal) {
  const { from, to } = calendarDay(calendar, day);
  const when = calendar === UTC ? { day } : { start_time: rfc(from), end_time: rfc(to) };
  const { items } = await get('/events', { entity_id: entity, ...when, limit: 1 }, signal);
  return items.length ? null : absenceOf(entity, signal);
}
