// Events of a window, shared by the views of an entity and of a type: charts, what they add up to, and a list.

import { get, lines } from '../api.js';
import { badge, counted, empty, entityLink, eventLink, facts, failed, html, loading, nothing, number, say, when } from '../parts.js';
import { address, placeOf } from '../place.js';
import { forget, readSince } from '../fresh.js';
import { Timeline } from '../timeline.js';
import { HOUR, dayOf, duration, minute, msOf, rfc } from '../times.js';
import { inWindow } from './window.js';

/**
 * @typedef {object} Subject
 * @property {Record<string, string | undefined>} selection as GET /events takes it
 * @property {import('./window.js').Window} window
 * @property {unknown} head what stands above
 * @property {(state: any) => unknown} [beside] what stands below the charts
 * @property {() => void} [redraw] set here: draws the view again, when what stands beside has changed
 */

/** From which lag on an event is late, until the console says it. */
const LATE = HOUR;
const ROWS = '50';
const SHOWN = { '': 'all', late: 'late', DUPLICATE: 'that arrived again', CONFLICT: 'with a conflict' };

/** @param {import('../main.js').Page} page @param {Subject} subject */
export async function showEvents(page, subject) {
  const { window, selection } = subject;
  const bounds = { start_time: rfc(window.from), end_time: rfc(window.to) };
  /** @type {any} */
  const state = { picture: null, late_ms: LATE, rows: null, cursor: null, progress: 0, done: false };
  const redraw = () => page.draw(template(page, subject, state));
  const drawCharts = () => state.picture && chart(page, subject, state);
  subject.redraw = redraw;
  redraw();
  const fail = (/** @type {string} */ what) => (/** @type {any} */ failure) => {
    if (page.signal.aborted) return;
    state[what] = failure;
    redraw();
  };
  const more = () => nextRows(page, subject, state, bounds).then(redraw, fail('rowsFailure'));
  state.more = more;
  // Unless it is to be another list, the first page of the picture is the list.
  const own = !page.query.show && !page.query.order;
  await Promise.all([
    own ? null : more(),
    lines('/pictures', { ...selection, ...bounds, by: page.query.by, marks: page.query.marks, since: readSince() }, page.signal, (line) => {
      const { rows, cursor, ...others } = line;
      if (own && rows) Object.assign(state, { rows, cursor });
      else if (own && !state.rows && !state.asked) {
        state.asked = true;
        more();
      }
      Object.assign(state, others, { progress: line.read ?? state.progress });
      redraw();
      if (line.picture) drawCharts();
    }).catch(fail('failure')),
  ]);
  if (state.picture && !page.signal.aborted) say(`${counted(state.picture.count, 'event')} in the window.`);
}

/** @param {import('../main.js').Page} page @param {Subject} subject @param {any} state */
function chart(page, { window }, state) {
  const element = document.getElementById('charts');
  if (!element || page.signal.aborted) return;
  const here = placeOf(location);
  const timeline = Timeline.in(element, {
    zoom: (from, to) => page.go(inWindow(here.path, page.query, { from, to })),
    pick: (id) => page.go(address(here.path, { ...page.query, event: id })),
  });
  timeline.show({ picture: state.picture, ...window, byLag: page.query.by === 'lag', late: state.late_ms });
}

/** @param {import('../main.js').Page} page @param {Subject} subject @param {any} state @param {Record<string, string>} bounds */
async function nextRows(page, { selection }, state, bounds) {
  const shown = page.query.show ?? '';
  const filter = shown === 'late' ? { min_lag_ms: state.late_ms } : shown ? { status: shown } : {};
  let { cursor, rows } = state;
  state.rowsFailure = null;
  rows = [...(rows ?? [])];
  const enough = rows.length + Number(ROWS);
  do {
    // A page may be empty before the end, where a filter leaves little.
    const found = await get('/events', { ...selection, ...bounds, ...filter, order: page.query.order, limit: ROWS, cursor }, page.signal);
    rows.push(...found.items);
    cursor = found.cursor;
  } while (cursor && rows.length < enough && rows.length < 5);
  Object.assign(state, { rows, cursor });
}

/** @param {import('../main.js').Page} page @param {Subject} subject @param {any} state */
function template(page, subject, state) {
  const { picture, failure } = state;
  return html`${subject.head}
    <section aria-label="Charts" class="charted">
      ${failure ? failed(failure, page.again) : nothing}
      <div class="over">${summary(page, state)} ${axes(page)}</div>
      <div id="charts" tabindex="0" role="img" aria-label="Events by the time they happened and the time they arrived, and how many there were. Arrow keys move, plus and minus zoom. The list below has the same events."></div>
      ${picture && !picture.count && state.done ? empty('No events in this window.', html`Widen it with “−” or “30d”, or look where the newest are: leave out the window.`) : nothing}
      ${legend(state)}
    </section>
    ${subject.beside?.(state) ?? nothing}
    ${list(page, state)}`;
}

