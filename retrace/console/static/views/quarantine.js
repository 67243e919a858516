// What was refused in a window, and why; many of them retried at once, as they are or corrected.

import { fewAtOnce, get } from '../api.js';
import { badge, counted, empty, formOf, html, nothing, table, when } from '../parts.js';
import { windowOf } from '../picker.js';
import { address } from '../place.js';
import { rfc, toSecond } from '../times.js';
import { bulk, newBulk } from './bulk.js';
import { fits } from './matrix.js';
import { below, pager } from './pager.js';
import { reason, refused, status } from './refused.js';
import { carried } from './window.js';

/** @param {import('../main.js').Page} page */
export async function quarantine(page) {
  if (page.query.id) await refused(page);
  else await listed(page);
}

/** @param {import('../main.js').Page} page */
async function listed(page) {
  const { query, signal, draw } = page;
  const window = /** @type {import('./window.js').Window} */ (windowOf({ path: '/quarantine', query }));
  const bounds = { start_time: rfc(window.from), end_time: rfc(window.to) };
  /** @type {Map<string, any>} */
  const details = new Map();
  const redraw = () => draw(html`${form(page)}<section>${rows(query, list, details, many, redraw)}</section>`);
  const many = newBulk(redraw, signal);
  const list = pager(async (cursor) => {
    // A page may be empty before the end, where a filter leaves little.
    /** @type {any[]} */
    const items = [];
    do {
      const found = await get('/rejected', { ...bounds, source: query.source, reason: query.reason, resolved: query.done ? '' : 'false', limit: 200, cursor }, signal);
      items.push(...found.items.filter((/** @type {any} */ item) => !query.find || fits(query, item)));
      ({ cursor } = found);
    } while (cursor && items.length < 50);
    compare(items, details, signal, redraw);
    return { items, cursor };
  }, redraw);
  redraw();
  await list.more();
}

/** Read what differs in each conflict, a few at once. @param {any[]} items @param {Map<string, any>} details @param {AbortSignal} signal @param {() => void} redraw */
function compare(items, details, signal, redraw) {
  const ids = items.filter((item) => item.status === 'CONFLICT').map((item) => item.rejected_id);
  return fewAtOnce(ids, signal, async (id) => {
    details.set(id, await get(`/rejected/${encodeURIComponent(id)}`, {}, signal).catch(() => ({})));
    redraw();
  });
}

/** @param {import('../main.js').Page} page */
function form({ query, go }) {
  return html`<form class="where" @submit=${(/** @type {SubmitEvent} */ event) => go(address('/quarantine', { find: query.find, ...formOf(event), ...carried('/quarantine', query) }))}>
    <h1>Quarantine</h1><label>source <input name="source" value=${query.source ?? ''} placeholder="all" size="20" autocomplete="off" spellcheck="false"></label>
    <label>reason <input name="reason" value=${query.reason ?? ''} placeholder="CONFLICT, REJECTED, event_time" size="28" autocomplete="off" spellcheck="false"></label>
    <label class="check"><input type="checkbox" name="done" value="1" ?checked=${!!query.done}> done too</label><button>Show</button></form>
    ${query.find ? html`<p>Only of “${query.find}” · <a href=${address('/quarantine', { ...query, find: '' })}>show all</a></p>` : nothing}`;
}

/** @param {import('../place.js').Query} query @param {ReturnType<typeof pager>} list @param {Map<string, any>} details @param {import('./bulk.js').Bulk} many @param {() => void} redraw */
function rows(query, list, details, many, redraw) {
  return html`${list.items.length ? html`<p class="quiet">${counted(list.items.length, 'refusal')}${query.done ? '' : ' still to do'}</p>${bulk(many, list.items)}${items(list.items, details, many, redraw)}` : list.isRead && !list.cursor ? none(query) : nothing}${below(list)}`;
}

/** @param {import('../place.js').Query} query */
function none(query) {
  const filtered = query.reason || query.source || query.find;
  return empty(`Nothing ${query.done ? 'was refused' : 'that was refused is left to do'} in this window${filtered ? ' with this filter' : ''}.`,
    html`The window is of the time of receipt, not of the event's own time. Choose a wider one${query.done ? '' : html`, or <a href=${address('/quarantine', { ...query, done: '1' })}>show what is done too</a>`}${filtered ? html`, or <a href=${address('/quarantine', carried('/quarantine', query))}>leave the filter out</a>` : ''}.`);
}

/** @param {any[]} all @param {Map<string, any>} details @param {import('./bulk.js').Bulk} many @param {() => void} redraw */
function items(all, details, many, redraw) {
  const isDone = (/** @type {any} */ item) => item.resolved || many.results.get(item.rejected_id)?.taken_in;
  const toggle = (/** @type {any} */ event, /** @type {string} */ id) => {
    many.chosen[event.target.checked ? 'add' : 'delete'](id);
    redraw();
  };
  return table([
    ['', (item) => html`<input type="checkbox" aria-label="Choose ${item.rejected_id.slice(0, 19)}" .checked=${many.chosen.has(item.rejected_id)} ?disabled=${isDone(item)} @change=${(/** @type {any} */ event) => toggle(event, item.rejected_id)}>`],
    ['id', (item) => html`<a class="id" href=${address('/quarantine', { id: item.rejected_id })} title=${item.rejected_id}>${item.rejected_id.slice(0, 19)}</a>`],
    ['received', (item) => when(toSecond(item.ingest_time))], ['as', status],
    ['source', (item) => (item.events > 1 ? `${item.events} events` : item.source ?? html`<span class="quiet">cannot be read</span>`)],
    ['entity', (item) => item.entity_id ?? ''], ['key', (item) => item.idempotency_key ?? ''],
    ['why', (item) => reason(item, details.get(item.rejected_id))],
    ['retry', (item) => retriedAs(item, many.results.get(item.rejected_id))],
  ], all, 'refusals');
}

/** @param {any} item @param {any} result */
function retriedAs(item, result) {
  if (result) return result.taken_in ? badge('good', many(result)) : html`${badge('bad', many(result))}<div>${result.errors.slice(0, 2).map((/** @type {any} */ error) => html`<div><code>${error.field}</code> ${error.message}</div>`)}</div>`;
  return item.resolved ? badge('good', 'done') : item.retried ? badge('warn', 'tried') : '';
}

/** What became of the events of a retry. @param {any} result */
const many = ({ rejected_id: _, taken_in: __, errors: ___, ...counts }) => Object.entries(counts).map(([status, count]) => (count === 1 ? status : `${count} ${status}`)).join(', ');
