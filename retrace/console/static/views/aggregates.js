// The versions of a day's number side by side, how far each can be trusted, and what two of them do not share.

import { get } from '../api.js';
import { badge, counted, empty, failed, formOf, html, loading, nothing, number, table, when } from '../parts.js';
import { address } from '../place.js';
import { isDay, toSecond, zoneName } from '../times.js';
import { versionChart } from '../version_chart.js';
import { absenceOf, absentEntity } from './absent.js';
import { difference, joined } from './difference.js';
import { replayOfDay } from './replay_form.js';
import { chosenOf, tellingOf } from './versions.js';

const LISTED = 1000;
const VERSIONS = 100;

/** What was read goes along to an address that only chooses other versions of the same day. @type {any} */
let carried = null;

/** @param {import('../main.js').Page} page */
export async function aggregates(page) {
  const { query, signal, draw, go } = page;
  const isAsked = query.entity && isDay(query.day);
  /** @type {any} */
  const state = { known: null, all: false, ...carried, chosen: carried && chosenOf(carried.known.versions, query), difference: null, failure: null, reading: false };
  carried = null;
  const redraw = () => {
    draw(html`${form(page)}${isAsked ? content(page, state) : empty(query.day && !isDay(query.day) ? html`<code>${query.day}</code> is not a day.` : 'Which entity, and which day?', 'Write a UTC day of event time, such as 2025-11-28.')}`);
    const element = document.getElementById('versions');
    if (!element || !state.chosen || signal.aborted) return;
    versionChart(element, state.known.versions, state.chosen);
    mark(state.chosen);
  };
  state.showAll = () => {
    state.all = true;
    redraw();
  };
  state.choose = (/** @type {import('./versions.js').Chosen} */ chosen, /** @type {boolean} */ replace) => {
    carried = { known: state.known, all: state.all };
    go(address('/aggregates', { ...query, ...chosen }), { replace });
  };
  state.more = () => compareMore(page, state, redraw);
  state.older = () => listOlder(page, state, redraw);
  redraw();
  if (isAsked) await compare(page, state, redraw);
}

/** Compare on from where the last page ended. @param {import('../main.js').Page} page @param {any} state @param {() => void} redraw */
async function compareMore(page, state, redraw) {
  Object.assign(state, { reading: true, unread: null });
  redraw();
  try {
    state.difference = joined(state.difference, await nextPage(page, state));
  } catch (failure) {
    state.unread = failure;
  }
  state.reading = false;
  redraw();
}

/** @param {import('../main.js').Page} page @param {any} state */
function nextPage({ query, signal }, { chosen, difference: found }) {
  return get('/aggregates/diff', { entity_id: query.entity, day: query.day, from: chosen.from, to: chosen.to, limit: LISTED, cursor: found?.cursor }, signal);
}

/** List older versions as well. @param {import('../main.js').Page} page @param {any} state @param {() => void} redraw */
async function listOlder({ query, signal }, state, redraw) {
  state.unlisted = null;
  try {
    const older = await get('/aggregates', { entity_id: query.entity, day: query.day, limit: VERSIONS, cursor: state.known.cursor }, signal);
    Object.assign(state.known, { versions: [...state.known.versions, ...older.versions], cursor: older.cursor });
  } catch (failure) {
    state.unlisted = failure;
  }
  redraw();
}

/** @param {import('../main.js').Page} page @param {any} state @param {() => void} redraw */
async function compare(page, state, redraw) {
  const { query: { entity: entity_id, day }, query, signal } = page;
  try {
    state.known ??= await get('/aggregates', { entity_id, day, limit: VERSIONS }, signal);
    if (signal.aborted) return;
    if (!state.known.versions.length) {
      state.absence = await emptiness(query, signal);
      return;
    }
    const { from, to } = chosenOf(state.known.versions, query);
    // An address without versions would be of others once there is a newer one.
    if (from && (from !== query.from || to !== query.to)) {
      state.choose({ from, to }, true);
      return;
    }
    state.chosen = { from, to };
    redraw();
    if (from && from !== to) state.difference = await nextPage(page, state);
  } catch (failure) {
    state.failure = failure;
  } finally {
    redraw();
  }
}

/** Why a day has no versions: null if it has events that were not replayed yet. @param {import('../place.js').Query} query @param {AbortSignal} signal */
async function emptiness({ entity, day }, signal) {
  const { items } = await get('/events', { entity_id: entity, day, limit: 1 }, signal);
  return items.length ? null : absenceOf(entity, signal);
}

/** Says which are chosen: the browser has changed that itself, unseen by what draws. @param {any} chosen */
function mark(chosen) {
  for (const radio of /** @type {NodeListOf<HTMLInputElement>} */ (document.querySelectorAll('#view input[type=radio]'))) radio.checked = chosen[radio.name] === radio.value;
}

