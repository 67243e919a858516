// Two charts of a window, one above the other: when events happened against when they arrived, and how many there were.

import uPlot from './vendor/uplot.js';
import { colours } from './colours.js';
import { silent, write } from './labels.js';
import { drawArrivals, heightOf, nearest } from './marks.js';
import { binAt, drawBins, highest } from './bars.js';
import { numberTicks, timeTicks, widthOf } from './ticks.js';
import { DAY, HOUR, MINUTE, dayIn, duration } from './times.js';
import { place } from './tips.js';

/**
 * @typedef {object} Drawn what is shown
 * @property {any} picture
 * @property {number} from
 * @property {number} to
 * @property {boolean} byLag
 * @property {number} late
 * @property {string[]} hide what the legend has switched off
 */

/** The title above has the first of them, so that a label at the top stays below it. */
const TOP_PX = 22;
const RIGHT_PX = 10;
const BELOW_PX = 24;
const APART_PX = 12;
const TICK_PX = 26;
/** The lags that the axis names. */
const LAGS = [0, 1000, 10_000, MINUTE, 10 * MINUTE, HOUR, 6 * HOUR, DAY, 7 * DAY, 30 * DAY, 365 * DAY, 3650 * DAY];

/** @type {WeakMap<HTMLElement, Timeline>} */
const known = new WeakMap();

export class Timeline {
  /**
   * The charts in an element: those that are there already, so that nothing flickers, or new ones.
   * @param {HTMLElement} element @param {Timeline['on']} on
   */
  static in(element, on) {
    const timeline = known.get(element) ?? new Timeline(element, on);
    known.set(element, timeline);
    timeline.on = on;
    return timeline;
  }

  /**
   * @param {HTMLElement} element
   * @param {{zoom: (from: number, to: number) => void, pick: (id: string) => void}} on
   */
  constructor(element, on) {
    this.element = element;
    this.on = on;
    /** @type {Drawn | null} */
    this.drawn = null;
    /** @type {uPlot[]} */
    this.charts = [];
    /** @type {uPlot | null} */
    this.under = null;
    this.room = 0;
    this.tip = Object.assign(document.createElement('div'), { className: 'tip', hidden: true });
    this.observer = new ResizeObserver(() => this.resize());
    this.observer.observe(element);
    element.addEventListener('keydown', (event) => this.pressed(event));
  }

  /** @param {Drawn} drawn */
  show(drawn) {
    this.drawn = drawn;
    this.forget();
    const { bins, points, cells } = drawn.picture;
    const bounds = heights(drawn);
    const most = Math.max(4, highest(bins, drawn.hide)) * 1.08;
    const above = drawn.picture.count ? this.heightTicks(bounds) : [];
    const below = numberTicks(most, 4);
    this.room = Math.max(...[...above, ...below].map(({ text }) => widthOf(text))) + 12;
    const arrivals = drawn.picture.count && (points || cells) ? this.chart(250, bounds, above, this.title(bounds), [], (u) => drawArrivals(u, drawn, colours())) : null;
    const density = this.chart(150, [0, most], below, 'events', this.times(), (u) => drawBins(u, bins, drawn.hide, colours()));
    this.charts = [arrivals, density].filter((chart) => chart !== null);
    this.charts[0].over.append(this.tip);
  }

  /** Ticks of the time of events. */
  times() {
    const { from, to } = /** @type {Drawn} */ (this.drawn);
    return timeTicks(from, to, Math.max(100, this.element.clientWidth - this.room - RIGHT_PX));
  }

  /** Ticks of the upper chart's height. @param {[number, number]} bounds */
  heightTicks(bounds) {
    if (!this.drawn?.byLag) return timeTicks(bounds[0], bounds[1], 200, TICK_PX);
    return LAGS.flatMap((lag) => (lag ? [lag, -lag] : [lag])).map((lag) => ({ at: heightOf([0, lag], true), text: duration(lag) }))
      .filter(({ at }) => at >= bounds[0] && at <= bounds[1]).sort((one, other) => Math.abs(one.at) - Math.abs(other.at));
  }

  /** @param {[number, number]} bounds */
  title(bounds) {
    if (this.drawn?.byLag) return 'lag';
    const [first, last] = bounds.map(dayIn);
    return first === last ? `arrived on ${first}` : `arrived, ${first} to ${last}`;
  }

