// A difference of a metric as a waterfall: from one value to the other, event by event, the biggest change first.

import { svg } from '../vendor/lit-html.js';
import { ZERO, compared, exactOf, magnitude, minus, placeOf, plus, roundedDown, signed, textOf, told } from '../exact.js';
import { counted, eventLink, html, nothing, number } from '../parts.js';

/** @typedef {import('../exact.js').Exact} Exact */

/**
 * An event that contributed differently to two versions, as the API tells it, and by how much it changes the value.
 * @typedef {{event_id: string, event_time: string, event_type: string, from_value: string | null, to_value: string | null, from_group: Record<string, string>, to_group: Record<string, string>,
 *   from_skipped?: string, to_skipped?: string, change: Exact}} Change
 * @typedef {{kind: 'from' | 'to' | 'event' | 'rest' | 'unread', before: Exact, after: Exact, event?: Change, count?: number}} Step
 */

/** Events that have a row of their own. */
const MOST = 12;
/** A scale begins at zero unless that leaves changes less of the picture than this. */
const SMALLEST = 0.2;

/** @param {Record<string, string>} one @param {Record<string, string> | null} group all of them, or those of one group */
const isIn = (one, group) => !group || JSON.stringify(one) === JSON.stringify(group);

/** Events of a comparison by the size of their change, then by time; with a group, as they change that group. @param {any[]} contributions @param {Record<string, string> | null} group @returns {Change[]} */
export function changesOf(contributions, group) {
  const change = (/** @type {Change} */ event) => {
    const part = (/** @type {'from' | 'to'} */ side) => (isIn(event[`${side}_group`], group) ? exactOf(event[`${side}_value`]) : ZERO);
    return minus(part('to'), part('from'));
  };
  const all = contributions.filter((event) => isIn(event.from_group, group) || isIn(event.to_group, group)).map((event) => ({ ...event, change: change(event) }));
  return all.sort((one, other) => compared(magnitude(other.change), magnitude(one.change)));
}

/** @param {Exact[]} all */
export const sumOf = (all) => all.reduce(plus, ZERO);

/** The rows of a waterfall: they end at the second value, whatever is folded or not compared yet. @param {Exact} from @param {Exact} to @param {Change[]} changes the biggest first @returns {Step[]} */
export function stepsOf(from, to, changes) {
  /** @type {Step[]} */
  const steps = [{ kind: 'from', before: ZERO, after: from }];
  let at = from;
  const add = (/** @type {Step['kind']} */ kind, /** @type {Exact} */ by, /** @type {Partial<Step>} */ more) => {
    steps.push({ kind, before: at, after: plus(at, by), ...more });
    at = plus(at, by);
  };
  const moving = changes.filter(({ change }) => change.digits);
  const own = moving.length <= MOST + 1 ? moving : moving.slice(0, MOST);
  for (const event of own) add('event', event.change, { event });
  const rest = moving.slice(own.length);
  if (rest.length) add('rest', sumOf(rest.map(({ change }) => change)), { count: rest.length });
  if (compared(at, to)) add('unread', minus(to, at), {});
  return [...steps, { kind: 'to', before: ZERO, after: to }];
}

/** The ends of the scale. It begins at zero, or near the values if the changes would be too small to see. @param {Step[]} steps @returns {[Exact, Exact]} */
export function scaleOf(steps) {
  const all = steps.map(({ after }) => after);
  const low = all.reduce((one, other) => (compared(other, one) < 0 ? other : one));
  const high = all.reduce((one, other) => (compared(other, one) > 0 ? other : one));
  const span = minus(high, low);
  const half = { digits: span.digits * 5n, scale: span.scale + 1 };
  const near = (/** @type {Exact} */ end, /** @type {Exact} */ far) => span.digits !== 0n && placeOf(plus(end, span), end, far) < SMALLEST;
  if (low.digits > 0n) return [near(ZERO, high) ? roundedDown(minus(low, half), span) : ZERO, high];
  if (high.digits < 0n) return [low, near(low, ZERO) ? plus(high, half) : ZERO];
  return [low, high];
}

/** @param {Step[]} steps @param {[string, string]} names of the two versions */
export function waterfall(steps, names) {
  const [low, high] = scaleOf(steps);
  const isCut = low.digits > 0n || high.digits < 0n;
  return html`<ol class="waterfall" aria-label="From one value to the other, the biggest change first">${steps.map((step) => row(step, low, high, names))}</ol>
    ${isCut ? html`<p class="quiet">The scale does not begin at zero, so that changes can be seen: it goes from ${told(textOf(low))} to ${told(textOf(high))}.</p>` : nothing}`;
}

/** @param {Step} step @param {Exact} low @param {Exact} high @param {[string, string]} names */
function row(step, low, high, [first, second]) {
  const { kind, before, after, event, count } = step;
  const name = event ? html`${eventLink(event.event_id)} <span class="quiet">${event.event_type}</span>` : kind === 'rest' ? `${counted(count ?? 0, 'more event')}` : kind === 'unread' ? 'not compared yet' : kind === 'from' ? first : second;
  const change = minus(after, before);
  const isEnd = kind === 'from' || kind === 'to';
  const look = isEnd ? 'end' : kind === 'unread' ? 'unread' : change.digits < 0n ? 'less' : 'more';
  return html`<li class="${look} ${kind}"><span class="name">${name}</span>${track(isEnd ? { ...step, before: low.digits > 0n ? low : high.digits < 0n ? high : ZERO } : step, low, high)}<span class="number exact">${isEnd ? told(textOf(after)) : signed(change)}</span></li>`;
}

/** A bar from one value to the other. What does not begin at zero has a gap. @param {Step} step @param {Exact} low @param {Exact} high */
function track({ kind, before, after }, low, high) {
  const [one, other] = [before, after].map((at) => 1000 * placeOf(at, low, high));
  const [left, width] = [Math.min(one, other), Math.max(4, Math.abs(one - other))];
  return html`<svg viewBox="0 0 1000 10" preserveAspectRatio="none" aria-hidden="true">${svg`<rect x=${Math.min(left, 996)} width=${width} height="10"></rect>${(kind === 'from' || kind === 'to') && before.digits ? svg`<rect class="gap" x=${low.digits > 0n ? 14 : 980} width="6" height="10"></rect>` : nothing}<line x1=${other} x2=${other} y1="0" y2="14"></line>`}</svg>`;
}

/** How many events change a metric, and by how much. @param {Change[]} changes */
export const changed = (changes) => `${number(changes.length)} ${changes.length === 1 ? 'event contributes' : 'events contribute'} differently`;
