// Labels of a chart's axes as elements, not pixels: they scale with the text of the page, and a test can measure that none overlaps.

import { uncut } from './ticks.js';

/** @typedef {import('./ticks.js').Tick} Tick */

const ROW_PX = 15;

/** What keeps a chart's own axis from writing: its lines are at these ticks. @param {() => Tick[]} ticks @param {number} size */
export function silent(ticks, size) {
  return { splits: () => ticks().map(({ at }) => at), values: (/** @type {any} */ _, /** @type {number[]} */ at) => at.map(() => ''), size, gap: 0, ticks: { show: false } };
}

/**
 * Write the labels of a chart.
 * @param {any} u @param {{x?: Tick[], y?: Tick[], title?: string, above?: {x: number, y: number, text: string}[]}} labels `above` some values that are drawn
 */
export function write(u, { x = [], y = [], title, above = [] }) {
  const wrap = u.root.querySelector('.u-wrap');
  wrap.querySelectorAll('.label').forEach((/** @type {Element} */ old) => old.remove());
  const [left, top, height] = [u.bbox.left, u.bbox.top, u.bbox.height].map((px) => px / devicePixelRatio);
  const put = (/** @type {string} */ text, /** @type {string} */ kind, /** @type {number} */ at, /** @type {number} */ from) => {
    const label = Object.assign(document.createElement('span'), { className: `label ${kind}`, textContent: text });
    label.style.left = `${at}px`;
    label.style.top = `${from}px`;
    wrap.append(label);
  };
  const width = wrap.clientWidth;
  const along = (/** @type {number} */ at) => left + u.valToPos(at, 'x');
  uncut(x, along, width).forEach(({ at, text }) => put(text, 'below', along(at), top + height + 8));
  apart(y.map((tick) => ({ ...tick, px: u.valToPos(tick.at, 'y') })).filter(({ px }) => px >= -1 && px <= height + 1))
    .forEach(({ px, text }) => put(text, 'beside', left - 5, top + px));
  above.forEach((value) => put(value.text, 'above', along(value.x), top + u.valToPos(value.y, 'y')));
  if (title) put(title, 'title', 0, 0);
}

/** Those that do not come too near to the one before. @template {{px: number}} T @param {T[]} ticks @returns {T[]} */
function apart(ticks) {
  /** @type {T[]} */
  const kept = [];
  for (const tick of ticks) if (kept.every(({ px }) => Math.abs(px - tick.px) >= ROW_PX)) kept.push(tick);
  return kept;
}
