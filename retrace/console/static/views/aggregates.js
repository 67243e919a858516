// The versions of a day's number side by side, how far each can be trusted, and what two of them do not share.

import { get } from '../api.js';
import { badge, counted, empty, eventLink, failed, formOf, html, loading, nothing, number, when } from '../parts.js';
import { address } from '../place.js';
import { DAY, dayOf, isDay, rfc, startOf } from '../times.js';
import { versionChart } from '../version_chart.js';

/** @param {import('../main.js').Page} page */
export async function aggregates(page) {
  const { query, signal, draw } = page;
  if (!query.entity || !isDay(query.day)) {
    draw(html`${form(page)}${empty('Of which entity, and which day?', 'A day is a UTC day of event time, such as 2025-11-28.')}`);
    return;
  }
  page.head = form(page);
  draw(html`${page.head}${loading()}`);
  const known = await get('/aggregates', { entity_id: query.entity, day: query.day }, signal);
  if (!known.versions.length) {
    draw(html`${form(page)}${empty('This day has no version yet.', html`<a href=${replayOf(query)}>Replay the day</a> to compute one.`)}`);
    return;
  }
  const newest = known.versions[0].replay_id;
  const to = query.to || newest;
  // The one before it; of the oldest the one after it.
  const place = known.versions.findIndex((/** @type {any} */ version) => version.replay_id === to);
  const from = query.from || (known.versions[place + 1] ?? known.versions[place - 1])?.replay_id;
  // Newer versions may come, and the address is to lead whoever gets it to these two.
  if (from && !(query.from && query.to)) {
    page.go(address('/aggregates', { ...query, from, to }), { replace: true });
    return;
  }
  /** @type {any} */
  const state = { difference: null, failure: null };
  const redraw = () => {
    draw(template(page, known, { from, to }, state));
    const element = document.getElementById('versions');
    if (element && !signal.aborted) versionChart(element, known.versions, { from, to });
  };
  redraw();
  if (!from || from === to) return;
  try {
    state.difference = await get('/aggregates/diff', { entity_id: query.entity, day: query.day, from, to, limit: 500 }, signal);
  } catch (failure) {
    state.failure = failure;
  }
  redraw();
}

/** @param {import('../place.js').Query} query */
function replayOf({ entity, day }) {
  return address('/replay/new', { entity, from: rfc(startOf(day)), to: rfc(startOf(day) + DAY) });
}

/** @param {import('../main.js').Page} page */
function form({ query, go }) {
  const day = isDay(query.day) ? query.day : '';
  const other = (/** @type {number} */ by) => address('/aggregates', { entity: query.entity, day: dayOf(startOf(day) + by * DAY) });
  return html`<form class="where" @submit=${(/** @type {SubmitEvent} */ event) => go(address('/aggregates', formOf(event)))}>
    <h1>Aggregates</h1>
    <label>entity <input name="entity" .value=${query.entity ?? ''} size="28" required autocomplete="off" spellcheck="false"></label>
    <label>UTC day <input name="day" type="date" .value=${day} required></label><button>Show</button>
    ${day && query.entity ? html`<span class="steps"><a class="button" href=${other(-1)} title="The day before">◀</a><a class="button" href=${other(1)} title="The day after">▶</a></span>
    <span class="actions"><a class="button main replay" href=${replayOf({ entity: query.entity, day })}>Replay this day …</a>
      <a class="button" href=${address('/entity', { id: query.entity, day })}>Its events</a></span>` : nothing}
  </form>`;
}

/** @param {import('../main.js').Page} page @param {any} known @param {{from?: string, to: string}} chosen @param {any} state */
function template(page, known, chosen, state) {
  const { versions, late_arrivals: late } = known;
  return html`${form(page)}
    ${late ? html`<p class="note">${counted(late, 'event')} of this day came after the newest version read it. <a href=${replayOf({ entity: known.entity_id, day: known.day })}>Replay the day</a> to take them in.</p>` : nothing}
    <section aria-labelledby="versions-title"><h2 id="versions-title">${counted(versions.length, 'version')} of ${known.day}, newest first</h2>
      <div id="versions" role="img" aria-label="Value of each version, in the order in which they were computed; the table below has the same numbers"></div>
      ${table(page, versions, chosen)}
    </section>
    ${chosen.from && chosen.from !== chosen.to ? difference(state) : empty(versions.length > 1 ? 'A version does not differ from itself: choose two.' : 'There is one version, so nothing can be compared.', versions.length > 1 ? '' : 'A second replay of the day makes another, and this page shows what changed.')}`;
}

