// A source and type: a heat map of hours by days, and the events of one of its windows.

import { get, lines, look } from '../api.js';
import { empty, entityLink, failed, formOf, html, loading, nothing, number, ranked, short } from '../parts.js';
import { address } from '../place.js';
import { DAY, HOUR, dayAfter, dayOf, isDay, msOf, rfc, startOf } from '../times.js';
import { readSince } from '../fresh.js';
import { showEvents } from './events.js';
import { inWindow, windowControls, windowIn, windowOfForm } from './window.js';

const DAYS = 14;
const LEVELS = 5;

/** @param {import('../main.js').Page} page */
export async function type(page) {
  const { query, draw, go } = page;
  page.head = form(page, null);
  if (!query.source || !query.type) {
    draw(html`${form(page, null)}${loading('Looking which there are')}`);
    draw(html`${form(page, null)}${await choices(page)}`);
    return;
  }
  const window = windowIn(query);
  if (!window) {
    draw(html`${form(page, null)}${loading('Looking for its newest event')}`);
    const day = await newestDay(page);
    if (day) go(address('/type', { ...query, day }), { replace: true });
    else draw(html`${form(page, null)}${empty('There is no event of this source and type in the last 366 days.', 'Are both written as the producer writes them, and is this the right deployment? Of older ones, give a window.')}`);
    return;
  }
  const selection = { source: query.source, event_type: query.type };
  /** @type {any} */
  const heat = { picture: null, failure: null };
  const last = isDay(query.last) ? query.last : dayOf(window.to - 1);
  /** @type {import('./events.js').Subject} */
  const subject = { selection, window, head: form(page, window), redraw: () => {}, beside: (state) => html`${heatmap(page, heat, last, window)}${entities(state, window)}` };
  const events = showEvents(page, subject);
  const span = { start_time: rfc(startOf(dayAfter(last, 1 - DAYS))), end_time: rfc(startOf(dayAfter(last))) };
  await Promise.all([events, lines('/pictures', { ...selection, ...span, bin_ms: HOUR, since: readSince() }, page.signal, (line) => {
    heat.picture = line.picture ?? heat.picture;
    Object.assign(heat, { stopped: line.stopped, done: line.done, until: line.until ?? heat.until });
    subject.redraw?.();
  }).catch((failure) => {
    heat.failure = failure;
    subject.redraw?.();
  })]);
}

/** @param {import('../main.js').Page} page */
async function newestDay({ query, signal }) {
  const found = await get('/freshness', { source: query.source, event_type: query.type, look_back_days: 366 }, signal);
  return found.newest ? dayOf(msOf(found.newest.event_time)) : null;
}

/** @param {import('../main.js').Page} page */
async function choices({ signal }) {
  const { items, not_found: told } = await look('/sources', {}, signal);
  if (!items.length) return empty('Which source and type?', told || 'None were found; name them above.');
  return html`<section><h2>Of the newest events</h2><div class="scroll"><table class="list"><thead><tr><th>type</th><th>source</th></tr></thead><tbody>
    ${items.map((/** @type {any} */ one) => html`<tr><td><a href=${address('/type', { source: one.source, type: one.event_type })}>${one.event_type}</a></td><td>${one.source}</td></tr>`)}
  </tbody></table></div>${told ? html`<p class="quiet">There may be more: ${told}</p>` : nothing}</section>`;
}

/** @param {import('../main.js').Page} page @param {import('./window.js').Window | null} window */
function form(page, window) {
  const { query, go } = page;
  const submitted = (/** @type {SubmitEvent} */ event) => {
    const given = formOf(event);
    const same = given.source === query.source && given.type === query.type;
    if (!window || !same) go(address('/type', { source: given.source, type: given.type }));
    else {
      const chosen = windowOfForm(event);
      if (chosen) go(inWindow('/type', query, chosen));
    }
  };
  return html`<form class="where" @submit=${submitted}>
    <h1>Source and type</h1>
    <label>source <input name="source" value=${query.source ?? ''} size="24" required autocomplete="off" spellcheck="false"></label>
    <label>type <input name="type" value=${query.type ?? ''} size="20" required autocomplete="off" spellcheck="false"></label>
    ${window ? windowControls(window, (other) => inWindow('/type', query, other)) : html`<button>Show</button>`}
    ${window ? html`<span class="actions"><a class="button main replay" href=${address('/replay/new', { source: query.source, type: query.type, from: rfc(window.from), to: rfc(window.to) })}>Replay this window …</a></span>` : nothing}
  </form>`;
}