  /** @param {number} height @param {[number, number]} bounds @param {import('./ticks.js').Tick[]} y @param {string} title @param {import('./ticks.js').Tick[]} x @param {(u: uPlot) => void} draw */
  chart(height, bounds, y, title, x, draw) {
    const colour = colours();
    const line = { stroke: colour('quiet'), grid: { stroke: colour('line'), width: 1 } };
    const { from, to } = /** @type {Drawn} */ (this.drawn);
    const options = {
      width: Math.max(200, this.element.clientWidth), height, ms: 1, legend: { show: false }, padding: [TOP_PX, RIGHT_PX, 0, 0],
      scales: { x: { time: false, range: () => [from, to] }, y: { range: () => bounds } },
      cursor: { drag: { x: true, y: false, setScale: false }, sync: { key: 'timeline', scales: ['x', null], setSeries: false }, points: { show: false } },
      axes: [{ ...line, ...silent(() => this.times(), x.length ? BELOW_PX : APART_PX) }, { ...line, ...silent(() => y, this.room) }],
      series: [{}, { scale: 'y', paths: () => null, points: { show: false } }],
      hooks: {
        drawClear: [(/** @type {uPlot} */ u) => this.drawn?.hide.includes('gap') || drawGaps(u, this.drawn?.picture.gaps ?? [], colour)],
        draw: [draw, (/** @type {uPlot} */ u) => write(u, { x: x.length ? this.times() : [], y, title })],
        setSelect: [(/** @type {uPlot} */ u) => this.selected(u)],
        setCursor: [(/** @type {uPlot} */ u) => this.hover(u)],
        ready: [(/** @type {uPlot} */ u) => this.listen(u)],
      },
    };
    return new uPlot(/** @type {any} */ (options), [[from, to], [null, null]], this.element);
  }

  /** @param {uPlot} u */
  listen(u) {
    u.over.addEventListener('click', () => this.clicked(u));
    u.over.addEventListener('pointerenter', () => { this.under = u; });
    u.over.addEventListener('pointerleave', () => { this.tip.hidden = true; });
  }

  /** @param {uPlot} u */
  selected(u) {
    if (u.select.width < 4) return;
    const from = u.posToVal(u.select.left, 'x');
    const to = u.posToVal(u.select.left + u.select.width, 'x');
    this.on.zoom(Math.floor(from), Math.ceil(to));
  }

  /** What lies under the pointer: an event or a cell of the upper chart, a bar of the lower. @param {uPlot} u */
  found(u) {
    const [left, top] = [u.cursor.left ?? -1, u.cursor.top ?? -1];
    if (!this.drawn || left < 0) return null;
    return u === this.charts[this.charts.length - 1] ? binAt(u, this.drawn.picture, left) : nearest(u, this.drawn, left, top);
  }

  /** @param {uPlot} u */
  hover(u) {
    // The cursor of one chart moves that of the other, where no pointer is.
    if (this.under !== u) return;
    const found = this.found(u);
    this.tip.hidden = !found;
    u.over.classList.toggle('picking', !!found);
    if (!found) return;
    u.over.append(this.tip);
    this.tip.textContent = found.text;
    place(this.tip, found.left + 12, found.top + 12, u.over.clientWidth, u.over.clientHeight);
  }

  /** @param {uPlot} u */
  clicked(u) {
    const found = this.found(u);
    if (found?.id) this.on.pick(found.id);
    else if (found) this.on.zoom(found.from, found.to);
  }

  /** @param {KeyboardEvent} event */
  pressed(event) {
    if (!this.drawn) return;
    const { from, to } = this.drawn;
    const span = to - from;
    const moved = { ArrowLeft: [-0.5, -0.5], ArrowRight: [0.5, 0.5], '+': [0.25, -0.25], '=': [0.25, -0.25], '-': [-0.5, 0.5] }[event.key];
    if (!moved) return;
    event.preventDefault();
    this.on.zoom(Math.round(from + moved[0] * span), Math.round(to + moved[1] * span));
  }

  resize() {
    const width = this.element.clientWidth;
    this.charts.forEach((chart) => width > 0 && Math.abs(chart.width - width) > 1 && chart.setSize({ width, height: chart.height }));
  }

  forget() {
    this.charts.forEach((chart) => chart.destroy());
    this.charts = [];
  }

}

/** How high the upper chart reaches. @param {Drawn} drawn @returns {[number, number]} */
function heights({ picture, byLag }) {
  const all = picture.points?.map((/** @type {number[]} */ point) => heightOf(point, byLag));
  let low = all ? Math.min(...all) : picture.cells?.low;
  let high = all ? Math.max(...all) : picture.cells?.high;
  if (!Number.isFinite(low)) [low, high] = [0, 1];
  const room = Math.max((high - low) * 0.08, byLag ? 0.3 : 1000);
  return [low - room, high + room];
}

/** @param {uPlot} u @param {Array<[number, number]>} gaps @param {(name: string) => string} colour */
function drawGaps(u, gaps, colour) {
  u.ctx.save();
  u.ctx.fillStyle = colour('gap');
  for (const [from, to] of gaps) {
    const left = Math.max(u.bbox.left, u.valToPos(from, 'x', true));
    const right = Math.min(u.bbox.left + u.bbox.width, u.valToPos(to, 'x', true));
    if (right > left) u.ctx.fillRect(left, u.bbox.top, right - left, u.bbox.height);
  }
  u.ctx.restore();
}
