// The events of an aggregate over its versions, in the order in which they were computed.

import uPlot from './vendor/uplot.js';
import { colours } from './colours.js';
import { silent, write } from './labels.js';
import { numberTicks, widthOf } from './ticks.js';
import { minute, msOf } from './times.js';
import { place } from './tips.js';
import { roomFor } from './views/versions.js';

/** @typedef {import('./views/versions.js').Version} Version */

/** What the y axis and the padding take. */
const BESIDE_PX = 104;
const LABEL_PX = 84;
const VALUE_PX = 34;

/** @type {WeakMap<HTMLElement, uPlot>} */
const known = new WeakMap();

/** @param {HTMLElement} element @param {Version[]} versions newest first @param {{from?: string, to?: string}} chosen */
export function versionChart(element, versions, chosen) {
  known.get(element)?.destroy();
  if (versions.length < 2) return;
  const ordered = [...versions].reverse();
  const colour = colours();
  const line = { stroke: colour('quiet'), grid: { stroke: colour('line'), width: 1 } };
  const values = ordered.map((version) => version.event_count);
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const room = Math.max(1, (high - low) * 0.3);
  const bounds = [Math.max(0, low - room), high + room];
  const y = numberTicks(bounds[1] - bounds[0], 4).map(({ at }) => Math.ceil(bounds[0]) + at).map((at) => ({ at, text: at.toLocaleString('en') }));
  const x = (/** @type {uPlot} */ u) => roomFor(ordered.length, u.width - BESIDE_PX, LABEL_PX).map((at) => ({ at, text: minute(msOf(ordered[at].computed_at)).slice(5) }));
  const tip = Object.assign(document.createElement('div'), { className: 'tip', hidden: true });
  const chart = new uPlot(/** @type {any} */ ({
    width: Math.max(200, element.clientWidth), height: 150, legend: { show: false }, cursor: { drag: { x: false, y: false }, points: { show: false } }, padding: [18, 44, 0, 0],
    scales: { x: { time: false, range: () => [-0.3, ordered.length - 0.7] }, y: { range: () => bounds } },
    axes: [{ ...line, ...silent(() => ordered.map((_, at) => ({ at, text: '' })), 26) }, { ...line, ...silent(() => y, Math.max(...y.map(({ text }) => widthOf(text))) + 12) }],
    series: [{}, { stroke: colour('event'), width: 2, paths: uPlot.paths.stepped?.({ align: 1 }), points: { show: false } }],
    hooks: {
      draw: [(/** @type {uPlot} */ u) => dots(u, ordered, chosen, colour), (/** @type {uPlot} */ u) => write(u, { x: x(u), y, title: 'events' })],
      setCursor: [(/** @type {uPlot} */ u) => hover(u, ordered, tip)],
      ready: [(/** @type {uPlot} */ u) => u.over.append(tip)],
    },
  }), [ordered.map((_, index) => index), values], element);
  known.set(element, chart);
  new ResizeObserver(([{ contentRect }], observer) => {
    if (known.get(element) !== chart) observer.disconnect();
    else if (Math.abs(contentRect.width - chart.width) > 1) chart.setSize({ width: contentRect.width, height: chart.height });
  }).observe(element);
}

/** The version nearest to the pointer, with its numbers. @param {uPlot} u @param {Version[]} ordered @param {HTMLElement} tip */
function hover(u, ordered, tip) {
  const left = u.cursor.left ?? -1;
  const version = left < 0 ? null : ordered[Math.round(u.posToVal(left, 'x'))];
  tip.hidden = !version;
  if (!version) return;
  const since = version.arrived_since ? `, ${version.arrived_since.toLocaleString('en')} came since` : '';
  tip.textContent = `${version.event_count.toLocaleString('en')} events, ${version.complete ? 'complete' : 'partial'}${since}\ncomputed ${minute(msOf(version.computed_at))}`;
  place(tip, left + 12, 8, u.over.clientWidth, u.over.clientHeight);
}

/** A dot for each version, and its number where there is room. @param {uPlot} u @param {Version[]} ordered @param {{from?: string, to?: string}} chosen @param {(name: string) => string} colour */
function dots(u, ordered, chosen, colour) {
  const room = new Set(roomFor(ordered.length, u.width - BESIDE_PX, VALUE_PX));
  ordered.forEach((version, index) => dot(u, version, index, chosen, colour, room.has(index)));
}

/** @param {uPlot} u @param {Version} version @param {number} index @param {{from?: string, to?: string}} chosen @param {(name: string) => string} colour @param {boolean} told */
function dot(u, version, index, chosen, colour, told) {
  const x = u.valToPos(index, 'x', true);
  const y = u.valToPos(version.event_count, 'y', true);
  const is = version.replay_id === chosen.from || version.replay_id === chosen.to;
  u.ctx.fillStyle = version.arrived_since || !version.complete ? colour('late') : colour('good');
  u.ctx.beginPath();
  u.ctx.arc(x, y, (is ? 6 : 4) * devicePixelRatio, 0, 7);
  u.ctx.fill();
  if (!told) return;
  u.ctx.fillStyle = colour('ink');
  u.ctx.font = `${12 * devicePixelRatio}px system-ui, sans-serif`;
  u.ctx.textAlign = 'center';
  u.ctx.fillText(String(version.event_count), x, y - 9 * devicePixelRatio);
}
