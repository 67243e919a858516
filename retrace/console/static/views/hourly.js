// Counts of a day by hour, as small bars in a table: a picture for who looks, numbers for who reads.

import { svg } from '../vendor/lit-html.js';
import { html, nothing, number } from '../parts.js';

const NAMES = /** @type {const} */ ([['accepted', 'accepted'], ['duplicate', 'duplicates'], ['conflict', 'conflicts'], ['rejected', 'rejected']]);

/** @param {Record<string, number[]>} series @param {string} day */
export function hourly(series, day) {
  return html`<div class="scroll" tabindex="0" role="region" aria-label="By hour"><table class="hourly"><thead><tr><th scope="col"></th><th scope="col" class="number">in all</th>${Array.from({ length: 24 }, (_, hour) => html`<th scope="col">${String(hour).padStart(2, '0')}</th>`)}</tr></thead><tbody>
    ${NAMES.filter(([name]) => series[name]).map(([name, told]) => line(told, name, series[name], day))}
  </tbody></table></div>`;
}

/** @param {string} told @param {string} name @param {number[]} counts @param {string} day */
function line(told, name, counts, day) {
  const most = Math.max(1, ...counts);
  return html`<tr><th scope="row">${told}</th><td class="number">${number(counts.reduce((one, next) => one + next, 0))}</td>
    ${counts.map((count, hour) => html`<td title="${told}, ${day} ${String(hour).padStart(2, '0')}:00 UTC: ${number(count)}">
      <svg class="column ${name}" viewBox="0 0 10 30" preserveAspectRatio="none" aria-hidden="true">${count ? bar((28 * count) / most + 2) : nothing}</svg><span class="unseen">${count}</span></td>`)}</tr>`;
}

/** @param {number} height */
function bar(height) {
  return svg`<rect x="0" width="10" y=${30 - height} height=${height}></rect>`;
}
