// Events of a window, shared by the views of an entity and of a type: charts, what they add up to, and a list.

import { get, lines, look } from '../api.js';
import { badge, counted, empty, entityLink, eventLink, facts, failed, formOf, html, loading, nothing, number, say, table, when } from '../parts.js';
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
 * @property {() => Promise<unknown>} absent what is said if the window has no events
 * @property {() => void} [redraw] set here: draws the view again, when what stands beside has changed
 */

/** From which lag on an event is late, until the console says it. */
const LATE = HOUR;
const ROWS = '50';
const SHOWN_AS = /** @type {Record<string, string>} */ ({ late: 'late', DUPLICATE: 'one that arrived again', CONFLICT: 'one with a conflict' });
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
  const own = !page.query.show && !page.query.order && !pathsOf(page.query).length;
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
  if (state.done && state.picture && !state.picture.count) {
    state.absent = await subject.absent().catch(() => null);
    redraw();
  }
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
  timeline.show({ picture: state.picture, ...window, byLag: page.query.by === 'lag', late: state.late_ms, hide: hidden(page.query) });
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
    const asked = { ...selection, ...bounds, ...filter, order: page.query.order, limit: ROWS, cursor };
    const { columns } = page.query;
    const found = columns ? await look('/rows', { ...asked, columns }, page.signal) : await get('/events', asked, page.signal);
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
      ${picture && !picture.count && state.done ? state.absent ?? empty('No events in this window.', 'Choose a wider window.') : nothing}
      ${legend(page.query, state)}
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
    ['lag p50', picture.lag ? duration(picture.lag.p50) : '–'],
    ['lag p95', picture.lag ? duration(picture.lag.p95) : '–'],
    ['lag max', picture.lag ? duration(picture.lag.max) : '–'],
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

/** What the legend has switched off, as the address says it. @param {import('../place.js').Query} query @returns {string[]} */
const hidden = ({ hide = '' }) => hide.split(',').filter(Boolean);

/** @param {import('../place.js').Query} query @param {any} state */
function legend(query, { picture, marked, late_ms: late }) {
  if (!picture) return nothing;
  const off = hidden(query);
  const entry = (/** @type {string} */ name, /** @type {string} */ told) => {
    const others = off.filter((one) => one !== name);
    const to = address(placeOf(location).path, { ...query, hide: (off.includes(name) ? others : [...off, name]).join(',') });
    return html`<li><a href=${to} class=${off.includes(name) ? 'off' : ''} title=${off.includes(name) ? 'Show' : 'Hide'}><i class=${name}></i>${told}${off.includes(name) ? html`<span class="unseen"> (hidden)</span>` : nothing}</a></li>`;
  };
  return html`<ul class="legend" aria-label="Legend">
    ${entry('event', 'on time')}${entry('late', `late by ${duration(late)} and more`)}
    ${marked ? html`${entry('duplicate', 'arrived again')}${entry('conflict', 'conflict')}` : nothing}
    ${entry('gap', 'no events')}<li><i class="dashed"></i>arrived at once</li>
    <li class="quiet">${picture.cells ? 'a cell for many events' : 'a dot for each event'} · bars of ${duration(picture.bins.width)} · drag to zoom, click an event to open it</li></ul>`;
}

/** The members of payloads that are columns, as the address says them. @param {import('../place.js').Query} query */
const pathsOf = ({ columns = '' }) => columns.split(/[\s,]+/).filter(Boolean);

/** @param {import('../main.js').Page} page */
function columnsForm({ query, go }) {
  const { path } = placeOf(location);
  return html`<form class="columns-of" @submit=${(/** @type {SubmitEvent} */ event) => go(address(path, { ...query, ...formOf(event) }))}>
    <label>payload columns <input name="columns" value=${query.columns ?? ''} placeholder="/amount, /card/network" size="24" autocomplete="off" spellcheck="false"></label><button>Add</button></form>`;
}

/** @param {import('../main.js').Page} page @param {any} state */
function list(page, { rows, cursor, rowsFailure, failure, more, late_ms: late }) {
  const { path } = placeOf(location);
  const shown = page.query.show ?? '';
  return html`<section aria-labelledby="events-title" class="events"><h2 id="events-title">Events</h2>
    <span class="steps" role="group" aria-label="Which events">${Object.entries(SHOWN).map(([show, name]) => html`<a class="button" href=${address(path, { ...page.query, show })} aria-current=${show === shown ? 'true' : nothing}>${name}</a>`)}
    <a class="button" href=${address(path, { ...page.query, order: page.query.order === 'newest' ? '' : 'newest' })}>${page.query.order === 'newest' ? 'newest first' : 'oldest first'}</a></span>
    ${columnsForm(page)}
    ${!rows ? (rowsFailure || failure ? nothing : loading()) : rows.length ? listed(rows, page, late) : empty(shown ? `No event of this window is ${SHOWN_AS[shown]}.` : 'No events in this window.')}
    ${rowsFailure ? failed(rowsFailure, cursor ? null : more) : nothing}
    ${cursor ? html`<button @click=${more}>More</button><p class="note">All of them as a file: <code>retrace export</code>. As a table of SQL: <code>retrace sql</code>.</p>` : nothing}
  </section>`;
}

/** @param {any[]} rows @param {import('../main.js').Page} page @param {number} late */
function listed(rows, page, late) {
  const paths = pathsOf(page.query);
  return table([
    ['event', (row) => eventLink(row.event_id)], ['event time', (row) => when(row.event_time)], ['arrived', (row) => when(row.ingest_time)],
    ['lag', (row) => html`<span class=${row.ingest_lag_ms >= late ? 'is-late' : ''}>${duration(row.ingest_lag_ms)}</span>`, 'number'],
    ...(page.query.id ? /** @type {any[]} */ ([['source', (/** @type {any} */ row) => row.source], ['type', (/** @type {any} */ row) => row.event_type]])
    : [['entity', (/** @type {any} */ row) => entityLink(row.entity_id, { day: dayOf(msOf(row.event_time)) })]]),
    ...paths.map((path, index) => /** @type {any} */ ([path, (/** @type {any} */ row) => row.columns?.[index] ?? ''])),
  ], rows);
}