/** @param {import('../main.js').Page} page @param {any[]} versions @param {{from?: string, to: string}} chosen */
function table({ query, go }, versions, chosen) {
  const choose = (/** @type {string} */ name, /** @type {string} */ id) => go(address('/aggregates', { ...query, ...chosen, [name]: id }));
  const radio = (/** @type {'from' | 'to'} */ name, /** @type {string} */ id) => html`<input type="radio" name="compare-${name}" aria-label="${name} ${id}" .checked=${chosen[name] === id} @change=${() => choose(name, id)}>`;
  return html`<div class="scroll"><table class="list"><thead><tr><th>from</th><th>to</th><th class="number">value</th><th>trust</th><th>computed</th><th>by type</th><th>inputs hash</th><th>replay</th></tr></thead><tbody>
    ${versions.map((version) => html`<tr><td>${radio('from', version.replay_id)}</td><td>${radio('to', version.replay_id)}</td>
      <td class="number"><strong>${number(version.value)}</strong></td><td>${trust(version)}</td><td>${when(`${version.computed_at.slice(0, 19)}Z`)}</td>
      <td>${Object.entries(version.counts_by_type).map(([type, count]) => html`<div>${type} <span class="quiet">${number(/** @type {number} */ (count))}</span></div>`)}</td>
      <td><code title=${version.inputs_hash}>${version.inputs_hash.slice(0, 12)}</code></td>
      <td><a class="id" href=${address('/replay', { id: version.replay_id })} title=${version.replay_id}>${version.replay_id.slice(0, 18)}</a></td></tr>`)}
  </tbody></table></div>`;
}

/** How far a version can be trusted. @param {any} version */
function trust({ complete, partial_because: why, arrived_since: since }) {
  return html`${complete ? badge('good', 'complete', 'It held every event of the day when its replay read the index.') : badge('warn', 'partial', why.join(' '))}
    ${since ? badge('bad', `stale: ${number(since)} came since`) : nothing}
    ${complete ? nothing : html`<div class="quiet">${why.join(' ')}</div>`}`;
}

/** @param {any} state */
function difference({ difference: found, failure }) {
  if (failure) return html`<section>${failed(failure)}</section>`;
  if (!found) return loading('Comparing');
  const { counts } = found;
  const same = !(counts.only_in_from || counts.only_in_to || counts.changed);
  const items = [
    ...found.only_in_to.map((/** @type {any} */ item) => ['+', 'only in the second', 'good', item]),
    ...found.only_in_from.map((/** @type {any} */ item) => ['−', 'only in the first', 'bad', item]),
    ...found.changed.map((/** @type {any} */ item) => ['~', 'other content', 'warn', item]),
  ];
  return html`<section aria-labelledby="diff-title"><h2 id="diff-title">From ${number(found.from.value)} to ${number(found.to.value)}</h2>
    <p>${same ? html`The same ${counted(counts.shared, 'event')} in both: the two hashes are ${found.from.inputs_hash === found.to.inputs_hash ? 'equal' : 'different'}.` : html`
      ${badge('good', `+ ${number(counts.only_in_to)}`)} ${badge('bad', `− ${number(counts.only_in_from)}`)} ${badge('warn', `~ ${number(counts.changed)}`)}
      <span class="quiet">${counted(counts.shared, 'event')} in both.</span>`}</p>
    ${items.length ? html`<div class="scroll"><table class="list difference"><thead><tr><th></th><th>event</th><th>event time</th><th>type</th></tr></thead><tbody>
      ${items.map(([sign, meaning, kind, item]) => html`<tr><td>${badge(kind, sign, meaning)}</td><td>${eventLink(item.event_id)}</td><td>${when(item.event_time)}</td><td>${item.event_type ?? '(content changed)'}</td></tr>`)}
    </tbody></table></div>` : nothing}
    ${found.truncated ? html`<p class="quiet">Not all are listed; the counts are exact.</p>` : nothing}</section>`;
}
