// The picker of times that all views share: the last hours, a day, or two times; and steps from there.

import { html, nothing } from './parts.js';
import { address } from './place.js';
import { DAY, clock, dayOf, isDay, minute, zoneName } from './times.js';
import { dayWindow, forgive, inWindow, lastOf, windowIn, windowOfForm } from './views/window.js';

/** @typedef {{path: string, query: import('./place.js').Query}} Here */

/** What a view's window is of, and which it shows unless its address says another. @type {Record<string, {of: string, last?: string}>} */
const VIEWS = {
  '/': { of: 'event time', last: '24h' },
  '/entity': { of: 'event time' },
  '/type': { of: 'event time' },
  '/replays': { of: 'requested' },
  '/aggregates': { of: 'UTC day' },
  '/metrics': { of: 'days', last: '30d' },
  '/quarantine': { of: 'received', last: '24h' },
};
/** Two times, which a narrow screen shows only if they are wanted. */
const OTHER = '?';
const LAST = ['15min', '1h', '3h', '6h', '24h', '3d', '7d', '30d'];

/** The window of a view. @param {Here} here @param {number} [now] */
export function windowOf({ path, query }, now) {
  return windowIn(query, now) ?? windowIn({ last: VIEWS[path]?.last ?? '' }, now);
}

/** Whether a view shows what happens now, so that it goes on. @param {Here} here */
export function isLive({ path, query }) {
  return !!lastOf(query.last) || (!windowIn(query) && !!VIEWS[path]?.last);
}

/** @param {Here} here @param {(to: string) => void} go */
export function picker(here, go) {
  const view = VIEWS[here.path];
  const isList = here.path === '/metrics' && !here.query.name;
  if (!view || isList || (here.query.id && here.path === '/quarantine')) return nothing;
  const window = windowOf(here);
  const byDay = here.path === '/aggregates';
  const submitted = (/** @type {SubmitEvent} */ event) => {
    event.preventDefault();
    const chosen = windowOfForm(event);
    if (chosen) go(inWindow(here.path, here.query, chosen));
  };
  return html`<form class="window" aria-label="Time" @submit=${submitted}>
    ${steps(here, window, byDay)}
    <select aria-label="Window" @change=${(/** @type {any} */ { target }) => chosen(target, here, go)}>${choices(here, window, byDay)}</select>
    ${byDay ? nothing : html`<span class="ends"><label>from <input name="from" .defaultValue=${window ? clock(window.from) : ''} @input=${forgive} size="19" autocomplete="off" required></label>
    <label>to <input name="to" .defaultValue=${window ? clock(window.to) : ''} @input=${forgive} size="19" autocomplete="off" required></label><button>Go</button></span>`}
    <span class="quiet">${byDay ? (here.query.calendar ?? 'UTC') === 'UTC' ? view.of : `day in ${here.query.calendar}` : `${view.of}, ${zoneName()}`}</span></form>`;
}

/** @param {Here} here @param {import('./views/window.js').Window | null} window @param {boolean} byDay */
function steps({ path, query }, window, byDay) {
  if (!window) return nothing;
  const { from, to: end } = window;
  const span = end - from;
  const at = (/** @type {number} */ start, /** @type {number} */ stop) => inWindow(path, query, { from: Math.round(start), to: Math.round(stop) });
  return html`<span class="steps" role="group" aria-label="Earlier, later, wider, closer">
    <a class="button" href=${at(from - span, end - span)} title="Earlier" aria-label="Earlier">◀</a><a class="button" href=${at(from + span, end + span)} title="Later" aria-label="Later">▶</a>
    ${byDay ? nothing : html`<a class="button" href=${at(from - span / 2, end + span / 2)} title="Twice as wide" aria-label="Wider">−</a><a class="button" href=${at(from + span / 4, end - span / 4)} title="Half as wide" aria-label="Closer">+</a>`}</span>`;
}

/** @param {HTMLSelectElement} target @param {Here} here @param {(to: string) => void} go */
function chosen({ form, value }, here, go) {
  form?.classList.toggle('open', value === OTHER);
  if (value === OTHER) /** @type {HTMLInputElement} */ (form?.elements.namedItem('from')).focus();
  else go(to(here, value));
}

/** The address of a choice. @param {Here} here @param {string} chosen */
function to({ path, query }, chosen) {
  const { from: _, to: __, day: ___, last: ____, ...others } = query;
  // The versions that an address of aggregates names are of its day.
  const { entity, metric, calendar } = query;
  const kept = path === '/aggregates' ? { entity, metric, calendar } : others;
  return address(path, { ...kept, ...(isDay(chosen) ? { day: chosen } : { last: chosen }) });
}

/** @param {Here} here @param {import('./views/window.js').Window | null} window @param {boolean} byDay */
function choices({ path, query }, window, byDay) {
  const [today, yesterday] = [dayOf(Date.now()), dayOf(Date.now() - DAY)];
  const days = [[today, `today, ${today}`], [yesterday, `yesterday, ${yesterday}`]];
  const known = [...(byDay ? [] : LAST.map((last) => [last, spoken(last)])), ...days];
  const current = lastOf(query.last) ? query.last : isDay(query.day) ? query.day : windowIn(query) ? '-' : VIEWS[path].last ?? '';
  const own = known.some(([value]) => value === current) ? [] : [[current, current ? told(window, query) : 'all']];
  const other = byDay ? [] : [[OTHER, 'other times …']];
  return [...own, ...known, ...other].map(([value, name]) => html`<option value=${value} ?selected=${value === current} .selected=${value === current}>${name}</option>`);
}

/** @param {string} last */
const spoken = (last) => `last ${last.replace(/[a-z]+$/, ' $&')}`;

/** @param {import('./views/window.js').Window | null} window @param {import('./place.js').Query} query */
function told(window, query) {
  if (lastOf(query.last)) return spoken(query.last);
  if (!window) return '';
  const whole = window.from % DAY === 0 && window.to === dayWindow(dayOf(window.from)).to;
  if (whole || isDay(query.day)) return dayOf(window.from);
  const [from, end] = [minute(window.from), minute(window.to)];
  return `${from} – ${end.slice([10, 5].find((same) => from.slice(0, same) === end.slice(0, same)) ?? 0).replace(/^[- ]/, '')}`;
}
