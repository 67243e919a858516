// A source and type in a window: its events, a heat map of hours by days, and its entities.

import { get } from '../api.js';
import { empty, entityLink, formOf, html, loading, nothing, number, ranked, table } from '../parts.js';
import { address } from '../place.js';
import { DAY, dayOf, msOf, rfc } from '../times.js';
import { showEvents } from './events.js';
import { heatmap } from './heat.js';
import { fits } from './matrix.js';
import { sources } from './sources.js';
import { carried, windowIn } from './window.js';

/** @param {import('../main.js').Page} page */
export async function type(page) {
  const { query, draw, go } = page;
  page.head = form(page, null);
  if (!query.source || !query.type) {
    draw(html`${form(page, null)}${loading('Looking which sources there are')}`);
    draw(html`${form(page, null)}${await choices(page)}`);
    return;
  }
  const window = windowIn(query);
  if (!window) {
    draw(html`${form(page, null)}${loading('Looking for its newest event')}`);
    const { items } = await sources(page.signal, 0);
    const day = items.some((one) => isOf(query, one)) && await newestDay(page);
    if (day) go(address('/type', { ...query, day }), { replace: true });
    else draw(html`${form(page, null)}${await absent(page)}`);
    return;
  }
  const selection = { source: query.source, event_type: query.type };
  await showEvents(page, { selection, window, head: form(page, window), absent: () => absent(page), beside: (state) => html`${heatmap(query, state, window)}${entities(state, window)}` });
}

/** @param {import('../main.js').Page} page */
async function newestDay({ query, signal }) {
  const found = await get('/freshness', { source: query.source, event_type: query.type, look_back_days: 366 }, signal);
  return found.newest ? dayOf(msOf(found.newest.event_time)) : null;
}

/** @param {import('../place.js').Query} query @param {any} pair */
const isOf = ({ source, type: name }, pair) => pair.source === source && pair.event_type === name;

/** Why a window shows nothing. @param {import('../main.js').Page} page */
async function absent(page) {
  const { source, type: name } = page.query;
  const { items } = await sources(page.signal, 0);
  if (!items.some((one) => isOf(page.query, one))) {
    return html`${empty(html`No event of a type <code>${name}</code> of <code>${source}</code> was ever accepted.`, html`Check how its producer writes both. What was refused is in <a href="/quarantine">quarantine</a>.`)}${await choices({ ...page, query: {} })}`;
  }
  const day = await newestDay(page);
  if (!day) return empty('The newest event is more than 366 days old.', 'Choose a window in which there are events.');
  return empty(html`<code>${name}</code> of ${source} has no events in this window.`, html`Its newest event is of ${day}. <a href=${address('/type', { source, type: name, day })}>Show ${day}</a>.`);
}

/** @param {import('../main.js').Page} page */
async function choices({ query, signal }) {
  const { items } = await sources(signal, 0);
  const fitting = items.filter((one) => fits({ find: query.source }, { source: one.source }) && fits({ find: query.type }, one));
  if (!items.length) return empty('No events yet.', html`Send some: <code>retrace ingest FILE</code>.`);
  if (!fitting.length) return empty(html`No source or type is called like <code>${[query.source, query.type].filter(Boolean).join(' ')}</code>.`, html`<a href=${address('/type', carried('/type', query))}>Show all</a>.`);
  return html`<section><h2>Which source and type?</h2>${table([
    ['type', (one) => html`<a href=${address('/type', { source: one.source, type: one.event_type, ...carried('/type', query) })}>${one.event_type}</a>`],
    ['source', (one) => one.source],
  ], fitting)}</section>`;
}

/** @param {import('../main.js').Page} page @param {import('./window.js').Window | null} window */
function form(page, window) {
  const { query, go } = page;
  const submitted = (/** @type {SubmitEvent} */ event) => {
    const { source, type: name } = formOf(event);
    const same = source === query.source && name === query.type;
    go(address('/type', { ...(same ? query : {}), source, type: name, ...carried('/type', query) }));
  };
  return html`<form class="where" @submit=${submitted}>
    <h1>Source and type</h1>
    <label>source <input name="source" value=${query.source ?? ''} size="24" required autocomplete="off" spellcheck="false"></label>
    <label>type <input name="type" value=${query.type ?? ''} size="20" required autocomplete="off" spellcheck="false"></label>
    <button>Show</button>
    ${window ? html`<span class="actions"><a class="button main replay" href=${address('/replay/new', { source: query.source, type: query.type, from: rfc(window.from), to: rfc(window.to) })}>Replay this window …</a></span>` : nothing}
  </form>`;
}

/** @param {any} state @param {import('./window.js').Window} window */
function entities({ picture }, window) {
  if (!picture?.entities.length) return nothing;
  const bounds = window.to - window.from === DAY ? { day: dayOf(window.from) } : { from: rfc(window.from), to: rfc(window.to) };
  const rows = picture.entities.slice(0, 12).map((/** @type {any} */ [id, count]) => [entityLink(id, bounds), count]);
  const rest = picture.entities_in_all - rows.length;
  return html`<section aria-label="Entities">${ranked(rows, 'By entity')}${rest > 0 ? html`<p class="quiet">and ${number(rest)} more entities</p>` : nothing}</section>`;
}
