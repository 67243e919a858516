// The versions of a day's number side by side, of events or of a metric, and what two of them do not share.

import { exactOf } from '../exact.js';
import { counted, empty, failed, formOf, html, loading, nothing } from '../parts.js';
import { address } from '../place.js';
import { HOUR, calendarDay, isDay, minute, msOf, rfc, zoneName } from '../times.js';
import { versionChart } from '../version_chart.js';
import { absentEntity } from './absent.js';
import { inVersion } from './contributions.js';
import { compareMore, keyOf, listKeyOf, listMetrics, listOlder, read, restore } from './day_reading.js';
import { difference } from './difference.js';
import { isWhatIf } from './job.js';
import { UTC, choiceIn, choiceOf, choices, chooser, saying } from './measures.js';
import { replayOfDay } from './replay_form.js';
import { mark, versionsTable } from './version_table.js';
import { measured } from './versions.js';

/** What was read goes along to an address that shows another side of the same day. @type {any} */
let carried = null;

/** @param {import('../main.js').Page} page */
export async function aggregates(page) {
  const { query, signal, draw, go } = page;
  const isAsked = query.entity && isDay(query.day);
  const choice = choiceIn(query);
  const of = JSON.stringify([query.entity, query.day, choice.calendar]);
  const kept = carried?.of === of ? carried : null;
  carried = null;
  /** @type {any} */
  const state = { of, choice, known: null, metrics: null, all: false, groups: false, changes: false, chosen: null, difference: null, contributions: null, failure: null, reading: false };
  const redraw = () => {
    draw(html`${form(page, state)}${isAsked ? content(page, state) : empty(query.day && !isDay(query.day) ? html`<code>${query.day}</code> is not a day.` : 'Which entity, and which day?', 'Write a UTC day of event time, such as 2025-11-28.')}`);
    const element = document.getElementById('versions');
    if (!element || !state.chosen || signal.aborted) return;
    versionChart(element, ...charted(state), state.chosen);
    mark(state.chosen);
  };
  state.showAll = () => { state.all = true; redraw(); };
  state.showChanges = () => { state.changes = true; redraw(); };
  state.showGroups = () => { state.groups = true; redraw(); };
  state.keep = () => {
    const { known, metrics, all, chosen, difference: found, contributions } = state;
    if (known && metrics) carried = { of, read: { known, metrics, all }, key: keyOf(state), found, listKey: listKeyOf(state, query), contributions, chosen };
  };
  state.choose = (/** @type {import('./versions.js').Chosen} */ chosen, /** @type {boolean} */ replace) => {
    state.keep();
    go(address('/aggregates', { ...query, ...chosen }), { replace });
  };
  state.measure = (/** @type {import('./measures.js').Choice} */ other) => {
    const { metric: _, calendar: __, group: ___, list: ____, from, to, ...others } = query;
    const has = (/** @type {any} */ version) => !other.name || measured(version, other.name).length;
    const same = other.calendar === choice.calendar && [from, to].every((id) => state.known?.versions.some((/** @type {any} */ one) => one.replay_id === id && has(one))) ? { from, to } : {};
    state.keep();
    go(address('/aggregates', { ...others, ...saying(other), ...same }));
  };
  state.more = () => compareMore(page, state, redraw);
  state.older = () => listOlder(page, state, redraw);
  if (kept) restore(page, state, kept, redraw);
  redraw();
  if (isAsked) await read(page, state, redraw);
  else await listMetrics(page, state).then(redraw);
}

/** The versions of a chart, what each comes to, and what that is called. A what-if is no point in time. @param {any} state @returns {[any[], (version: any) => import('../exact.js').Exact, string]} */
function charted({ known, choice: { name } }) {
  const actual = known.versions.filter((/** @type {any} */ one) => !isWhatIf(one.replay_id));
  const having = actual.filter((/** @type {any} */ one) => measured(one, name).length === 1 && measured(one, name)[0].value !== null);
  const isGrouped = actual.some((/** @type {any} */ one) => measured(one, name).length > 1);
  if (!name || isGrouped || having.length < 2) return [actual, ({ event_count: count }) => exactOf(String(count)), 'events'];
  return [having, (version) => exactOf(measured(version, name)[0].value), name];
}

/** The replay that computes a day again. A metric that is not active has to be named. @param {import('../place.js').Query} query @param {import('./measures.js').Choice} choice @param {any[] | null} metrics */
function replayOf({ entity, day }, { name, calendar }, metrics) {
  const isRetired = metrics?.some((one) => one.name === name && one.state === 'RETIRED');
  return replayOfDay({ entity, day, calendar, ...(isRetired ? { metrics: name } : {}) });
}

