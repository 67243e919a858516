// What is drawn of single events, or of cells of many, and which of them lies under the pointer.

import { clock, duration } from './times.js';

export const DUPLICATE = 1;
export const CONFLICT = 2;
const REACH = 10;

/** @param {any} u @param {import('./timeline.js').Drawn} drawn @param {(name: string) => string} colour */
export function drawArrivals(u, drawn, colour) {
  const { ctx } = u;
  ctx.save();
  ctx.beginPath();
  ctx.rect(u.bbox.left, u.bbox.top, u.bbox.width, u.bbox.height);
  ctx.clip();
  drawOnTime(u, drawn, colour);
  if (drawn.picture.points) drawPoints(u, drawn, colour);
  else drawCells(u, drawn.picture.cells, drawn, colour);
  ctx.restore();
}

/** Where an event would lie that arrived at once; of lags, where late begins. @param {any} u @param {any} drawn @param {any} colour */
function drawOnTime(u, { from, to, byLag, late }, colour) {
  const { ctx } = u;
  const height = byLag ? Math.log10(1 + late) : 0;
  ctx.strokeStyle = colour('quiet');
  ctx.setLineDash([4, 4]);
  ctx.lineWidth = 1;
  ctx.beginPath();
  ctx.moveTo(u.valToPos(from, 'x', true), u.valToPos(byLag ? height : from, 'y', true));
  ctx.lineTo(u.valToPos(to, 'x', true), u.valToPos(byLag ? height : to, 'y', true));
  ctx.stroke();
  ctx.setLineDash([]);
}

/** Where on the y axis an event lies. @param {number[]} point @param {boolean} byLag */
export function heightOf([time, arrival], byLag) {
  const lag = arrival - time;
  return byLag ? Math.sign(lag) * Math.log10(1 + Math.abs(lag)) : arrival;
}

/** @param {any} u @param {any} drawn @param {any} colour */
function drawPoints(u, { picture, byLag, late, hide }, colour) {
  const { ctx } = u;
  const size = 3 * devicePixelRatio;
  const drawn = [...picture.points].sort((one, other) => one[2] - other[2]);
  for (const point of drawn) {
    const [time, arrival, mark] = point;
    if (isHidden(point, late, hide)) continue;
    const x = u.valToPos(time, 'x', true);
    const y = u.valToPos(heightOf(point, byLag), 'y', true);
    ctx.fillStyle = colour(arrival - time >= late ? 'late' : 'event');
    ctx.beginPath();
    ctx.arc(x, y, size, 0, 7);
    ctx.fill();
    if (mark & DUPLICATE && !hide.includes('duplicate')) ring(ctx, x, y, size * 1.9, colour('duplicate'));
    if (mark & CONFLICT && !hide.includes('conflict')) cross(ctx, x, y, size * 2, colour('conflict'));
  }
}

/** Whether the legend has switched events like this one off. @param {number[]} point @param {number} late @param {string[]} hide */
const isHidden = ([time, arrival], late, hide) => hide.includes(arrival - time >= late ? 'late' : 'event');

/** @param {CanvasRenderingContext2D} ctx @param {number} x @param {number} y @param {number} size @param {string} colour */
function ring(ctx, x, y, size, colour) {
  ctx.strokeStyle = colour;
  ctx.lineWidth = 1.6 * devicePixelRatio;
  ctx.beginPath();
  ctx.arc(x, y, size, 0, 7);
  ctx.stroke();
}

/** @param {CanvasRenderingContext2D} ctx @param {number} x @param {number} y @param {number} size @param {string} colour */
function cross(ctx, x, y, size, colour) {
  ctx.strokeStyle = colour;
  ctx.lineWidth = 2 * devicePixelRatio;
  ctx.beginPath();
  ctx.moveTo(x - size, y - size);
  ctx.lineTo(x + size, y + size);
  ctx.moveTo(x - size, y + size);
  ctx.lineTo(x + size, y - size);
  ctx.stroke();
}

