// How things are: what came in hour by hour, how fresh and how late each source is, what runs, and what lies dead.

import { get, look } from '../api.js';
import { badge, counted, empty, failed, formOf, html, loading, nothing, number, when } from '../parts.js';
import { address } from '../place.js';
import { DAY, dayOf, duration, isDay, msOf, startOf } from '../times.js';
import { hourly } from './hourly.js';
import { isOver, progress, state as stateOf, subjectOf } from './job.js';

const AT_ONCE = 2;
const SHOWN = 15;
/** So many are asked how fresh they are; which are the freshest is not known before. */
const ASKED = 100;
const LATE_SHOWN = 1000;

/** @param {import('../main.js').Page} page */
export async function overview(page) {
  const { query, signal, draw, go } = page;
  if (!isDay(query.day)) {
    // Today is another day tomorrow, and the address is to stay right.
    go(address('/', { ...query, day: dayOf(Date.now()) }), { replace: true });
    return;
  }
  const { day } = query;
  /** @type {any} */
  const state = { day, metrics: null, refused: null, pairs: null, told: '', jobs: null, queues: null, failures: {}, shown: SHOWN, of: new Map() };
  const redraw = () => draw(template(page, state, more));
  const load = (/** @type {string} */ name, /** @type {Promise<any>} */ wanted) => wanted.then((found) => { state[name] = found; redraw(); }, (failure) => {
    if (signal.aborted) return;
    state.failures[name] = failure;
    redraw();
  });
  const more = async () => {
    state.shown += SHOWN;
    redraw();
    await fresh();
  };
  const fresh = () => examine(chosen(state, query).slice(0, Math.max(ASKED, state.shown)), state, signal, redraw);
  redraw();
  await Promise.all([
    load('metrics', look('/metrics', { day }, signal)),
    load('refused', refusals(day, signal)),
    load('jobs', get('/replay', { limit: 25 }, signal).then((found) => found.items)),
    load('queues', look('/queues', {}, signal).then((found) => found.items)),
    load('pairs', look('/sources', {}, signal).then((found) => { state.told = found.not_found; return found.items; })).then(() => state.pairs && fresh()),
  ]);
}

/** Refusals of a day by hour. @param {string} day @param {AbortSignal} signal */
async function refusals(day, signal) {
  const series = { conflict: Array(24).fill(0), rejected: Array(24).fill(0) };
  let cursor = null;
  let count = 0;
  do {
    const found = /** @type {any} */ (await get('/rejected', { day, limit: 1000, cursor }, signal));
    for (const item of found.items) series[item.status === 'CONFLICT' ? 'conflict' : 'rejected'][Number(item.ingest_time.slice(11, 13))] += 1;
    count += found.items.length;
    ({ cursor } = found);
  } while (cursor && count < 5000);
  return { ...series, count, more: !!cursor };
}

/** @param {any} state @param {import('../place.js').Query} query */
function chosen({ pairs }, query) {
  const words = (query.find ?? '').toLowerCase().split(/\s+/);
  return (pairs ?? []).filter((/** @type {any} */ pair) => words.every((word) => `${pair.source} ${pair.event_type}`.toLowerCase().includes(word)));
}

