// The window that a view shows, as its address says it, and the controls that change it.

import { html, nothing } from '../parts.js';
import { address } from '../place.js';
import { DAY, HOUR, clock, isDay, rfc, startOf, written, zoneName } from '../times.js';

/** @typedef {{from: number, to: number}} Window */

const SHORTEST = 2;

/** The window in an address, if it says one. @param {import('../place.js').Query} query @returns {Window | null} */
export function windowIn(query) {
  if (isDay(query.day)) return dayWindow(query.day);
  // An address means the same to everybody, so a time in it is UTC unless it says otherwise.
  const from = written(query.from ?? '', true);
  const to = written(query.to ?? '', true);
  if (from === null || to === null) return null;
  return from < to ? { from, to } : { from: to, to: from + SHORTEST };
}

/** @param {string} day @returns {Window} */
export function dayWindow(day) {
  return { from: startOf(day), to: startOf(day) + DAY };
}

/** The same view in another window. @param {string} path @param {import('../place.js').Query} query @param {Window} window */
export function inWindow(path, query, { from, to }) {
  const { day: _, ...others } = query;
  const wide = Math.max(to, from + SHORTEST);
  const whole = wide - from === DAY && from % DAY === 0;
  return whole
    ? address(path, { ...others, from: '', to: '', day: rfc(from).slice(0, 10) })
    : address(path, { ...others, from: rfc(from), to: rfc(wide) });
}

/**
 * Fields for both ends, and steps.
 * @param {Window} window @param {(there: Window) => string} at the address of another window
 */
export function windowControls({ from, to }, at) {
  const span = to - from;
  const middle = (from + to) / 2;
  const around = (/** @type {number} */ wide) => at({ from: Math.round(middle - wide / 2), to: Math.round(middle + wide / 2) });
  const dayHere = Math.floor(middle / DAY) * DAY;
  return html`
    <label>from <input name="from" .value=${clock(from)} size="21" autocomplete="off" required></label>
    <label>to <input name="to" .value=${clock(to)} size="21" autocomplete="off" required></label>
    <span class="quiet zone">${zoneName()}</span>
    <button>Show</button>
    <span class="steps" role="group" aria-label="Move the window">
      <a class="button" href=${at({ from: from - span, to: to - span })} title="The window before">◀</a>
      <a class="button" href=${at({ from: from + span, to: to + span })} title="The window after">▶</a>
      <a class="button" href=${around(span * 2)} title="Twice as wide">−</a>
      <a class="button" href=${around(span / 2)} title="Half as wide">+</a>
      ${[['1h', HOUR], ['7d', 7 * DAY], ['30d', 30 * DAY]].map(([name, wide]) => html`<a class="button" href=${around(Number(wide))} aria-current=${span === wide ? 'true' : nothing}>${name}</a>`)}
      <a class="button" href=${at({ from: dayHere, to: dayHere + DAY })} aria-current=${span === DAY ? 'true' : nothing} title="The UTC day around the middle">day</a>
    </span>`;
}

/** The window that a form says; null where it says none. @param {Record<string, string>} form @returns {Window | null} */
export function windowOfForm(form) {
  const from = written(form.from);
  const to = written(form.to);
  return from === null || to === null || from >= to ? null : { from, to };
}
