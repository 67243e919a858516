// The lower chart: how many events there were in each bin, and of which how many stand out.

import { clock, duration } from './times.js';

/** How many events of a bin are drawn. @param {any} bins @param {string[]} hide @param {number} index */
function shown({ all, late }, hide, index) {
  return (hide.includes('late') ? 0 : late[index]) + (hide.includes('event') ? 0 : all[index] - late[index]);
}

/** The highest bar. @param {any} bins @param {string[]} hide */
export function highest(bins, hide) {
  return Math.max(0, ...bins.all.map((/** @type {number} */ _, /** @type {number} */ index) => shown(bins, hide, index)));
}

/** @param {any} u @param {any} bins @param {string[]} hide @param {(name: string) => string} colour */
export function drawBins(u, bins, hide, colour) {
  u.ctx.save();
  u.ctx.beginPath();
  u.ctx.rect(u.bbox.left, u.bbox.top, u.bbox.width, u.bbox.height);
  u.ctx.clip();
  const floor = u.valToPos(0, 'y', true);
  bins.all.forEach((/** @type {number} */ all, /** @type {number} */ index) => {
    if (!all) return;
    const left = u.valToPos(bins.first + index * bins.width, 'x', true);
    const wide = Math.max(1, u.valToPos(bins.first + (index + 1) * bins.width, 'x', true) - left - 1);
    const bar = (/** @type {string} */ name, /** @type {number} */ of) => {
      if (!of) return;
      const top = u.valToPos(of, 'y', true);
      u.ctx.fillStyle = colour(name);
      u.ctx.fillRect(left, Math.min(top, floor - 2), wide, Math.max(2, floor - top));
    };
    const count = shown(bins, hide, index);
    if (!hide.includes('event')) bar('event', count);
    if (!hide.includes('late')) bar('late', bins.late[index]);
    const top = u.valToPos(count, 'y', true);
    if (bins.duplicate[index] && !hide.includes('duplicate')) underline(u, left, wide, top - 5, colour('duplicate'));
    if (bins.conflict[index] && !hide.includes('conflict')) underline(u, left, wide, top - 9, colour('conflict'));
  });
  u.ctx.restore();
}

/** @param {any} u @param {number} left @param {number} wide @param {number} top @param {string} colour */
function underline(u, left, wide, top, colour) {
  u.ctx.fillStyle = colour;
  u.ctx.fillRect(left, Math.max(u.bbox.top, top), wide, 3);
}

/** The bin at a place, with its numbers. @param {any} u @param {any} picture @param {number} left */
export function binAt(u, { bins }, left) {
  const index = Math.floor((u.posToVal(left, 'x') - bins.first) / bins.width);
  if (!(index in bins.all)) return null;
  const from = bins.first + index * bins.width;
  const of = (/** @type {string} */ name, /** @type {string} */ told) => (bins[name][index] ? [`${bins[name][index].toLocaleString('en')} ${told}`] : []);
  const numbers = [`${bins.all[index].toLocaleString('en')} events`, ...of('late', 'late'), ...of('duplicate', 'arrived again'), ...of('conflict', 'conflicts')];
  return { id: null, text: `${clock(from)}, ${duration(bins.width)}\n${numbers.join(', ')}`, left, top: 0, from, to: from + bins.width };
}
