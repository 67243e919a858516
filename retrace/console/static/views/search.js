// What a text names: an event, its key, an entity, a source or type, a replay, a refused event.

import { look } from '../api.js';
import { badge, empty, html, loading, nothing, when } from '../parts.js';
import { address } from '../place.js';
import { whatIf } from './job.js';
import { carried, dayWindow, inWindow, windowIn } from './window.js';
import { dayOf, msOf, rfc } from '../times.js';

/** @param {import('../main.js').Page} page */
export async function search({ query, signal, draw, go }) {
  const q = (query.q ?? '').trim();
  if (!q) {
    draw(html`<section><h1>Search</h1>${empty('What are you looking for?', EXPLAINED)}</section>`);
    return;
  }
  draw(html`<section><h1>Search</h1>${loading(`Looking for ${q}`)}</section>`);
  const window = windowIn(query);
  const found = await look('/search', { q, ...(window ? { start_time: rfc(window.from), end_time: rfc(window.to) } : {}) }, signal);
  if (signal.aborted) return;
  if (found.items.length === 1) go(there(found.items[0], query), { replace: true });
  else draw(html`<section><h1>Search</h1>${found.items.length ? list(found.items, query) : none(q, found, query)}</section>`);
}

const EXPLAINED = 'Write an id of an event, a replay or a refused event, or its beginning, a key as the producer sent it, perhaps with its source before it, an entity, a source or a type.';

/** Where a found thing is seen. @param {any} item @param {import('../place.js').Query} query */
function there(item, query) {
  const { kind, event_id, entity_id, source, event_type: type, replay_id, rejected_id, event_time } = item;
  const same = carried('/entity', query);
  if (kind === 'event') return address('/entity', { id: entity_id, day: dayOf(msOf(event_time)), event: event_id });
  if (kind === 'entity') {
    const window = windowIn(query);
    const isIn = !event_time || (window && msOf(event_time) >= window.from && msOf(event_time) < window.to);
    return isIn ? address('/entity', { id: entity_id, ...same }) : inWindow('/entity', { id: entity_id }, dayWindow(dayOf(msOf(event_time))));
  }
  if (kind === 'source') return address('/', { find: source, ...same });
  if (kind === 'type') return address('/type', { source, type, ...same });
  return kind === 'replay' ? address('/replay', { id: replay_id, ...same }) : address('/quarantine', { id: rejected_id, ...same });
}

/** @param {any} item */
function name({ kind, event_id, entity_id, source, event_type, replay_id, rejected_id }) {
  return { event: event_id?.slice(0, 12), entity: entity_id, source, type: event_type, replay: replay_id, rejected: rejected_id?.slice(0, 19) }[/** @type {string} */ (kind)];
}

/** @param {any[]} items @param {import('../place.js').Query} query */
function list(items, query) {
  const told = { rejected: 'refused event' };
  return html`<ul class="found">${items.map((item) => html`<li>${badge('', /** @type {any} */ (told)[item.kind] ?? item.kind)} <a href=${there(item, query)}>${name(item)}</a>
    ${item.kind === 'replay' ? whatIf(item.replay_id) : nothing}${item.kind === 'event' ? html`<span class="quiet">${item.event_type} of ${item.source}, ${item.entity_id}, ${when(item.event_time)}</span>` : item.kind === 'type' ? html`<span class="quiet">of ${item.source}</span>`
    : item.kind === 'rejected' ? html`<span class="quiet">${[item.status, item.source, item.idempotency_key].filter(Boolean).join(', ')}, received ${when(item.ingest_time)}</span>` : nothing}</li>`)}</ul>`;
}

/** @param {string} q @param {any} found @param {import('../place.js').Query} query */
function none(q, { near, hint }, query) {
  return html`${empty(html`Nothing is called <code>${q}</code> here.`, hint || EXPLAINED)}${near.length ? html`<h2 class="minor">Near names</h2>${list(near, query)}` : nothing}`;
}