/** Ask of each how fresh and how late it is, a few at once. @param {any[]} pairs @param {any} state @param {AbortSignal} signal @param {() => void} redraw */
async function examine(pairs, state, signal, redraw) {
  const left = pairs.filter((pair) => !state.of.has(pair));
  const worker = async () => {
    for (let pair = left.shift(); pair && !signal.aborted; pair = left.shift()) {
      const { source, event_type } = pair;
      const found = await Promise.all([get('/freshness', { source, event_type }, signal), get('/late', { source, event_type, day: state.day, limit: LATE_SHOWN }, signal)]).then(
        ([fresh, late]) => ({ fresh, late: late.items, moreLate: !!late.cursor }), (failure) => ({ failure }));
      state.of.set(pair, found);
      redraw();
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
}

/** @param {import('../main.js').Page} page @param {any} state @param {() => void} more */
function template(page, state, more) {
  const { query, go } = page;
  const { day, failures } = state;
  const other = (/** @type {number} */ by) => address('/', { ...query, day: dayOf(startOf(day) + by * DAY) });
  return html`<form class="where" @submit=${(/** @type {SubmitEvent} */ event) => go(address('/', formOf(event)))}>
      <h1>Overview</h1><label>UTC day of arrival <input type="date" name="day" value=${day} required></label>
      <label>sources and types <input name="find" value=${query.find ?? ''} size="24" placeholder="all" autocomplete="off" spellcheck="false"></label><button>Show</button>
      <span class="steps"><a class="button" href=${other(-1)} title="The day before">◀</a><a class="button" href=${other(1)} title="The day after">▶</a></span>
    </form>
    <section aria-labelledby="came-in"><h2 id="came-in">What came in, by hour of ${day}</h2>${cameIn(state)}</section>
    <div class="columns">
      <section aria-labelledby="running"><h2 id="running">Replays</h2>${failures.jobs ? failed(failures.jobs) : state.jobs ? jobs(state.jobs) : loading()}</section>
      <section aria-labelledby="queues"><h2 id="queues">Queues and dead letters</h2>${failures.queues ? failed(failures.queues) : state.queues ? queues(state.queues) : loading()}</section>
    </div>
    <section aria-labelledby="fresh"><h2 id="fresh">Sources and types by freshness</h2>${failures.pairs ? failed(failures.pairs) : state.pairs ? pairs(state, query, more) : loading('Looking which there are')}</section>`;
}

/** @param {any} state */
function cameIn({ day, metrics, refused, failures }) {
  if (failures.refused) return failed(failures.refused);
  if (!metrics || !refused) return loading();
  const series = metrics.series ?? { conflict: refused.conflict, rejected: refused.rejected };
  const sum = (/** @type {number[]} */ all) => all.reduce((one, next) => one + next, 0);
  return html`${hourly(series, day)}
    ${metrics.series ? nothing : html`<p class="quiet">Accepted events and duplicates by hour are CloudWatch’s to tell, and it does not: ${metrics.not_found} Refusals are read from quarantine.</p>`}
    ${sum(series.conflict) + sum(series.rejected) ? html`<p><a href=${address('/quarantine', { day })}>${counted(refused.count, 'refusal')}${refused.more ? ' and more' : ''} of the day</a></p>` : nothing}`;
}

/** @param {any[]} all */
function jobs(all) {
  const running = all.filter((job) => !isOver(job));
  const dead = all.filter((job) => job.failed);
  const notable = [...running, ...dead.filter((job) => isOver(job))];
  const shown = notable.length ? notable : all.slice(0, 4);
  return html`<p>${running.length ? badge('warn', `${running.length} running`) : badge('good', 'none is running')} ${dead.length ? badge('bad', `${dead.length} with dead letters`) : nothing} <a href="/replays">all</a></p>
    ${shown.length ? html`<div class="scroll"><table class="list"><tbody>${shown.map(job)}</tbody></table></div>` : nothing}`;
}

/** @param {any} one */
function job(one) {
  return html`<tr><td><a href=${address('/replay', { id: one.replay_id })} title=${one.replay_id}>${duration(Date.now() - msOf(one.created_at))} ago</a></td><td>${stateOf(one)}</td>
    <td>${subjectOf(one.request)}</td><td class="number">${isOver(one) ? number(one.processed) : progress(one)}</td><td class="number is-late">${one.failed ? `${number(one.failed)} dead` : nothing}</td></tr>`;
}

/** @param {any[]} items */
function queues(items) {
  const kinds = /** @type {Record<string, string>} */ ({ ok: 'good', warning: 'warn', problem: 'bad' });
  return html`<div class="scroll"><table class="list"><tbody>${items.map((item) => html`<tr><th scope="row">${item.queue.replace(/^queue /, '')}</th><td>${badge(kinds[item.level] ?? '', item.said)}${item.remedy && item.level !== 'ok' ? html` <span class="quiet">${item.remedy}</span>` : nothing}</td></tr>`)}</tbody></table></div>`;
}

/** @param {any} state @param {import('../place.js').Query} query @param {() => void} more */
function pairs(state, query, more) {
  const all = chosen(state, query);
  if (!all.length) return empty(query.find ? `No source or type is called like “${query.find}”.` : 'No sources are known.', state.told || html`Go to one by its name: <a href="/type">source and type</a>.`);
  const age = (/** @type {any} */ pair) => state.of.get(pair)?.fresh?.age_s ?? Infinity;
  const shown = [...all].sort((/** @type {any} */ one, /** @type {any} */ other) => age(one) - age(other) || 0).slice(0, state.shown);
  const asked = all.filter((/** @type {any} */ pair) => state.of.has(pair)).length;
  return html`<div class="scroll"><table class="list"><thead><tr><th>type</th><th>source</th><th>newest event</th><th>age</th><th class="number">late that arrived on ${state.day}</th><th class="number">latest by</th></tr></thead><tbody>
    ${shown.map((/** @type {any} */ pair) => row(pair, state))}</tbody></table></div>
    <p class="quiet">${shown.length} of ${counted(all.length, 'type')}${asked < all.length ? `, of which ${number(asked)} were asked how fresh they are` : ''}, as found in the newest objects and in replays${state.told ? `; ${state.told}` : ''}. ${all.length > state.shown ? html`<button @click=${more}>More</button>` : nothing}</p>`;
}

/** @param {any} pair @param {any} state */
function row(pair, { of }) {
  const found = of.get(pair);
  const name = html`<td><a href=${address('/type', { source: pair.source, type: pair.event_type })}>${pair.event_type}</a></td><td>${pair.source}</td>`;
  if (!found) return html`<tr>${name}<td colspan="4" class="quiet">…</td></tr>`;
  if (found.failure) return html`<tr>${name}<td colspan="4" class="is-late">${found.failure.message}</td></tr>`;
  const { newest, age_s: age, looked_back_to: to } = found.fresh;
  return html`<tr>${name}<td>${newest ? when(newest.event_time) : html`<span class="quiet">none since ${to}</span>`}</td><td>${newest ? duration(age * 1000) : ''}</td>
    <td class="number">${number(found.late.length)}${found.moreLate ? '+' : ''}</td><td class="number">${found.late.length ? duration(Math.max(...found.late.map((/** @type {any} */ item) => item.ingest_lag_ms))) : ''}</td></tr>`;
}

