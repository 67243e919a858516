// The window that a view shows, as its address says it: a UTC day, two times, or the last hours.

import { address } from '../place.js';
import { DAY, HOUR, MINUTE, dayOf, isDay, rfc, startOf, written } from '../times.js';

/** @typedef {{from: number, to: number}} Window */

const SHORTEST = 2;
/** The API takes years of four digits. */
const FIRST = Date.parse('0001-01-01T00:00:00Z');
const LAST = Date.parse('9999-12-31T23:59:59.999Z');
const within = (/** @type {number} */ ms) => Math.min(LAST, Math.max(FIRST, ms));

const UNITS = /** @type {Record<string, number>} */ ({ min: MINUTE, h: HOUR, d: DAY });

/** How long “last 3 h” is, as an address says it: 3h. @param {string | undefined} text @returns {number | null} */
export function lastOf(text) {
  const [, count, unit] = /^([1-9]\d{0,3})(min|h|d)$/.exec(text ?? '') ?? [];
  return count ? Number(count) * UNITS[unit] : null;
}

/** The window in an address, if it says one. @param {import('../place.js').Query} query @param {number} [now] @returns {Window | null} */
export function windowIn(query, now = Date.now()) {
  const last = lastOf(query.last);
  const second = Math.ceil(now / 1000) * 1000;
  if (last !== null) return { from: second - last, to: second };
  if (isDay(query.day)) return dayWindow(query.day);
  // An address means the same to everybody, so a time in it is UTC unless it says otherwise.
  const from = written(query.from ?? '', true);
  const to = written(query.to ?? '', true);
  if (from === null || to === null) return null;
  return from < to ? { from, to } : { from: to, to: from + SHORTEST };
}

/** The window of one view as another takes it: aggregates are of a UTC day. @param {string} path @param {import('../place.js').Query} query */
export function carried(path, query) {
  const window = windowIn(query);
  if (!window) return {};
  if (path === '/aggregates') return { day: dayOf(window.to - 1) };
  return lastOf(query.last) ? { last: query.last } : isDay(query.day) ? { day: query.day } : { from: rfc(window.from), to: rfc(window.to) };
}

/** Another view of the same window. @param {string} path @param {import('../place.js').Query} query */
export function inSameWindow(path, query) {
  return address(path, carried(path, query));
}

/** @param {string} day @returns {Window} */
export function dayWindow(day) {
  return { from: startOf(day), to: within(startOf(day) + DAY) };
}

/** The same view in another window. @param {string} path @param {import('../place.js').Query} query @param {Window} window */
export function inWindow(path, query, window) {
  const { day: _, last: __, ...others } = query;
  const from = Math.min(within(window.from), LAST - SHORTEST);
  const wide = within(Math.max(window.to, from + SHORTEST));
  const whole = wide - from === DAY && from % DAY === 0;
  return whole
    ? address(path, { ...others, from: '', to: '', day: rfc(from).slice(0, 10) })
    : address(path, { ...others, from: rfc(from), to: rfc(wide) });
}

const NO_TIME = 'Write a time such as 2025-11-28 17:00.';

/** What is wrong with the ends of a window, and with which; null if nothing is. @param {string} from @param {string} to @returns {['from' | 'to', string] | null} */
export function wrongEnd(from, to) {
  const [start, end] = [written(from), written(to)];
  if (start === null) return ['from', NO_TIME];
  if (end === null) return ['to', NO_TIME];
  return start < end ? null : ['to', 'Give a time after “from”.'];
}

/** The window that a submitted form says; null where it says none, and the field that is at fault then says so. @param {SubmitEvent} event @returns {Window | null} */
export function windowOfForm({ target }) {
  const form = /** @type {HTMLFormElement} */ (target);
  const field = (/** @type {string} */ name) => /** @type {HTMLInputElement} */ (form.elements.namedItem(name));
  const [from, to] = [field('from').value, field('to').value];
  const wrong = wrongEnd(from, to);
  if (!wrong) return { from: Number(written(from)), to: Number(written(to)) };
  field(wrong[0]).setCustomValidity(wrong[1]);
  form.reportValidity();
  return null;
}

/** A field that was at fault may be right by now. @param {InputEvent} event */
export function forgive({ target }) {
  const form = /** @type {HTMLInputElement} */ (target).form;
  form?.querySelectorAll('input').forEach((field) => field.setCustomValidity(''));
}