/** @param {import('../main.js').Page} page @param {any} heat @param {string} last @param {import('./window.js').Window} window */
function heatmap(page, heat, last, window) {
  const first = dayAfter(last, 1 - DAYS);
  const to = (/** @type {string} */ day) => address('/type', { ...page.query, last: day });
  return html`<section aria-labelledby="heat-title"><div class="split"><h2 id="heat-title">Hours by days, UTC</h2>
    <span class="steps"><a class="button" href=${to(dayAfter(last, -DAYS))} title="Two weeks before">◀</a><span class="button">${first} to ${last}</span><a class="button" href=${to(dayAfter(last, DAYS))} title="Two weeks after">▶</a></span></div>
    ${heat.failure ? failed(heat.failure) : nothing}
    ${heat.picture ? heatTable(page, heat, last, window) : heat.failure ? nothing : loading('Reading two weeks')}</section>`;
}

/** @param {import('../main.js').Page} page @param {any} heat @param {string} last @param {import('./window.js').Window} window */
function heatTable({ query }, { picture, stopped, done, until }, last, window) {
  const { all, late, first, width } = picture.bins;
  const most = Math.max(1, ...all);
  const days = Array.from({ length: DAYS }, (_, index) => dayAfter(last, index + 1 - DAYS));
  const cell = (/** @type {string} */ day, /** @type {number} */ hour) => {
    const from = startOf(day) + hour * HOUR;
    const index = (from - first) / width;
    const count = all[index] ?? 0;
    const unread = (!done || stopped) && !!until && from > msOf(until);
    const name = `${day} ${String(hour).padStart(2, '0')}:00, ${number(count)} events${late[index] ? `, ${number(late[index])} late` : ''}`;
    if (unread) return html`<td class="unread"><span title="${day} ${String(hour).padStart(2, '0')}:00, not read yet" aria-label="not read yet" role="img"></span></td>`;
    if (!count) return html`<td><span title=${name} aria-label=${name} role="img"></span></td>`;
    const level = Math.max(1, Math.ceil((LEVELS * Math.log1p(count)) / Math.log1p(most)));
    return html`<td><a class="h${level} ${late[index] ? 'lately' : ''}" title=${name} aria-label=${name} href=${inWindow('/type', { ...query, last }, { from, to: from + HOUR })}>${short(count)}</a></td>`;
  };
  return html`${stopped ? html`<p class="note">There are more events than are read; the last of these days are incomplete.</p>` : nothing}<div class="scroll"><table class="heat"><thead><tr><th>day</th>${Array.from({ length: 24 }, (_, hour) => html`<th scope="col">${String(hour).padStart(2, '0')}</th>`)}</tr></thead><tbody>
    ${days.map((day) => html`<tr><th scope="row"><a href=${address('/type', { source: query.source, type: query.type, day, last })} aria-current=${window.from === startOf(day) && window.to - window.from === DAY ? 'true' : nothing}>${day}</a></th>${Array.from({ length: 24 }, (_, hour) => cell(day, hour))}</tr>`)}
  </tbody></table></div><p class="quiet">${done ? nothing : html`<progress></progress> Still reading: hatched hours are not read yet. `}Darker is more; an orange foot means that some came late. Choose a day or an hour.</p>`;
}

/** @param {any} state @param {import('./window.js').Window} window */
function entities({ picture }, window) {
  if (!picture?.entities.length) return nothing;
  const bounds = window.to - window.from === DAY ? { day: dayOf(window.from) } : { from: rfc(window.from), to: rfc(window.to) };
  const rows = picture.entities.slice(0, 12).map((/** @type {any} */ [id, count]) => [entityLink(id, bounds), count]);
  const rest = picture.entities_in_all - rows.length;
  return html`<section aria-label="Entities">${ranked(rows, 'By entity')}${rest > 0 ? html`<p class="quiet">and ${number(rest)} more entities</p>` : nothing}</section>`;
}
