// Metrics: those that are defined, and of one its definitions and its totals by day.

import { digits, get } from '../api.js';
import { laidOut } from '../exact.js';
import { badge, empty, facts, failed, html, loading, nothing, table, when } from '../parts.js';
import { windowOf } from '../picker.js';
import { address } from '../place.js';
import { toSecond } from '../times.js';
import { definitionLink, everyMetric, inWords } from './measures.js';
import { below, pager } from './pager.js';
import { daysOf, entities, totals, totalsOf } from './totals.js';
import { carried } from './window.js';

/** @param {import('../main.js').Page} page */
export async function metrics(page) {
  const { query, signal, draw } = page;
  if (query.name) {
    await metric(page);
    return;
  }
  draw(html`<form class="where"><h1>Metrics</h1></form><section>${loading()}</section>`);
  const items = await everyMetric(signal);
  const [active, retired] = ['ACTIVE', 'RETIRED'].map((state) => items.filter((one) => one.state === state));
  draw(html`<form class="where"><h1>Metrics</h1><span class="quiet">A replay computes all that are active, unless it names others.</span></form>
    <section aria-labelledby="active"><h2 id="active">Active</h2>${listed(active, query)}
      ${active.every((one) => one.built_in) ? empty('No metric is defined yet.', html`Write one into a file, try it over events with <code>retrace metrics try FILE</code>, and define it with <code>retrace metrics apply FILE</code>.`) : nothing}</section>
    ${retired.length ? html`<section aria-labelledby="retired"><h2 id="retired">Retired</h2><p class="quiet">Replays compute them only if they name them. Computed values stay.</p>${listed(retired, query)}</section>` : nothing}`);
}

/** @param {import('./measures.js').Metric[]} items @param {import('../place.js').Query} query */
function listed(items, query) {
  return table([
    ['metric', (one) => html`<a href=${address('/metrics', { name: one.name, ...carried('/metrics', query) })}>${one.name}</a>`],
    ['computes', (one) => inWords(one.definition)],
    ['definition', (one) => definitionLink(one.name, one.definition_sha256)],
    ['changed', (one) => (one.changed_at ? when(toSecond(one.changed_at)) : html`<span class="quiet">built in</span>`)],
    ['by', (one) => (one.changed_by ? html`<span title=${one.changed_by}>${one.changed_by.split('/').pop()}</span>` : '')],
  ], items);
}

/** @param {import('../main.js').Page} page */
async function metric(page) {
  const { query, signal, draw } = page;
  const path = `/metrics/${encodeURIComponent(query.name)}`;
  /** @type {any} */
  const state = { metric: null, days: [], read: null, failure: null, reading: false, groups: false, rows: false, entities: null };
  page.head = html`<section><div class="split"><h1>Metric <code>${query.name}</code></h1><a href="/metrics">all metrics</a></div></section>`;
  const redraw = () => draw(template(page, state));
  state.showGroups = () => { state.groups = true; redraw(); };
  state.showRows = () => { state.rows = true; redraw(); };
  draw(html`${page.head}${loading()}`);
  window.addEventListener('resize', redraw, { signal });
  state.metric = await digits(path, signal);
  const calendar = state.metric.definition.time_zone;
  state.days = daysOf(query, /** @type {import('./window.js').Window} */ (windowOf({ path: '/metrics', query })), calendar);
  redraw();
  await totalsOf(path, state, signal, redraw);
  if (state.days.length !== 1 || state.failure) return;
  const day = state.days[0];
  const ask = (/** @type {string | null} */ cursor) => get(`${path}/values`, { start_day: day, end_day: day, by: 'entity', limit: 100, cursor }, signal);
  state.entities = pager(async (cursor) => { const { values: items, cursor: next } = await ask(cursor); return { items, cursor: next }; }, redraw);
  await state.entities.more();
}

/** @param {import('../main.js').Page} page @param {any} state */
function template(page, state) {
  const { metric: found } = state;
  return html`<section><div class="split"><h1>Metric <code>${found.name}</code> ${badge(found.state === 'ACTIVE' ? 'good' : 'warn', found.built_in ? 'built in' : found.state)}</h1><a href="/metrics">all metrics</a></div>
      <p>${inWords(found.definition)}</p></section>
    ${state.failure && !state.read ? html`<section aria-labelledby="totals-title"><h2 id="totals-title">Totals by day</h2>${failed(state.failure, page.again)}</section>` : totals(page, state)}
    ${state.entities ? html`<section aria-labelledby="entities-title"><h2 id="entities-title">Entities of ${state.days[0]}</h2>${entities(state)}${below(state.entities)}</section>` : nothing}
    ${definitions(page.query, found)}`;
}

/** @param {import('../place.js').Query} query @param {any} found */
function definitions({ definition: named }, found) {
  const all = found.built_in ? [{ ...found, defined_at: null }] : found.versions;
  const isUnknown = named && !all.some((/** @type {any} */ one) => one.definition_sha256 === named);
  return html`<section aria-labelledby="definitions-title"><h2 id="definitions-title">${all.length === 1 ? 'Definition' : 'Definitions, newest first'}</h2>
    ${isUnknown ? html`<p class="note">The definition <code>${named}</code> is not among them. It came with the request of a replay, or has left the last 100 changes.</p>` : nothing}
    ${all.map((/** @type {any} */ one) => html`<div class="definition ${one.definition_sha256 === named ? 'named' : ''}">${facts([
    ['SHA-256', html`<code>${one.definition_sha256}</code>`], one.defined_at && ['defined', html`${when(toSecond(one.defined_at))} <span class="quiet">by ${one.defined_by}</span>`], one.retired_at && ['retired', when(toSecond(one.retired_at))],
  ])}<pre tabindex="0">${laidOut(one.definition)}</pre></div>`)}</section>`;
}
