// An entity in a window: when its events happened, when they arrived, what is missing, what came twice.

import { empty, formOf, html, loading, nothing, number, ranked } from '../parts.js';
import { address } from '../place.js';
import { DAY, dayOf, msOf, rfc } from '../times.js';
import { absenceOf, absentEntity } from './absent.js';
import { showEvents } from './events.js';
import { listed } from './replay_form.js';
import { carried, dayWindow, inWindow, windowIn } from './window.js';

/** @param {import('../main.js').Page} page */
export async function entity(page) {
  const { query, signal, draw, go } = page;
  if (!query.id) {
    draw(html`${form(page, null)}${empty('Which entity?', 'Write its id, which producers send as entity_id or as the subject of a CloudEvent: depot-lyon, order-1007.')}`);
    return;
  }
  page.head = form(page, null);
  let window = windowIn(query);
  if (!window) {
    draw(html`${form(page, null)}${loading('Looking for its newest event')}`);
    const absence = await absenceOf(query.id, signal);
    if (!absence.newest) {
      draw(html`${form(page, null)}${absentEntity(query.id, absence, '/entity', '')}`);
      return;
    }
    window = dayWindow(dayOf(msOf(absence.newest)));
    go(inWindow('/entity', query, window), { replace: true });
    return;
  }
  const selection = { entity_id: query.id, source: query.source, event_type: query.type };
  await showEvents(page, { selection, window, head: form(page, window), absent: async () => absentEntity(query.id, await absenceOf(query.id, signal), '/entity', 'in this window'), beside: (state) => kinds(page, state) });
}

/** @param {import('../main.js').Page} page @param {import('./window.js').Window | null} window */
function form(page, window) {
  const { query, go } = page;
  const submitted = (/** @type {SubmitEvent} */ event) => {
    const { id } = formOf(event);
    go(address('/entity', { ...(id === query.id ? query : {}), id, ...carried('/entity', query) }));
  };
  return html`<form class="where" @submit=${submitted}>
    <h1>Entity</h1>
    <label>entity <input name="id" value=${query.id ?? ''} size="28" required autocomplete="off" spellcheck="false"></label><button>Show</button>
    ${window ? actions(query, window) : nothing}
  </form>
  ${query.source || query.type ? html`<p>Only ${query.type ?? 'all types'} of ${query.source ?? 'all sources'} · <a href=${address('/entity', { ...query, source: '', type: '' })}>show all</a></p>` : nothing}`;
}

/** @param {import('../place.js').Query} query @param {import('./window.js').Window} window */
function actions(query, { from, to }) {
  const day = dayOf(from);
  const filter = { include_sources: query.source && listed([query.source]), include_types: query.type && listed([query.type]) };
  return html`<span class="actions"><a class="button main replay" href=${address('/replay/new', { entity: query.id, from: rfc(from), to: rfc(to), ...filter })}>Replay this window …</a>
    <a class="button" href=${address('/aggregates', { entity: query.id, day: to - from > DAY ? dayOf(to - 1) : day })}>Aggregates of ${to - from > DAY ? dayOf(to - 1) : day}</a></span>`;
}

/** @param {import('../main.js').Page} page @param {any} state */
function kinds({ query }, { picture }) {
  if (!picture?.kinds.length) return nothing;
  const rows = picture.kinds.slice(0, 12).map((/** @type {any} */ [source, type, count]) => [
    html`<a href=${address('/entity', { ...query, source, type })}>${type}</a> <span class="quiet">${source}</span>`, count]);
  const rest = picture.kinds_in_all - rows.length;
  return html`<section aria-label="Types">${ranked(rows, 'By type and source')}${rest > 0 ? html`<p class="quiet">and ${number(rest)} more kinds</p>` : nothing}</section>`;
}
