// How things are: what each source sent when, what was received and refused, which replays run, and what lies dead.

import { fewAtOnce, get, look } from '../api.js';
import { badge, counted, failed, formOf, html, loading, nothing, number } from '../parts.js';
import { isLive, windowOf } from '../picker.js';
import { address } from '../place.js';
import { clock, duration, msOf, rfc } from '../times.js';
import { whereEventsAre } from './absent.js';
import { lookForDips } from './dips.js';
import { isRunning, progress, state as stateOf, subjectOf, whatIf } from './job.js';
import { fits, hasNothing, keyOf, matrix } from './matrix.js';
import { arrivals, refusals } from './received.js';
import { sources } from './sources.js';
import { staleDays, staleIn } from './stale.js';
import { binsOf } from './strip.js';
import { carried } from './window.js';

const SHOWN = 40;
const EVERY_MS = 30_000;
const CLOCKS_DIFFER_MS = 60_000;
/** What stands beside the columns of a row, in pixels. */
const BESIDE_PX = 530;
const NARROW_PX = 700;

/** @param {import('../main.js').Page} page */
export async function overview(page) {
  const { query, signal, draw } = page;
  const here = { path: '/', query };
  /** @type {any} */
  const state = { pairs: null, shown: [], most: SHOWN, of: new Map(), dips: new Map(), metrics: null, refused: null, jobs: null, queues: null, failures: {}, at: null };
  const redraw = () => draw(template(page, state, more));
  const load = (/** @type {string} */ name, /** @type {Promise<any>} */ wanted) => wanted.then((found) => {
    state[name] = found;
    delete state.failures[name];
  }, (failure) => { state.failures[name] = failure; }).then(redraw);
  const choose = () => {
    const fitting = (state.pairs ?? []).filter((/** @type {any} */ pair) => fits(query, pair));
    // Where there are many, those that sent last, and of silent ones the first by name.
    state.shown = [...fitting].sort((one, other) => (other.last_seen ?? '').localeCompare(one.last_seen ?? '')).slice(0, state.most);
    state.fitting = fitting.length;
  };
  const counting = () => count(state, signal, redraw);
  const more = () => {
    state.most += SHOWN;
    choose();
    redraw();
    return counting().then(() => lookForDips(state, signal, redraw));
  };
  const listed = (/** @type {number | undefined} */ days) => load('pairs', sources(signal, days).then(({ items, looked }) => { state.looked = looked; return items; })).then(() => {
    choose();
    redraw();
    return counting();
  });
  const known = async () => {
    if (!state.pairs) await listed(0);
    await listed(undefined);
  };
  const read = async () => {
    const window = /** @type {import('./window.js').Window} */ (windowOf(here));
    const bins = binsOf(window);
    if (state.bins?.width !== bins.width) state.of.clear();
    Object.assign(state, { window, bins });
    const bounds = { start_time: rfc(bins.first), end_time: rfc(window.to), bin_ms: bins.width };
    state.bounds = bounds;
    await Promise.all([
      load('metrics', look('/metrics', bounds, signal)),
      load('refused', refusals(query, window, bins, signal)),
      load('jobs', get('/replay', { limit: 25 }, signal).then((found) => found.items)),
      load('queues', look('/queues', {}, signal).then((found) => found.items)),
      known(),
    ]);
    state.at = Date.now();
    redraw();
    if (hasNothing(state) && state.elsewhere === undefined) await load('elsewhere', whereEventsAre(state.shown, signal));
    await lookForDips(state, signal, redraw);
    // It reads much of the index, so it is asked once until the page is opened again.
    if (!query.find && state.stale === undefined) await load('stale', staleIn(window, signal));
  };
  window.addEventListener('resize', redraw, { signal });
  state.window = windowOf(here);
  state.bins = binsOf(state.window);
  redraw();
  await read();
  if (isLive(here)) refresh(read, signal);
}

/** Read again now and then, unless the page is hidden. @param {() => Promise<void>} read @param {AbortSignal} signal */
function refresh(read, signal) {
  setTimeout(async () => {
    if (signal.aborted) return;
    if (!document.hidden) await read();
    refresh(read, signal);
  }, EVERY_MS);
}

