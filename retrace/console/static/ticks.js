// Ticks of axes: at round times and numbers, as many as have room, with labels that say them exactly.

import { DAY, HOUR, MINUTE, zone } from './times.js';

/** @typedef {{at: number, text: string}} Tick */

const CHARACTER_PX = 6.6;
const BETWEEN_PX = 12;
const SECOND = 1000;
const STEPS = [
  ...[1, 2, 5, 10, 20, 50, 100, 200, 500], ...[1, 2, 5, 10, 15, 30].map((n) => n * SECOND), ...[1, 2, 5, 10, 15, 30].map((n) => n * MINUTE),
  ...[1, 2, 3, 6, 12].map((n) => n * HOUR), ...[1, 2, 7, 14].map((n) => n * DAY),
];
const MONTHS = [1, 3, 6, 12, 24, 60, 120, 600, 1200, 6000, 12_000];

/** How wide a label is, in pixels. @param {string} text */
export const widthOf = (text) => text.length * CHARACTER_PX;

/** @param {number} ms */
const offsetAt = (ms) => (zone() === 'utc' ? 0 : -new Date(ms).getTimezoneOffset() * MINUTE);

/** The instant that clocks of the zone show so. @param {number} wall */
function instantOf(wall) {
  const near = wall - offsetAt(wall);
  return wall - offsetAt(near);
}

/** @param {number} step @returns {[number, number]} which part of 2025-11-28T17:05:01.250 a label shows */
function partOf(step) {
  if (step < SECOND) return [11, 23];
  if (step < MINUTE) return [11, 19];
  return step < DAY ? [11, 16] : [5, 10];
}

/**
 * Ticks of a time axis. Where days begin, a label of hours is the day.
 * @param {number} from @param {number} to @param {number} pixels how long the axis is @param {number} [each] how much each label takes, unless it lies along the axis @returns {Tick[]}
 */
export function timeTicks(from, to, pixels, each) {
  const room = (/** @type {number} */ characters) => pixels / (each ?? characters * CHARACTER_PX + BETWEEN_PX);
  const span = to - from;
  const step = STEPS.find((one) => span / one <= room(partOf(one)[1] - partOf(one)[0]));
  if (!step) return monthTicks(from, to, room(7));
  const [begin, end] = partOf(step);
  const ticks = [];
  for (let wall = Math.ceil((from + offsetAt(from)) / step) * step; ; wall += step) {
    const at = instantOf(wall);
    if (at > to) return ticks;
    const text = new Date(wall).toISOString();
    const isDay = step >= MINUTE && wall % DAY === 0;
    if (at >= from) ticks.push({ at, text: isDay ? text.slice(5, 10) : text.slice(begin, end) });
  }
}

/** @param {number} from @param {number} to @param {number} room @returns {Tick[]} */
function monthTicks(from, to, room) {
  const months = (to - from) / (30.4 * DAY);
  const step = MONTHS.find((one) => months / one <= room) ?? MONTHS[MONTHS.length - 1];
  const first = new Date(from + offsetAt(from));
  const number = Math.ceil((first.getUTCFullYear() * 12 + first.getUTCMonth()) / step) * step;
  const ticks = [];
  for (let month = number; ; month += step) {
    const date = new Date(0);
    date.setUTCFullYear(Math.floor(month / 12), month % 12, 1);
    const at = instantOf(date.getTime());
    if (at > to) return ticks;
    if (at >= from) ticks.push({ at, text: date.toISOString().slice(0, step % 12 ? 7 : 4) });
  }
}

/** Whole numbers from 0 on, such as 0, 5, 10. @param {number} most @param {number} count how many have room @returns {Tick[]} */
export function numberTicks(most, count) {
  const rough = Math.max(1, most / Math.max(1, count));
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = Math.max(1, [1, 2, 5, 10].map((n) => n * power).find((one) => one >= rough) ?? 1);
  return Array.from({ length: Math.floor(most / step) + 1 }, (_, index) => ({ at: index * step, text: (index * step).toLocaleString('en') }));
}

/** Those whose labels, in the middle of their ticks, are not cut at the ends. @param {Tick[]} ticks @param {(at: number) => number} position @param {number} pixels @param {number} [beyond] */
export function uncut(ticks, position, pixels, beyond = 0) {
  return ticks.filter(({ at, text }) => position(at) - widthOf(text) / 2 >= -beyond && position(at) + widthOf(text) / 2 <= pixels + beyond);
}