/** @param {any} u @param {any} cells @param {any} drawn @param {any} colour */
function drawCells(u, cells, { from, to, hide }, colour) {
  const most = Math.log2(1 + Math.max(1, ...cells.at.map((/** @type {number[]} */ cell) => cell[2])));
  const { ctx } = u;
  for (const [column, row, all, late] of cells.at) {
    const count = (hide.includes('late') ? 0 : late) + (hide.includes('event') ? 0 : all - late);
    if (!count) continue;
    const box = boxOf(u, cells, from, to, column, row);
    ctx.globalAlpha = 0.3 + (0.7 * Math.log2(1 + count)) / most;
    ctx.fillStyle = colour(hide.includes('late') || 2 * late < count ? 'event' : 'late');
    ctx.fillRect(box.left, box.top, Math.max(2, box.width), Math.max(2, box.height));
  }
  ctx.globalAlpha = 1;
}

/** @param {any} u @param {any} cells @param {number} from @param {number} to @param {number} column @param {number} row */
function boxOf(u, cells, from, to, column, row) {
  const x = (/** @type {number} */ at) => u.valToPos(from + ((to - from) * at) / cells.columns, 'x', true);
  const y = (/** @type {number} */ at) => u.valToPos(cells.low + ((cells.high - cells.low) * at) / cells.rows, 'y', true);
  return { left: x(column), top: y(row + 1), width: x(column + 1) - x(column), height: y(row) - y(row + 1) };
}

/**
 * The event, or the cell of events, at a place in the chart; null where there is none.
 * @param {any} u @param {import('./timeline.js').Drawn} drawn @param {number} left @param {number} top
 */
export function nearest(u, drawn, left, top) {
  return drawn.picture.points ? nearestPoint(u, drawn, left, top) : cellAt(u, drawn, left, top);
}

/** @param {any} u @param {any} drawn @param {number} left @param {number} top */
function nearestPoint(u, { picture, byLag, late, hide }, left, top) {
  let best = null;
  let least = REACH * REACH;
  for (const point of picture.points) {
    const x = u.valToPos(point[0], 'x');
    if (Math.abs(x - left) > REACH || isHidden(point, late, hide)) continue;
    const y = u.valToPos(heightOf(point, byLag), 'y');
    const distance = (x - left) ** 2 + (y - top) ** 2;
    if (distance < least) [least, best] = [distance, { point, left: x, top: y }];
  }
  if (!best) return null;
  const [time, arrival, mark, kind, id] = best.point;
  const [source, type] = picture.names[kind];
  const again = [mark & DUPLICATE && 'arrived again', mark & CONFLICT && 'conflict'].filter(Boolean).join(', ');
  const text = `${type} · ${source}\n${clock(time)} · lag ${duration(arrival - time)}${again ? ` · ${again}` : ''}`;
  return { id, text, left: best.left, top: best.top, from: time, to: time };
}

/** @param {any} u @param {any} drawn @param {number} left @param {number} top */
function cellAt(u, { picture: { cells }, from, to }, left, top) {
  if (!cells) return null;
  const column = Math.floor((cells.columns * (u.posToVal(left, 'x') - from)) / (to - from));
  const row = Math.floor((cells.rows * (u.posToVal(top, 'y') - cells.low)) / (cells.high - cells.low || 1));
  const near = cells.at.find((/** @type {number[]} */ cell) => Math.abs(cell[0] - column) <= 1 && Math.abs(cell[1] - row) <= 1);
  if (!near) return null;
  const wide = (to - from) / cells.columns;
  const begin = from + near[0] * wide;
  const text = `${near[2]} events${near[3] ? `, ${near[3]} late` : ''}\nfrom ${clock(Math.round(begin))}; click to look closer`;
  return { id: null, text, left, top, from: Math.floor(begin - 2 * wide), to: Math.ceil(begin + 3 * wide) };
}
