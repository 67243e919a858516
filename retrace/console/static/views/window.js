// The window that a view shows, as its address says it, and the controls that change it.

import { html, nothing } from '../parts.js';
import { address } from '../place.js';
import { DAY, HOUR, clock, isDay, rfc, startOf, written, zoneName } from '../times.js';

/** @typedef {{from: number, to: number}} Window */

const SHORTEST = 2;
/** The API takes years of four digits. */
const FIRST = Date.parse('0001-01-01T00:00:00Z');
const LAST = Date.parse('9999-12-31T23:59:59.999Z');
const within = (/** @type {number} */ ms) => Math.min(LAST, Math.max(FIRST, ms));

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
  return { from: startOf(day), to: within(startOf(day) + DAY) };
}

/** The same view in another window. @param {string} path @param {import('../place.js').Query} query @param {Window} window */
export function inWindow(path, query, window) {
  const { day: _, ...others } = query;
  const from = Math.min(within(window.from), LAST - SHORTEST);
  const wide = within(Math.max(window.to, from + SHORTEST));
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
    <label>from <input name="from" value=${clock(from)} @input=${forgive} size="21" autocomplete="off" required></label>
    <label>to <input name="to" value=${clock(to)} @input=${forgive} size="21" autocomplete="off" required></label>
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

const NO_TIME = 'This is no time such as 2025-11-28 17:00.';

/** What is wrong with the ends of a window, and with which; null if nothing is. @param {string} from @param {string} to @returns {['from' | 'to', string] | null} */
export function wrongEnd(from, to) {
  const [start, end] = [written(from), written(to)];
  if (start === null) return ['from', NO_TIME];
  if (end === null) return ['to', NO_TIME];
  return start < end ? null : ['to', 'This has to lie after “from”.'];
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
function forgive({ target }) {
  const form = /** @type {HTMLInputElement} */ (target).form;
  form?.querySelectorAll('input').forEach((field) => field.setCustomValidity(''));
}
