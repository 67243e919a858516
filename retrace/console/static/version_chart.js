// The events of an aggregate over its versions, or the values of a metric, in the order in which they were computed.

import uPlot from './vendor/uplot.js';
import { colours } from './colours.js';
import { compared, minus, placeOf, plus, roundNumbers, shortened, textOf, told, toldShort } from './exact.js';
import { silent, write } from './labels.js';
import { number } from './parts.js';
import { widthOf } from './ticks.js';
import { clock, msOf, toldApart } from './times.js';
import { place } from './tips.js';
import { roomFor } from './views/versions.js';

/** @typedef {import('./views/versions.js').Version} Version */

/** What the y axis and the padding take. */
const BESIDE_PX = 104;
const LABEL_PX = 18;
const VALUE_PX = 34;
/** Above it a label would lie over the title. */
const HIGHEST = 0.92;

/** @type {WeakMap<HTMLElement, uPlot>} */
const known = new WeakMap();

/** @typedef {import('./exact.js').Exact} Exact */

/**
 * @param {HTMLElement} element @param {Version[]} versions newest first @param {(version: Version) => Exact} valueOf what is drawn of each
 * @param {string} title what that is called @param {{from?: string, to?: string}} chosen
 */
export function versionChart(element, versions, valueOf, title, chosen) {
  known.get(element)?.destroy();
  known.delete(element);
  if (versions.length < 2) return;
  const ordered = [...versions].reverse();
  const colour = colours();
  const line = { stroke: colour('quiet'), grid: { stroke: colour('line'), width: 1 } };
  const [low, high] = boundsOf(ordered.map(valueOf));
  // Drawn are parts of the scale. Its numbers are texts, exact however many digits they have.
  const place = (/** @type {Exact} */ exact) => placeOf(exact, low, high);
  const isWhole = ordered.every((version) => !textOf(valueOf(version)).includes('.'));
  const y = roundNumbers(low, high, 5).filter((at) => !isWhole || !textOf(at).includes('.')).map((at) => ({ at: place(at), text: toldShort(at) })).filter(({ at }) => at < HIGHEST);
  const places = ordered.map((version) => place(valueOf(version)));
  const values = ordered.map((version) => shortened(told(textOf(valueOf(version)))));
  const each = Math.max(VALUE_PX, ...values.map((text) => widthOf(text) + 10));
  const above = (/** @type {uPlot} */ u) => roomFor(ordered.length, u.width - BESIDE_PX, each).map((at) => ({ x: at, y: places[at], text: values[at] }));
  const times = toldApart(ordered.map((version) => msOf(version.computed_at)));
  const x = (/** @type {uPlot} */ u) => roomFor(ordered.length, u.width - BESIDE_PX, widthOf(times[0]) + LABEL_PX).map((at) => ({ at, text: times[at] }));
  const tip = Object.assign(document.createElement('div'), { className: 'tip', hidden: true });
  const chart = new uPlot(/** @type {any} */ ({
    width: Math.max(200, element.clientWidth), height: 150, legend: { show: false }, cursor: { drag: { x: false, y: false }, points: { show: false } }, padding: [18, 44, 0, 0],
    scales: { x: { time: false, range: () => [-0.3, ordered.length - 0.7] }, y: { range: () => [0, 1] } },
    axes: [{ ...line, ...silent(() => ordered.map((_, at) => ({ at, text: '' })), 26) }, { ...line, ...silent(() => y, Math.max(...y.map(({ text }) => widthOf(text))) + 12) }],
    series: [{}, { stroke: colour('event'), width: 2, paths: uPlot.paths.stepped?.({ align: 1 }), points: { show: false } }],
    hooks: {
      draw: [(/** @type {uPlot} */ u) => ordered.forEach((version, at) => dot(u, version, at, places[at], chosen, colour)), (/** @type {uPlot} */ u) => write(u, { x: x(u), y, title, above: above(u) })],
      setCursor: [(/** @type {uPlot} */ u) => hover(u, ordered, (version) => `${told(textOf(valueOf(version)))} ${title === 'events' ? title : `of ${number(version.event_count)} events`}`, tip)],
      ready: [(/** @type {uPlot} */ u) => u.over.append(tip)],
    },
  }), [ordered.map((_, index) => index), places], element);
  known.set(element, chart);
  new ResizeObserver(([{ contentRect }], observer) => {
    if (known.get(element) !== chart) observer.disconnect();
    else if (Math.abs(contentRect.width - chart.width) > 1) chart.setSize({ width: contentRect.width, height: chart.height });
  }).observe(element);
}

/** The ends of a scale with room above and below. @param {Exact[]} all @returns {[Exact, Exact]} */
function boundsOf(all) {
  const low = all.reduce((one, other) => (compared(other, one) < 0 ? other : one));
  const high = all.reduce((one, other) => (compared(other, one) > 0 ? other : one));
  const { digits, scale } = minus(high, low);
  // Three tenths of the span, or of one if all are equal.
  const room = digits ? { digits: digits * 3n, scale: scale + 1 } : { digits: 1n, scale: 0 };
  const below = minus(low, room);
  return [low.digits >= 0n && below.digits < 0n ? { digits: 0n, scale: 0 } : below, plus(high, room)];
}

/** The version nearest to the pointer, with its numbers. @param {uPlot} u @param {Version[]} ordered @param {(version: Version) => string} toldOf @param {HTMLElement} tip */
function hover(u, ordered, toldOf, tip) {
  const left = u.cursor.left ?? -1;
  const version = left < 0 ? null : ordered[Math.round(u.posToVal(left, 'x'))];
  tip.hidden = !version;
  if (!version) return;
  const since = version.arrived_since ? `, ${version.arrived_since.toLocaleString('en')} came since` : '';
  tip.textContent = `${toldOf(version)}, ${version.complete ? 'complete' : 'partial'}${since}\ncomputed ${clock(msOf(version.computed_at))}`;
  place(tip, left + 12, 8, u.over.clientWidth, u.over.clientHeight);
}

/** The dot of a version. @param {uPlot} u @param {Version} version @param {number} index @param {number} place @param {{from?: string, to?: string}} chosen @param {(name: string) => string} colour */
function dot(u, version, index, place, chosen, colour) {
  const is = version.replay_id === chosen.from || version.replay_id === chosen.to;
  u.ctx.fillStyle = version.arrived_since || !version.complete ? colour('late') : colour('good');
  u.ctx.beginPath();
  u.ctx.arc(u.valToPos(index, 'x', true), u.valToPos(place, 'y', true), (is ? 6 : 4) * devicePixelRatio, 0, 7);
  u.ctx.fill();
}
