// Pieces of which views are made. Text is only ever set as text: whatever an event says, it is never markup.

import { html, nothing } from './vendor/lit-html.js';
import { address } from './place.js';
import { clock, exact, msOf, zone, zoneName } from './times.js';

export { html, nothing };

const whole = new Intl.NumberFormat('en');
export const number = (/** @type {number} */ value) => whole.format(value);

/** A count that fits a small cell. @param {number} value */
export function short(value) {
  if (value < 1000) return String(value);
  return value < 999_500 ? `${(value / 1000).toFixed(value < 9950 ? 1 : 0)}k` : `${(value / 1e6).toFixed(1)}M`;
}

/** @param {number} count @param {string} one @param {string} [many] */
export function counted(count, one, many = `${one}s`) {
  return `${number(count)} ${count === 1 ? one : many}`;
}

/** An API time in the chosen zone; where that is not UTC, UTC stands beside it. @param {string} text */
export function when(text) {
  if (zone() === 'utc') return html`<time datetime=${text} title="UTC">${exact(text)}</time>`;
  const [local, utc] = [clock(msOf(text)), exact(text)];
  const other = local.slice(0, 10) === utc.slice(0, 10) ? '' : `${utc.slice(0, 10)} `;
  return html`<time datetime=${text} title="${zoneName()}; UTC ${utc}">${local}
    <small class="utc">${other}${utc.slice(11, 19)} UTC</small></time>`;
}

/** @param {string} kind @param {unknown} text @param {string} [title] */
export function badge(kind, text, title) {
  return html`<span class="badge ${kind}" title=${title ?? nothing}>${text}</span>`;
}

/** A name that a narrow place breaks at its own marks, not within a word. @param {string} name */
export function breakable(name) {
  return name.split(/(?<=[./:_-])/).map((part, index) => html`${index ? html`<wbr>` : nothing}${part}`);
}

/** The beginning of an id, which opens the event beside the view. @param {string} id */
export function eventLink(id) {
  const place = new URL(location.href);
  place.searchParams.set('event', id);
  return html`<a class="id" href=${place.pathname + place.search} title=${id}>${id.slice(0, 12)}</a>`;
}

/** @param {string} id @param {Record<string, any>} [more] */
export function entityLink(id, more = {}) {
  return html`<a href=${address('/entity', { id, ...more })}>${id}</a>`;
}

/** @param {unknown} what @param {unknown} [todo] */
export function empty(what, todo) {
  return html`<div class="empty"><p>${what}</p>${todo ? html`<p class="quiet">${todo}</p>` : nothing}</div>`;
}

/** @param {string} [what] */
export function loading(what = 'Loading') {
  return html`<p class="quiet loading" role="status">${what} …</p>`;
}

/** What went wrong, each field that is at fault, and what to do. @param {any} failure @param {(() => void) | null} [again] */
export function failed(failure, again) {
  const faults = failure.problem?.errors ?? [];
  return html`<div class="failure" role="alert">
    <p><strong>${failure.message}</strong></p>
    ${faults.length ? html`<ul>${faults.map((/** @type {any} */ fault) => html`<li><code>${fault.field || 'request'}</code> ${fault.message}</li>`)}</ul>` : nothing}
    ${failure.remedy ? html`<p>${failure.remedy}</p>` : nothing}
    ${again ? html`<button @click=${again}>Try again</button>` : nothing}
  </div>`;
}

/** Facts side by side. @param {Array<[string, unknown] | null | false>} pairs */
export function facts(pairs) {
  return html`<dl class="facts">${pairs.filter((pair) => pair).map((pair) => pair && html`<div><dt>${pair[0]}</dt><dd>${pair[1]}</dd></div>`)}</dl>`;
}

/**
 * A list as a table. On a narrow screen each row becomes a paragraph, in which each cell says what it is.
 * @param {Array<[string, (item: any) => unknown, string?]>} columns what each is called, shows, and looks like @param {any[]} items @param {string} [kind]
 */
export function table(columns, items, kind = '') {
  return html`<div class="scroll"><table class="list ${kind}"><thead><tr>${columns.map(([name, , look]) => html`<th scope="col" class=${look ?? nothing}>${name}</th>`)}</tr></thead><tbody>
    ${items.map((item) => html`<tr>${columns.map((column) => cell(column, item))}</tr>`)}
  </tbody></table></div>`;
}

/** A cell says what it is, unless it is empty. @param {[string, (item: any) => unknown, string?]} column @param {any} item */
function cell([name, shown, look], item) {
  const value = shown(item);
  return html`<td class=${look ?? nothing} data-name=${value === '' || value === nothing ? '' : name}>${value}</td>`;
}

/** A bar as long as a part of a whole. @param {number} part @param {number} all @param {string} [kind] */
export function bar(part, all, kind = '') {
  return html`<svg class="bar ${kind}" viewBox="0 0 100 6" preserveAspectRatio="none" aria-hidden="true"><rect width=${all ? (100 * part) / all : 0} height="6"></rect></svg>`;
}

/** The names with most events, with bars. @param {Array<[unknown, number]>} rows @param {string} caption */
export function ranked(rows, caption) {
  const most = Math.max(1, ...rows.map(([, count]) => count));
  return html`<table class="ranked"><caption>${caption}</caption><tbody>
    ${rows.map(([name, count]) => html`<tr><th scope="row">${name}</th><td class="number">${number(count)}</td><td class="barred">${bar(count, most)}</td></tr>`)}
  </tbody></table>`;
}

/** Say something to who listens rather than looks. @param {string} text */
export function say(text) {
  const said = document.getElementById('said');
  if (said) said.textContent = text;
}

/**
 * A submitted form as an object. Typed and pasted values are trimmed. A value of the address stays as it is, with blanks and line breaks,
 * which a field does not show.
 * @param {SubmitEvent} event @returns {Record<string, string>}
 */
export function formOf(event) {
  event.preventDefault();
  const form = /** @type {HTMLFormElement} */ (event.target);
  return Object.fromEntries([...new FormData(form)].map(([name, value]) => {
    const { defaultValue: before = '' } = /** @type {HTMLInputElement} */ (form.elements.namedItem(name));
    return [name, value === before.replace(/[\r\n]/g, '') ? before : String(value).trim()];
  }));
}
