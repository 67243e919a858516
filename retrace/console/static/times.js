// Times as people read and write them: UTC or the browser's own zone, and never in doubt which.

const KEY = 'retrace.zone';
export const MINUTE = 60_000;
export const HOUR = 3_600_000;
export const DAY = 86_400_000;

/** @returns {'utc' | 'local'} */
export function zone() {
  return localStorage.getItem(KEY) === 'local' ? 'local' : 'utc';
}

export function switchZone() {
  localStorage.setItem(KEY, zone() === 'utc' ? 'local' : 'utc');
}

/** What the zone is called. */
export function zoneName() {
  return zone() === 'utc' ? 'UTC' : Intl.DateTimeFormat().resolvedOptions().timeZone || 'local';
}

/** The parts of an instant in the chosen zone, or in UTC. @param {number} ms @param {boolean} [utc] */
function parts(ms, utc = zone() === 'utc') {
  const moved = utc ? new Date(ms) : new Date(ms - new Date(ms).getTimezoneOffset() * MINUTE);
  return moved.toISOString();
}

/**
 * To the second, or finer where there is more to say. A time that comes twice, in the night when clocks are put back, has its offset,
 * so that it is read back as what it was.
 * @param {number} ms @param {boolean} [utc]
 */
export function clock(ms, utc = zone() === 'utc') {
  const text = parts(ms, utc);
  const fine = ms % 1000 ? text.slice(19, 23) : '';
  const told = `${text.slice(0, 10)} ${text.slice(11, 19)}${fine}`;
  return utc || !comesTwice(ms) ? told : `${told} ${offset(ms)}`;
}

/** Clocks are put back by an hour where they are at all, and by half an hour on one island. @param {number} ms */
function comesTwice(ms) {
  const here = new Date(ms).getTimezoneOffset();
  return [-HOUR, -HOUR / 2, HOUR / 2, HOUR].some((by) => (new Date(ms + by).getTimezoneOffset() - here) * MINUTE === by);
}

/** The offset of local time, as +05:30. @param {number} ms */
function offset(ms) {
  const minutes = -new Date(ms).getTimezoneOffset();
  const two = (/** @type {number} */ value) => String(Math.floor(value)).padStart(2, '0');
  return `${minutes < 0 ? '-' : '+'}${two(Math.abs(minutes) / 60)}:${two(Math.abs(minutes) % 60)}`;
}

/** @param {number} ms @param {boolean} [utc] */
export function minute(ms, utc) {
  return clock(ms, utc).slice(0, 16);
}

/** Instants of some days without the year, as finely as it takes to tell them apart. @param {number[]} all */
export function toldApart(all) {
  const texts = all.map((ms) => parts(ms).replace('T', ' '));
  const end = [16, 19].find((one) => new Set(texts.map((text) => text.slice(0, one))).size === new Set(all).size) ?? 23;
  return texts.map((text) => text.slice(5, end));
}

/** An API time, nine digits and all, without what is zero. @param {string} text */
export function exact(text) {
  return text.replace('T', ' ').replace(/(?:\.0*|(\.\d*?)0+)?Z$/, '$1');
}

/** An API time to the second, where finer would only be in the way. @param {string} text */
export function toSecond(text) {
  return `${text.slice(0, 19)}Z`;
}

/** Milliseconds of an API time; what is finer is cut off. @param {string} text */
export function msOf(text) {
  return Date.parse(text.length > 24 ? `${text.slice(0, 23)}Z` : text);
}

/** As the API takes it. @param {number} ms */
export function rfc(ms) {
  return new Date(ms).toISOString();
}

/** The UTC day of an instant. @param {number} ms */
export function dayOf(ms) {
  return new Date(ms).toISOString().slice(0, 10);
}

/** The beginning of a UTC day. @param {string} day */
export function startOf(day) {
  return Date.parse(`${day}T00:00:00Z`);
}

/** How far a time zone is ahead of UTC; one that this browser does not know is taken for UTC. @param {string} calendar @param {number} ms */
function offsetIn(calendar, ms) {
  let told = '';
  try {
    told = new Intl.DateTimeFormat('en', { timeZone: calendar, timeZoneName: 'longOffset' }).formatToParts(ms).find(({ type }) => type === 'timeZoneName')?.value ?? '';
  } catch {
    // The API says which zones there are.
  }
  const [, sign, hours, minutes = '0', seconds = '0'] = /([+-])(\d+):?(\d+)?:?(\d+)?/.exec(told) ?? [];
  return sign ? (sign === '-' ? -1 : 1) * (Number(hours) * HOUR + Number(minutes) * MINUTE + Number(seconds) * 1000) : 0;
}

/** The day of an instant in a time zone. @param {string} calendar @param {number} ms */
export const dayAt = (calendar, ms) => dayOf(ms + offsetIn(calendar, ms));

/** When a day begins in a time zone: the earlier of two midnights, or where the clocks leave midnight out, the moment in which they do. @param {string} calendar @param {string} day */
export function beginIn(calendar, day) {
  const wall = startOf(day);
  const [before, after] = [wall - DAY, wall + DAY].map((at) => offsetIn(calendar, at));
  const midnights = [wall - Math.max(before, after), wall - Math.min(before, after)].filter((at) => at + offsetIn(calendar, at) === wall);
  return midnights[0] ?? wall - before;
}

/** A day of a time zone, 23 to 25 hours. @param {string} calendar @param {string} day */
export function calendarDay(calendar, day) {
  return { from: beginIn(calendar, day), to: beginIn(calendar, dayOf(startOf(day) + DAY)) };
}

const WRITTEN = /^(\d{4}-\d{2}-\d{2})(?:[T ](\d{2}:\d{2})(:\d{2}(?:\.\d{1,9})?)?)?\s*(Z|UTC|[+-]\d{2}:\d{2})?$/i;

/**
 * A written time in milliseconds, null if it is not a time. Without an offset it is in the chosen zone, or in UTC.
 * @param {string} text @param {boolean} [utc]
 */
export function written(text, utc = zone() === 'utc') {
  const match = WRITTEN.exec(text.trim());
  if (!match) return null;
  const [, day, time = '00:00', seconds = ':00', offset] = match;
  const wanted = offset ? offset.replace(/^(utc|z)$/i, 'Z') : utc ? 'Z' : '';
  const ms = Date.parse(`${day}T${time}${seconds.slice(0, 7)}${wanted}`);
  return Number.isNaN(ms) ? null : ms;
}

/** @param {string | undefined} text */
export function isDay(text) {
  return !!text && /^\d{4}-\d{2}-\d{2}$/.test(text) && !Number.isNaN(startOf(text)) && dayOf(startOf(text)) === text;
}

const UNITS = /** @type {const} */ ([['y', 365 * DAY], ['d', DAY], ['h', HOUR], ['m', MINUTE], ['s', 1000]]);

/** How long, in two units at most. @param {number} ms */
export function duration(ms) {
  const size = Math.abs(ms);
  const sign = ms < 0 ? '−' : '';
  if (size < 1000) return `${sign}${Math.round(size)}ms`;
  const at = UNITS.findIndex(([, unit]) => size >= unit);
  const [name, unit] = UNITS[at];
  const whole = Math.floor(size / unit);
  const next = UNITS[at + 1];
  const rest = next ? Math.floor((size % unit) / next[1]) : 0;
  return `${sign}${whole}${name}${next && rest && whole < 100 ? ` ${rest}${next[0]}` : ''}`;
}

/** The day of an instant in the chosen zone. @param {number} ms */
export const dayIn = (ms) => parts(ms).slice(0, 10);
