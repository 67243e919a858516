// Two charts of a window, one above the other: when events happened against when they arrived, and how many there were.

import uPlot from './vendor/uplot.js';
import { colours } from './colours.js';
import { drawArrivals, heightOf, nearest, roomFor } from './marks.js';
import { DAY, HOUR, MINUTE, duration, minute, onAxis, zone } from './times.js';

/**
 * @typedef {object} Drawn what is shown
 * @property {any} picture
 * @property {number} from
 * @property {number} to
 * @property {boolean} byLag
 * @property {number} late
 */

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
    this.room = roomFor(Infinity);
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
    this.room = roomFor(drawn.byLag ? Infinity : bounds[1] - bounds[0]);
    const x = { time: true, range: () => /** @type {[number, number]} */ ([drawn.from, drawn.to]) };
    const arrivals = points || cells ? this.chart(240, { x, y: { range: () => bounds } }, this.yAxis(bounds), {
      draw: [(/** @type {uPlot} */ u) => drawArrivals(u, drawn, colours())],
    }, true) : null;
    const most = Math.max(4, ...bins.all) * 1.08;
    const density = this.chart(130, { x, y: { range: () => [0, most] } }, { label: 'events', values: (/** @type {any} */ _, /** @type {number[]} */ at) => at.map((one) => (Number.isInteger(one) ? one : '')) }, {
      draw: [(/** @type {uPlot} */ u) => drawBins(u, bins, colours())],
    }, false);
    this.charts = [arrivals, density].filter((chart) => chart !== null);
    this.charts[0].over.append(this.tip);
  }

  /** @param {[number, number]} bounds */
  yAxis(bounds) {
    const span = bounds[1] - bounds[0];
    if (this.drawn?.byLag) {
      const at = LAGS.flatMap((lag) => [lag, -lag]).map((lag) => ({ height: heightOf([0, lag], true), name: duration(lag) }))
        .filter(({ height }) => height >= bounds[0] && height <= bounds[1]).sort((one, other) => one.height - other.height);
      return { label: 'lag', splits: () => at.map(({ height }) => height), values: () => at.map(({ name }) => name) };
    }
    const days = bounds.map((one) => minute(one).slice(0, 10));
    return { label: days[0] === days[1] ? `arrived on ${days[0]}` : 'arrived', values: (/** @type {any} */ _, /** @type {number[]} */ at) => at.map((one) => onAxis(one, span)) };
  }

  /** @param {number} height @param {any} scales @param {any} axis @param {any} hooks @param {boolean} picks */
  chart(height, scales, axis, hooks, picks) {
    const colour = colours();
    const line = { stroke: colour('quiet'), grid: { stroke: colour('line'), width: 1 }, ticks: { stroke: colour('line'), width: 1 }, font: '11px system-ui, sans-serif' };
    const { from, to } = /** @type {Drawn} */ (this.drawn);
    const options = {
      width: Math.max(200, this.element.clientWidth), height, ms: 1, scales: { x: scales.x, y: { ...scales.y } },
      tzDate: (/** @type {number} */ ms) => (zone() === 'utc' ? uPlot.tzDate(new Date(ms), 'Etc/UTC') : new Date(ms)), legend: { show: false }, padding: [8, 18, 0, 0],
      cursor: { drag: { x: true, y: false, setScale: false }, sync: { key: 'timeline', scales: ['x', null], setSeries: false }, points: { show: false } },
      axes: [{ ...line, values: picks ? (/** @type {any} */ _, /** @type {number[]} */ at) => at.map(() => '') : xValues(from, to), size: picks ? 8 : 26 }, { ...line, size: this.room, labelSize: 22, labelFont: line.font, labelGap: 2, ...axis }],
      series: [{}, { scale: 'y', paths: () => null, points: { show: false } }],
      hooks: {
        drawClear: [(/** @type {uPlot} */ u) => drawGaps(u, this.drawn?.picture.gaps ?? [], colour)],
        setSelect: [(/** @type {uPlot} */ u) => this.selected(u)],
        setCursor: picks ? [(/** @type {uPlot} */ u) => this.hover(u)] : [],
        ready: picks ? [(/** @type {uPlot} */ u) => u.over.addEventListener('click', () => this.clicked(u))] : [],
        ...hooks,
      },
    };
    return new uPlot(/** @type {any} */ (options), [[from, to], [null, null]], this.element);
  }

  /** @param {uPlot} u */
  selected(u) {
    if (u.select.width < 4) return;
    const from = u.posToVal(u.select.left, 'x');
    const to = u.posToVal(u.select.left + u.select.width, 'x');
    this.on.zoom(Math.floor(from), Math.ceil(to));
  }

  /** @param {uPlot} u */
  found(u) {
    return this.drawn && nearest(u, this.drawn, u.cursor.left ?? -1, u.cursor.top ?? -1);
  }

  /** @param {uPlot} u */
  hover(u) {
    const found = (u.cursor.left ?? -1) >= 0 ? this.found(u) : null;
    this.tip.hidden = !found;
    u.over.classList.toggle('picking', !!found);
    if (!found) return;
    this.tip.textContent = found.text;
    this.tip.style.left = `${Math.min(found.left + 12, Math.max(0, u.over.clientWidth - 260))}px`;
    this.tip.style.top = `${Math.min(found.top + 12, Math.max(0, u.over.clientHeight - 56))}px`;
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

/** @param {number} from @param {number} to */
function xValues(from, to) {
  return (/** @type {any} */ _, /** @type {number[]} */ at) => at.map((one) => onAxis(one, to - from));
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

/** @param {uPlot} u @param {any} bins @param {(name: string) => string} colour */
function drawBins(u, bins, colour) {
  u.ctx.save();
  u.ctx.beginPath();
  u.ctx.rect(u.bbox.left, u.bbox.top, u.bbox.width, u.bbox.height);
  u.ctx.clip();
  const floor = u.valToPos(0, 'y', true);
  bins.all.forEach((/** @type {number} */ count, /** @type {number} */ index) => {
    if (!count) return;
    const left = u.valToPos(bins.first + index * bins.width, 'x', true);
    const wide = Math.max(1, u.valToPos(bins.first + (index + 1) * bins.width, 'x', true) - left - 1);
    const bar = (/** @type {string} */ name, /** @type {number} */ of) => {
      const top = u.valToPos(of, 'y', true);
      u.ctx.fillStyle = colour(name);
      u.ctx.fillRect(left, Math.min(top, floor - 2), wide, Math.max(2, floor - top));
    };
    bar('event', count);
    if (bins.late[index]) bar('late', bins.late[index]);
    const top = u.valToPos(count, 'y', true);
    if (bins.duplicate[index]) underline(u, left, wide, top - 5, colour('duplicate'));
    if (bins.conflict[index]) underline(u, left, wide, top - 9, colour('conflict'));
  });
  u.ctx.restore();
}

/** @param {uPlot} u @param {number} left @param {number} wide @param {number} top @param {string} colour */
function underline(u, left, wide, top, colour) {
  u.ctx.fillStyle = colour;
  u.ctx.fillRect(left, Math.max(u.bbox.top, top), wide, 3);
}