/** @param {import('../main.js').Page} page @param {any} state */
function summary(page, state) {
  const { picture, progress, done, stopped, failure } = state;
  if (!picture) return failure ? nothing : loading('Reading the first events');
  const sum = (/** @type {number[]} */ all) => all.reduce((one, other) => one + other, 0);
  const { late, duplicate, conflict } = picture.bins;
  const again = stopped ? 'not asked' : html`<button class="plain" @click=${() => page.go(address(placeOf(location).path, { ...page.query, marks: 'true' }))} title="Costs a read for each event">count</button>`;
  return html`${facts([
    ['events', html`<strong>${number(picture.count)}</strong>`],
    [`late (${duration(state.late_ms)} and more)`, number(sum(late))],
    ['arrived again', state.marked ? number(sum(duplicate)) : done ? again : '…'],
    ['conflicts', state.marked ? number(sum(conflict)) : done ? again : '…'],
    ['lag, middle', picture.lag ? duration(picture.lag.p50) : '–'],
    ['95 %', picture.lag ? duration(picture.lag.p95) : '–'],
    ['most', picture.lag ? duration(picture.lag.max) : '–'],
    ['gaps', done && !stopped ? number(picture.gaps.length) : '…'],
  ])}
  <p class="quiet reading">${done
    ? html`Read at ${when(state.read_at)}${stopped ? html` ${badge('warn', `stopped at ${number(progress)} events; narrow the window`)}` : nothing}
      <button class="plain" @click=${() => { forget(); page.again(); }}>read again</button>`
    : html`<progress></progress> ${number(progress)} events read${state.until ? html`, up to ${minute(msOf(state.until))}` : nothing} …`}</p>`;
}

/** @param {import('../main.js').Page} page */
function axes(page) {
  const { path } = placeOf(location);
  const choice = (/** @type {string} */ by, /** @type {string} */ name) => html`<a class="button" href=${address(path, { ...page.query, by })} aria-current=${(page.query.by ?? '') === by ? 'true' : nothing}>${name}</a>`;
  return html`<span class="steps" role="group" aria-label="What the upper chart shows upwards">${choice('', 'arrival')}${choice('lag', 'lag')}</span>`;
}

/** @param {any} state */
function legend({ picture, marked, late_ms: late }) {
  if (!picture) return nothing;
  return html`<ul class="legend" aria-label="Legend">
    <li><i class="event"></i>on time</li><li><i class="late"></i>late by ${duration(late)} and more</li>
    ${marked ? html`<li><i class="duplicate"></i>arrived again</li><li><i class="conflict"></i>conflict</li>` : nothing}
    <li><i class="gap"></i>no events</li><li><i class="dashed"></i>arrived at once</li>
    <li class="quiet">drag to zoom, click an event to open it · ${picture.cells ? 'cells of many events' : 'a dot an event'} · bars of ${duration(picture.bins.width)}</li></ul>`;
}

/** @param {import('../main.js').Page} page @param {any} state */
function list(page, { rows, cursor, rowsFailure, failure, more, late_ms: late }) {
  const { path } = placeOf(location);
  const shown = page.query.show ?? '';
  return html`<section aria-labelledby="events-title" class="events"><h2 id="events-title">Events</h2>
    <span class="steps" role="group" aria-label="Which events">${Object.entries(SHOWN).map(([show, name]) => html`<a class="button" href=${address(path, { ...page.query, show })} aria-current=${show === shown ? 'true' : nothing}>${name}</a>`)}
    <a class="button" href=${address(path, { ...page.query, order: page.query.order === 'newest' ? '' : 'newest' })}>${page.query.order === 'newest' ? 'newest first' : 'oldest first'}</a></span>
    ${!rows ? (rowsFailure || failure ? nothing : loading()) : rows.length ? table(rows, page, late) : empty('None.')}
    ${rowsFailure ? failed(rowsFailure, cursor ? null : more) : nothing}
    ${cursor ? html`<button @click=${more}>More</button>` : nothing}
  </section>`;
}

/** @param {any[]} rows @param {import('../main.js').Page} page @param {number} late */
function table(rows, page, late) {
  const byType = !page.query.id;
  return html`<div class="scroll"><table class="list"><thead><tr><th>event</th><th>event time</th><th>arrived</th><th class="number">lag</th>
    ${byType ? html`<th>entity</th>` : html`<th>source</th><th>type</th>`}</tr></thead><tbody>
    ${rows.map((row) => html`<tr><td>${eventLink(row.event_id)}</td><td>${when(row.event_time)}</td><td>${when(row.ingest_time)}</td>
      <td class="number ${row.ingest_lag_ms >= late ? 'is-late' : ''}">${duration(row.ingest_lag_ms)}</td>
      ${byType ? html`<td>${entityLink(row.entity_id, { day: dayOf(msOf(row.event_time)) })}</td>` : html`<td>${row.source}</td><td>${row.event_type}</td>`}</tr>`)}
  </tbody></table></div>`;
}
