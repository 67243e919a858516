// A heat map of a window: a row for each UTC day, a cell for each hour.

import { html, nothing, number, short } from '../parts.js';
import { address } from '../place.js';
import { DAY, HOUR, dayOf, msOf, startOf } from '../times.js';
import { inWindow } from './window.js';

const LEVELS = 5;
const HOURS = Array.from({ length: 24 }, (_, hour) => hour);
const two = (/** @type {number} */ hour) => String(hour).padStart(2, '0');

/** @param {import('../place.js').Query} query @param {any} state @param {import('./window.js').Window} window */
export function heatmap(query, state, window) {
  const { picture, stopped, done } = state;
  if (!picture?.hours) return nothing;
  return html`<section aria-labelledby="heat-title"><h2 id="heat-title">Hours by days, UTC</h2>
    ${stopped ? html`<p class="note">The window has more events than the console reads. Narrow it to see the hatched hours.</p>` : nothing}
    <div class="scroll">${table(query, state, window)}</div>
    <p class="quiet">${done ? nothing : html`<progress></progress> Hatched hours are not read yet. `}Darker is more. An orange foot means that some came late. Choose a day or an hour.</p></section>`;
}

/** @param {import('../place.js').Query} query @param {any} state @param {import('./window.js').Window} window */
function table(query, { picture, stopped, done, until }, window) {
  const { all, late, first } = picture.hours;
  const most = Math.max(1, ...all);
  const begin = startOf(dayOf(window.from));
  const days = Array.from({ length: Math.ceil((window.to - begin) / DAY) }, (_, index) => begin + index * DAY);
  const cell = (/** @type {number} */ from) => {
    const index = (from - first) / HOUR;
    const when = `${dayOf(from)} ${two((from % DAY) / HOUR)}:00`;
    const other = from + HOUR <= window.from || from >= window.to ? ['outside', 'not in the window'] : from > Date.now() ? ['future', 'has not come yet']
      : (!done || stopped) && until && from > msOf(until) ? ['unread', 'not read yet'] : null;
    if (other) return html`<td class=${other[0]}><span data-tip="${when}, ${other[1]}" aria-label="${when}, ${other[1]}" role="img"></span></td>`;
    const count = all[index] ?? 0;
    const name = `${when}, ${number(count)} events${late[index] ? `, ${number(late[index])} late` : ''}`;
    if (!count) return html`<td><span data-tip=${name} aria-label=${name} role="img"></span></td>`;
    const level = Math.max(1, Math.ceil((LEVELS * Math.log1p(count)) / Math.log1p(most)));
    return html`<td><a class="h${level} ${late[index] ? 'lately' : ''}" data-tip=${name} aria-label=${name} href=${inWindow('/type', query, { from, to: from + HOUR })}>${short(count)}</a></td>`;
  };
  const isShown = (/** @type {number} */ day) => window.from === day && window.to - window.from === DAY;
  const row = (/** @type {number} */ day) => html`<tr><th scope="row"><a href=${address('/type', { source: query.source, type: query.type, day: dayOf(day) })} aria-current=${isShown(day) ? 'true' : nothing}>${dayOf(day)}</a></th>${HOURS.map((hour) => cell(day + hour * HOUR))}</tr>`;
  return html`<table class="heat"><thead><tr><th>day</th>${HOURS.map((hour) => html`<th scope="col">${two(hour)}</th>`)}</tr></thead><tbody>${days.map(row)}</tbody></table>`;
}
