// Counts in bins of a window as a row of columns: a picture for the eye, and a link and a number for each.

import { svg } from '../vendor/lit-html.js';
import { html, nothing, number } from '../parts.js';
import { DAY, HOUR, MINUTE, minute, zoneName } from '../times.js';
import { dipAt, toldOf } from './dips.js';
import { timeTicks, uncut } from '../ticks.js';

/**
 * @typedef {{first: number, width: number, count: number}} Bins of a window: where the first begins, how long each is, how many
 * @typedef {{all: number[], late?: number[], until?: number | null, dips?: import('./dips.js').Dip[]}} Counts
 */

const WIDTHS = [5 * MINUTE, 15 * MINUTE, HOUR, 3 * HOUR, 6 * HOUR, DAY, 7 * DAY];
const MOST = 73;
const AROUND = 3;

/** The bins of a window: at most so many, beginning at round times. @param {import('./window.js').Window} window @returns {Bins} */
export function binsOf({ from, to }) {
  const width = WIDTHS.find((one) => (to - from) / one <= MOST - 1) ?? 28 * DAY * Math.ceil((to - from) / (28 * DAY * MOST));
  const first = Math.floor(from / width) * width;
  return { first, width, count: Math.ceil((to - first) / width) };
}

/** What is counted by absolute time, in the bins of a window. @param {number[]} counts @param {{first: number, width: number}} of @param {Bins} bins */
export function placed(counts, of, { first, width, count }) {
  const places = Array(count).fill(0);
  if (of.width !== width) return places;
  const moved = (of.first - first) / width;
  counts.forEach((value, index) => { if (index + moved >= 0 && index + moved < count) places[index + moved] = value; });
  return places;
}

/** How a bin is called: an hour, 15 minutes. @param {number} width */
export function spoken(width) {
  const [unit, name] = width >= DAY ? [DAY, 'day'] : width >= HOUR ? [HOUR, 'hour'] : [MINUTE, 'minute'];
  return width === unit ? name : `${width / unit} ${name}s`;
}

/**
 * A row of columns on a scale of its own.
 * @param {Bins} bins @param {Counts} counts @param {string} name @param {string} kind @param {((from: number, to: number) => string) | null} to where a column leads
 */
export function strip({ first, width }, { all, late, until, dips = [] }, name, kind, to) {
  const most = Math.max(1, ...all);
  const now = Date.now();
  return html`<div class="strip">${all.map((count, index) => {
    const from = first + index * width;
    const state = from > now ? 'future' : until && from > until ? 'unread' : count ? '' : 'none';
    const dip = state === 'unread' || state === 'future' ? undefined : dipAt(dips, from, from + width);
    const shown = dip ? `${state} dip` : state;
    const told = state === 'future' ? 'has not come yet' : state === 'unread' ? 'not read' : `${number(count)}${late?.[index] ? `, ${number(late[index])} late` : ''}${count || kind !== 'event' ? '' : ', empty'}${dip ? `, ${toldOf(dip)}` : ''}`;
    const text = `${name}, ${minute(from)}: ${told}`;
    const column = svg`<svg viewBox="0 0 10 30" preserveAspectRatio="none" aria-hidden="true">${count ? svg`<rect class=${kind} y=${28 - (28 * count) / most} width="10" height=${(28 * count) / most + 2}></rect>${late?.[index] ? svg`<rect class="late" y=${30 - (28 * late[index]) / most - 2} width="10" height=${(28 * late[index]) / most + 2}></rect>` : nothing}` : nothing}</svg>`;
    if (!to || state === 'future') return html`<span class="column ${state}" data-tip=${text}>${column}<span class="unseen">${told}</span></span>`;
    const there = count ? to(from, from + width) : to(from - AROUND * width, from + (AROUND + 1) * width);
    return html`<a class="column ${shown}" href=${there} tabindex="-1" aria-label=${text} data-tip=${text}>${column}</a>`;
  })}</div>`;
}

/** The times below such rows. @param {Bins} bins @param {number} pixels how wide the rows are */
export function axis({ first, width, count }, pixels) {
  const span = width * count;
  const position = (/** @type {number} */ at) => ((at - first) / span) * pixels;
  const ticks = uncut(timeTicks(first, first + span, pixels), position, pixels);
  return html`<div class="axis" aria-hidden="true" title=${zoneName()}>${ticks.map(({ at, text }) => html`<span class="tick" .style=${`left: ${(100 * (at - first)) / span}%`}>${text}</span>`)}</div>`;
}