/** @param {import('../main.js').Page} page */
function form({ query, go }) {
  const day = isDay(query.day) ? query.day : '';
  return html`<form class="where" @submit=${(/** @type {SubmitEvent} */ event) => go(address('/aggregates', formOf(event)))}>
    <h1>Aggregates</h1>
    <label>entity <input name="entity" value=${query.entity ?? ''} size="28" required autocomplete="off" spellcheck="false"></label>
    <label>UTC day <input name="day" type="date" value=${day} required></label><button>Show</button>
    ${day && query.entity ? html`<span class="actions"><a class="button main replay" href=${replayOfDay({ entity: query.entity, day })}>Replay this day …</a>
      <a class="button" href=${address('/entity', { id: query.entity, day })}>Its events</a></span>` : nothing}
  </form>`;
}

/** @param {import('../main.js').Page} page @param {any} state */
function content(page, state) {
  const { known, chosen, failure } = state;
  if (!known) return failure ? html`<section>${failed(failure, page.again)}</section>` : loading();
  if (!known.versions.length && state.absence) return absentEntity(page.query.entity, state.absence, '/aggregates', `on ${known.day}`);
  if (!known.versions.length) return empty('This day has no version yet.', html`<a href=${replayOfDay(page.query)}>Replay the day</a> to compute one.`);
  if (!chosen) return loading();
  const { versions, late_arrivals: late, exact } = known;
  return html`
    ${late ? html`<p class="note">${exact ? '' : 'At least '}${counted(late, 'event')} of this day came after the newest version read it. <a href=${replayOfDay({ entity: known.entity_id, day: known.day })}>Replay the day</a> to take them in.</p>` : nothing}
    <section aria-labelledby="versions-title"><h2 id="versions-title">${known.cursor ? 'The newest ' : ''}${counted(versions.length, 'version')} of ${known.day}, newest first</h2>
      <div id="versions" role="img" aria-label="Events of each version, in the order in which they were computed; the table below has the same numbers"></div>
      ${versions.length > 1 ? html`<p class="quiet">The events of each version by when it was computed, ${zoneName()}.</p>` : nothing}
      ${versionsTable(state)}
    </section>
    ${versions.length < 2 ? empty('There is one version, so nothing can be compared.', 'A second replay of the day makes another, and this page shows what changed.')
    : chosen.from === chosen.to ? empty('The same version is chosen as from and to.', 'Choose another one for one of them, to see what they do not share.')
    : difference(state)}`;
}

/** @param {any} state */
function versionsTable({ known, chosen, all, showAll, choose, older, unlisted }) {
  const { versions, exact } = known;
  const shown = all ? versions : tellingOf(versions, chosen);
  const taken = (/** @type {'from' | 'to'} */ name, /** @type {string} */ id) => {
    choose({ ...chosen, [name]: id }, false);
    // Rows may have moved. The arrow keys continue from the chosen one.
    /** @type {HTMLElement | null} */ (document.querySelector(`input[name=${name}]:checked`))?.focus();
  };
  const radio = (/** @type {'from' | 'to'} */ name, /** @type {string} */ id) => html`<input type="radio" name=${name} value=${id} aria-label="${name} ${id}" @change=${() => taken(name, id)}>`;
  return html`${table([
    ['from', (version) => radio('from', version.replay_id)], ['to', (version) => radio('to', version.replay_id)],
    ['events', (version) => html`<strong>${number(version.event_count)}</strong>`, 'number'], ['trust', (version) => trust(version, exact)], ['computed', (version) => when(toSecond(version.computed_at))],
    ['by type', (version) => html`${Object.entries(version.counts_by_type).map(([type, count]) => html`<div>${type} <span class="quiet">${number(/** @type {number} */ (count))}</span></div>`)}${version.other_types_count ? html`<div class="quiet">other types ${number(version.other_types_count)}</div>` : nothing}`],
    ['inputs hash', (version) => html`<code title=${version.inputs_hash}>${version.inputs_hash.slice(0, 12)}</code>`],
    ['replay', (version) => html`<a class="id" href=${address('/replay', { id: version.replay_id })} title=${version.replay_id}>${version.replay_id.slice(0, 18)}</a>`],
  ], shown)}
  ${shown.length < versions.length ? html`<p class="quiet">${counted(versions.length - shown.length, 'version')} more, older ones or of the same events. <button @click=${showAll}>Show all</button></p>` : nothing}
  ${unlisted ? failed(unlisted) : nothing}${known.cursor ? html`<p class="quiet">There may be older versions. <button @click=${older}>List older</button></p>` : nothing}`;
}

/** How far a version can be trusted. @param {import('./versions.js').Version} version @param {boolean} exact */
function trust({ complete, partial_because: why, arrived_since: since }, exact) {
  return html`${complete ? badge('good', 'complete', 'It held every event of the day when its replay read the index.') : badge('warn', 'partial', why.join(' '))}
    ${since ? badge('bad', `stale: ${exact ? '' : 'at least '}${number(since)} came since`) : nothing}
    ${complete ? nothing : html`<div class="quiet">${why.join(' ')}</div>`}`;
}