/** @param {import('../main.js').Page} page @param {any} state */
function form({ query, go }, { choice, known, metrics, measure }) {
  const day = isDay(query.day) ? query.day : '';
  const { calendar } = choice;
  const submitted = (/** @type {SubmitEvent} */ event) => {
    const { measure: chosen, ...asked } = formOf(event);
    go(address('/aggregates', { ...asked, ...saying(choiceOf(chosen)) }));
  };
  const bounds = day && calendar !== UTC ? calendarDay(calendar, day) : null;
  const its = bounds ? { from: rfc(bounds.from), to: rfc(bounds.to) } : { day };
  return html`<form class="where" @submit=${submitted}>
    <h1>Aggregates</h1>
    <label>entity <input name="entity" value=${query.entity ?? ''} size="28" required autocomplete="off" spellcheck="false"></label>
    <label>${calendar === UTC ? 'UTC day' : `day in ${calendar}`} <input name="day" type="date" value=${day} required></label>
    ${chooser(choices(metrics ?? [], known?.versions ?? [], choice), choice, measure)}<button>Show</button>
    ${day && query.entity ? html`<span class="actions"><a class="button main replay" href=${replayOf(query, choice, metrics)}>Replay this day …</a>
      <a class="button" href=${address('/entity', { id: query.entity, ...its })}>Its events</a></span>` : nothing}
  </form>`;
}

/** @param {import('../main.js').Page} page @param {any} state */
function content(page, state) {
  const { known, chosen, choice, metrics, failure } = state;
  const replay = (/** @type {string} */ text) => html`<a href=${replayOf(page.query, choice, metrics)}>${text}</a>`;
  if (!known?.versions.length && failure) return html`<section>${failed(failure, page.again)}</section>`;
  if (!known) return loading();
  const { versions, late_arrivals: late, exact } = known;
  if (!versions.length && state.absence) return absentEntity(page.query.entity, state.absence, '/aggregates', `on ${known.day}`);
  if (!versions.length) return empty(`This day has no version${choice.calendar === UTC ? '' : ` in ${choice.calendar}`} yet.`, html`${replay('Replay the day')} to compute one.`);
  if (!chosen) return loading();
  const title = charted(state)[2];
  return html`
    ${late ? html`<p class="note">${exact ? '' : 'At least '}${counted(late, 'event')} of this day came after the newest version read it. ${replay('Replay the day')} to take them in.</p>` : nothing}
    ${state.unlistedMetrics ? html`<p class="note">Metrics could not be listed. ${state.unlistedMetrics.message} ${state.unlistedMetrics.remedy}</p>` : nothing}
    <section aria-labelledby="versions-title"><h2 id="versions-title">${known.cursor ? 'The newest ' : ''}${counted(versions.length, 'version')} of ${known.day}${choice.calendar === UTC ? '' : ` in ${choice.calendar}`}, newest first</h2>
      ${choice.name || choice.calendar !== UTC ? span(versions[0]) : nothing}
      <div id="versions" role="img" aria-label="${title} of each version, in the order in which they were computed; the table below has the same numbers"></div>
      ${charted(state)[0].length > 1 ? html`<p class="quiet">The ${title} of each version by when it was computed, ${zoneName()}.</p>` : nothing}
      ${versionsTable(state)}
    </section>
    ${compared(page, state, replay)}`;
}

/** The instants between which a version's day lies. @param {import('./versions.js').Version} version */
function span({ window_start: start, window_end: end }) {
  return html`<p class="quiet">The day is from ${minute(msOf(start))} to ${minute(msOf(end))} ${zoneName()}, ${counted((msOf(end) - msOf(start)) / HOUR, 'hour')}.</p>`;
}

/** Two versions compared, and what the metric that is shown comes to in the second. @param {import('../main.js').Page} page @param {any} state @param {(text: string) => unknown} replay */
function compared(page, state, replay) {
  const { known: { versions }, chosen: { from, to }, choice: { name } } = state;
  const second = versions.find((/** @type {any} */ one) => one.replay_id === to);
  if (!to) return empty(html`No version of this day has the metric <code>${name}</code>.`, html`${replay('Replay the day')} to compute it, or choose another metric.`);
  return html`${!from ? empty(name && versions.length > 1 ? html`One version has <code>${name}</code>, so nothing can be compared.` : 'There is one version, so nothing can be compared.', 'A second replay of the day makes another, and this page shows what changed.')
    : from === to ? empty('The same version is chosen as from and to.', 'Choose another one for one of them, to see what they do not share.')
    : difference(state, page.query)}
    ${name && second ? inVersion(second, state, page.query) : nothing}`;
}