/** Count the events of each, a few at once; of those that sent nothing since they were counted, the count stays. @param {any} state @param {AbortSignal} signal @param {() => void} redraw */
async function count({ shown, of, bounds }, signal, redraw) {
  const isCounted = (/** @type {any} */ pair) => {
    const found = of.get(keyOf(pair));
    return found && !found.failure && (!pair.last_seen || msOf(pair.last_seen) < found.at - CLOCKS_DIFFER_MS);
  };
  const left = shown.filter((/** @type {any} */ pair) => !isCounted(pair));
  await fewAtOnce(left, signal, async (/** @type {any} */ pair) => {
    const { source, event_type } = pair;
    const at = Date.now();
    const found = await look('/counts', { source, event_type, ...bounds }, signal).catch((failure) => ({ failure }));
    of.set(keyOf(pair), { ...found, at });
    redraw();
  });
}

/** @param {import('../main.js').Page} page @param {any} state @param {() => void} more */
function template(page, state, more) {
  const { query, go } = page;
  const { failures } = state;
  const width = document.getElementById('view')?.clientWidth ?? 1000;
  const pixels = innerWidth <= NARROW_PX ? width - 50 : Math.max(120, width - BESIDE_PX);
  return html`<form class="where" @submit=${(/** @type {SubmitEvent} */ event) => go(address('/', { ...formOf(event), ...carried('/', query) }))}>
      <h1>Overview</h1><label>sources and types <input name="find" value=${query.find ?? ''} size="24" placeholder="all" autocomplete="off" spellcheck="false"></label><button>Show</button>
      ${query.find ? html`<a href=${address('/', carried('/', query))}>all</a>` : nothing}
      <span class="quiet asof">${state.at ? `as of ${clock(state.at).slice(11, 19)}` : nothing}</span>
    </form>
    <section aria-labelledby="sent"><h2 id="sent">Events by event time</h2>${failures.pairs ? failed(failures.pairs, page.again) : nothing}
      ${state.pairs ? matrix(state, query, pixels) : failures.pairs ? nothing : loading('Looking which sources there are')}
      ${state.fitting > state.shown.length ? html`<p class="quiet">The ${state.shown.length} of ${counted(state.fitting, 'type')} that sent last. <button @click=${more}>More</button></p>` : nothing}</section>
    <section aria-labelledby="came-in"><h2 id="came-in">Received, by ${query.find ? 'time of receipt' : 'time of receipt, all sources'}</h2>${arrivals(state, query, pixels)}</section>
    <div class="columns">
      <section aria-labelledby="running"><h2 id="running">Replays</h2>${failures.jobs ? failed(failures.jobs) : state.jobs ? jobs(state.jobs, query) : loading()}</section>
      <section aria-labelledby="stale"><h2 id="stale">Stale days, by time of receipt</h2>${staleDays(state, query)}</section>
      <section aria-labelledby="queues"><h2 id="queues">Queues and dead letters</h2>${query.find ? html`<p class="quiet">Queues serve all sources together. <a href=${address('/', carried('/', query))}>Show all sources</a> to see them.</p>`
    : failures.queues ? failed(failures.queues) : state.queues ? queues(state.queues) : loading()}</section>
    </div>`;
}

/** @param {any[]} listed @param {import('../place.js').Query} query */
function jobs(listed, query) {
  const all = listed.filter((job) => fits(query, job.request));
  const running = all.filter(isRunning);
  const dead = all.filter((job) => job.failed);
  const notable = [...running, ...dead.filter((job) => !isRunning(job))];
  const shown = notable.length ? notable : all.slice(0, 4);
  return html`<p>${running.length ? badge('warn', `${running.length} running`) : badge('good', 'none is running')} ${dead.length ? badge('bad', `${dead.length} with failed messages`) : nothing} <a href="/replays">all</a></p>
    ${shown.length ? html`<ul class="jobs">${shown.map(job)}</ul>` : nothing}`;
}

/** @param {any} one */
function job(one) {
  return html`<li>${stateOf(one)} ${whatIf(one.replay_id)} ${subjectOf(one.request)} <span class="quiet">${isRunning(one) ? progress(one) : `${number(one.processed)} processed`}${one.failed ? html`, <span class="is-late">${number(one.failed)} failed</span>` : nothing},
    <a href=${address('/replay', { id: one.replay_id })} title=${one.replay_id}>${duration(Date.now() - msOf(one.created_at))} ago</a></span></li>`;
}

/** @param {any[]} items */
function queues(items) {
  const kinds = /** @type {Record<string, string>} */ ({ ok: 'good', warning: 'warn', problem: 'bad' });
  return html`<table class="queues"><tbody>${items.map((item) => html`<tr><th scope="row">${item.queue.replace(/^queue /, '')}</th><td>${badge(kinds[item.level] ?? '', item.said)}${item.remedy && item.level !== 'ok' ? html` <span class="quiet">${item.remedy}</span>` : nothing}</td></tr>`)}</tbody></table>`;
}
