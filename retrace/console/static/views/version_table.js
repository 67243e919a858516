// The versions of a day's number in a table: how far each can be trusted, what it comes to, and which two are compared.

import { told } from '../exact.js';
import { badge, counted, failed, html, nothing, number, table, when } from '../parts.js';
import { address } from '../place.js';
import { toSecond } from '../times.js';
import { isWhatIf, whatIf } from './job.js';
import { definitionLink, groupName, valueLine } from './measures.js';
import { measured, tellingOf } from './versions.js';

/** Groups whose values are in a row. */
const GROUPS = 3;

/** @typedef {import('./versions.js').Version} Version */

/** Says which are chosen: the browser has changed that itself, unseen by what draws. @param {any} chosen */
export function mark(chosen) {
  for (const radio of /** @type {NodeListOf<HTMLInputElement>} */ (document.querySelectorAll('#view input[type=radio]'))) radio.checked = chosen[radio.name] === radio.value;
}

/** @param {any} state */
export function versionsTable({ known, chosen, all, showAll, choose, older, unlisted, choice: { name } }) {
  const { versions, exact } = known;
  const shown = all ? versions : tellingOf(versions, chosen, name);
  const taken = (/** @type {'from' | 'to'} */ side, /** @type {string} */ id) => {
    choose({ ...chosen, [side]: id }, false);
    // Rows may have moved. The arrow keys continue from the chosen one.
    /** @type {HTMLElement | null} */ (document.querySelector(`input[name=${side}]:checked`))?.focus();
  };
  const radio = (/** @type {'from' | 'to'} */ side, /** @type {string} */ id) => html`<input type="radio" name=${side} value=${id} aria-label="${side} ${id}" @change=${() => taken(side, id)}>`;
  const columns = /** @type {Array<[string, (version: Version) => unknown, string?]>} */ ([
    ['from', (version) => radio('from', version.replay_id)], ['to', (version) => radio('to', version.replay_id)],
    ...(name ? [[name, (/** @type {Version} */ version) => values(version, name), 'number exact']] : []),
    ['events', (version) => (name ? number(version.event_count) : html`<strong>${number(version.event_count)}</strong>`), 'number'],
    ['trust', (version) => html`${whatIf(version.replay_id)} ${trust(version, exact)}`], ['computed', (version) => when(toSecond(version.computed_at))],
    name ? ['definition', (version) => definitions(version, name)] : ['by type', types],
    ['inputs hash', (version) => html`<code class="id" title=${version.inputs_hash}>${version.inputs_hash.slice(0, name ? 8 : 12)}</code>`],
    ['replay', (version) => html`<a class="id" href=${address('/replay', { id: version.replay_id })} title=${version.replay_id}>${version.replay_id.slice(0, 18)}</a>`],
  ]);
  return html`${table(columns, shown)}
  ${shown.length < versions.length ? html`<p class="quiet">${counted(versions.length - shown.length, 'version')} more, older ones or of the same events${name ? ' and values' : ''}. <button @click=${showAll}>Show all</button></p>` : nothing}
  ${unlisted ? failed(unlisted) : nothing}${known.cursor ? html`<p class="quiet">There may be older versions. <button @click=${older}>List older</button></p>` : nothing}`;
}

/** @param {Version} version */
function types({ counts_by_type: counts, other_types_count: others }) {
  return html`${Object.entries(counts).map(([type, count]) => html`<div>${type} <span class="quiet">${number(count)}</span></div>`)}${others ? html`<div class="quiet">other types ${number(others)}</div>` : nothing}`;
}

/** What a version has of a metric, for the groups in which most events are. @param {Version} version @param {string} name */
function values(version, name) {
  const found = measured(version, name).filter(({ value, inputs }, _, all) => value !== null || inputs || all.length === 1);
  if (!found.length) return html`<span class="quiet">not computed</span>`;
  const isGrouped = found.some(({ group }) => Object.keys(group).length);
  const shown = [...found].sort((one, other) => other.inputs - one.inputs).slice(0, GROUPS);
  return html`${shown.map((one) => valueLine(isGrouped ? groupName(one.group, true) : nothing, one.value === null ? null : told(one.value)))}
    ${found.length > shown.length ? html`<div class="quiet">and ${counted(found.length - shown.length, 'group')} more</div>` : nothing}`;
}

/** @param {Version} version @param {string} name */
function definitions(version, name) {
  const all = [...new Set(measured(version, name).map((one) => one.definition_sha256))];
  return html`${all.map((sha, index) => html`${index ? html`<br>` : nothing}${definitionLink(name, sha, isWhatIf(version.replay_id), 8)}`)}`;
}

/** How far a version can be trusted. @param {Version} version @param {boolean} exact */
function trust({ complete, partial_because: why, arrived_since: since }, exact) {
  return html`${complete ? badge('good', 'complete', 'It held every event of the day when its replay read the index.') : badge('warn', 'partial', why.join(' '))}
    ${since ? badge('bad', `stale: ${exact ? '' : 'at least '}${number(since)} came since`) : nothing}
    ${complete ? nothing : html`<div class="quiet">${why.join(' ')}</div>`}`;
}
