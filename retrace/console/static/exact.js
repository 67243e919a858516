// Exact decimal numbers, as the API writes them: added and compared in all of their digits, of which a number of JavaScript keeps sixteen.

/** @typedef {{digits: bigint, scale: number}} Exact `digits` divided by ten to the power of `scale` */

/** @type {Exact} */
export const ZERO = { digits: 0n, scale: 0 };

/** @param {string | null | undefined} text plain digits; null is nothing @returns {Exact} */
export function exactOf(text) {
  const [whole, fraction = ''] = (text ?? '0').split('.');
  return { digits: BigInt(whole + fraction), scale: fraction.length };
}

/** Both at the scale of the finer one. @param {Exact} one @param {Exact} other @returns {[bigint, bigint, number]} */
function aligned(one, other) {
  const scale = Math.max(one.scale, other.scale);
  const at = (/** @type {Exact} */ { digits, scale: own }) => digits * 10n ** BigInt(scale - own);
  return [at(one), at(other), scale];
}

/** @param {Exact} one @param {Exact} other @returns {Exact} */
export function plus(one, other) {
  const [left, right, scale] = aligned(one, other);
  return { digits: left + right, scale };
}

/** @param {Exact} one @param {Exact} other */
export const minus = (one, other) => plus(one, { ...other, digits: -other.digits });

/** @param {Exact} exact @returns {Exact} */
export const magnitude = ({ digits, scale }) => ({ digits: digits < 0n ? -digits : digits, scale });

/** Below zero if the first is less. @param {Exact} one @param {Exact} other */
export function compared(one, other) {
  const { digits } = minus(one, other);
  return digits < 0n ? -1 : Number(digits > 0n);
}

/** The largest power of ten that fits, of one digit before the last. @param {Exact} exact not zero @returns {Exact} */
function unitOf({ digits, scale }) {
  const power = magnitude({ digits, scale }).digits.toString().length - 1 - scale;
  return power < 0 ? { digits: 1n, scale: -power } : { digits: 10n ** BigInt(power), scale: 0 };
}

/** The round number at or below. @param {Exact} exact @param {Exact} span how large a part of the digits matters @returns {Exact} */
export function roundedDown(exact, span) {
  if (!span.digits) return exact;
  const [value, unit, scale] = aligned(exact, unitOf(span));
  const rest = ((value % unit) + unit) % unit;
  return { digits: value - rest, scale };
}

/** Round numbers within bounds, as many as have room. @param {Exact} low @param {Exact} high @param {number} count @returns {Exact[]} */
export function roundNumbers(low, high, count) {
  const span = minus(high, low);
  if (span.digits <= 0n) return [low];
  const unit = unitOf(span);
  const steps = [20n, 50n, 100n, 200n, 500n, 1000n].map((by) => ({ digits: unit.digits * by, scale: unit.scale + 2 }));
  const step = steps.find((one) => shareOf(one, span) * count >= 1) ?? steps[5];
  const ticks = [];
  for (let at = roundedTo(low, step); compared(at, high) <= 0; at = plus(at, step)) ticks.push(at);
  return ticks;
}

/** The multiple of a step at or above. @param {Exact} exact @param {Exact} step @returns {Exact} */
function roundedTo(exact, step) {
  const [value, by, scale] = aligned(exact, step);
  const rest = ((value % by) + by) % by;
  return { digits: rest ? value - rest + by : value, scale };
}

const PARTS = 1_000_000n;
/** Characters of a number that an axis or a dot has room for. */
const LONG = 13;

/** How large a part is, from 0 to 1: for drawing, never for a number that is shown. @param {Exact} part @param {Exact} whole */
export function shareOf(part, whole) {
  const [left, right] = aligned(part, whole);
  return right ? Number((left * PARTS) / right) / Number(PARTS) : 0;
}

/** Where a number lies between two, from 0 to 1: for drawing. @param {Exact} at @param {Exact} low @param {Exact} high */
export const placeOf = (at, low, high) => shareOf(minus(at, low), minus(high, low));

/** All of the digits, as the API writes them. @param {Exact} exact */
export function textOf({ digits, scale }) {
  const all = (digits < 0n ? -digits : digits).toString().padStart(scale + 1, '0');
  const [whole, fraction] = [all.slice(0, all.length - scale), all.slice(all.length - scale).replace(/0+$/, '')];
  return `${digits < 0n ? '-' : ''}${whole}${fraction && `.${fraction}`}`;
}

/** As people read it, with commas and all of its digits. @param {string} text */
export function told(text) {
  const [whole, fraction] = text.split('.');
  return `${whole.replace('-', '−').replace(/\B(?=(\d{3})+$)/g, ',')}${fraction ? `.${fraction}` : ''}`;
}

/** A round number for an axis; one with many zeros is written with its power of ten. @param {Exact} exact */
export function toldShort(exact) {
  const text = told(textOf(exact));
  const [, begin, zeros] = /^(−?\d+?)(0+)$/.exec(textOf(exact).replace('-', '−')) ?? [];
  return text.length > LONG && zeros ? `${begin}e${zeros.length}` : shortened(text);
}

/** A number where there is little room, with a sign that more digits follow. @param {string} text */
export const shortened = (text) => (text.length > LONG ? `${text.slice(0, LONG - 1)}…` : text);

/** A change, with its sign. @param {Exact} exact */
export const signed = (exact) => `${exact.digits > 0n ? '+' : ''}${told(textOf(exact))}`;

const TAG = '\u0000digits ';
const TOKENS = /"(?:[^"\\]|\\.)*"|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/g;

/** JSON in which numbers are texts that keep their digits; `laidOut` writes them as numbers again. @param {string} text */
export function keepingDigits(text) {
  return JSON.parse(text.replace(TOKENS, (token) => (token.startsWith('"') ? token : JSON.stringify(TAG + token))));
}

/** What `keepingDigits` read, over several lines. @param {unknown} value */
export function laidOut(value) {
  return JSON.stringify(value, null, 2).replace(/"\\u0000digits ([^"]*)"/g, '$1');
}
