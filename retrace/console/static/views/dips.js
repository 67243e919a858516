// Hours with far fewer events than those around them, as the API finds them for each source.

import { fewAtOnce, get } from '../api.js';
import { counted, html, nothing } from '../parts.js';
import { DAY, HOUR, duration, msOf, rfc } from '../times.js';

/** The API looks for hours in windows of so many UTC days. */
const MOST_DAYS = 31;

/** @typedef {{from: number, to: number, events: number, usual: number, type: string | null}} Dip `type` is null if it is one of all types together */
/** @typedef {{key: string, items?: Dip[] | null, failure?: any}} Found `items` is null if the source has more events or types than a request counts */

/** @param {import('./window.js').Window} window */
export function isLookedThrough({ from, to }) {
  return Math.floor((to - 1) / DAY) - Math.floor(from / DAY) < MOST_DAYS;
}

/** Look for those of each source that is shown. They are of hours that have ended, so an answer holds for an hour. @param {any} state @param {AbortSignal} signal @param {() => void} redraw @param {number} [now] */
export async function lookForDips({ shown, dips, bins, window }, signal, redraw, now = Date.now()) {
  const bounds = { from: bins.first, to: window.to };
  if (!isLookedThrough(bounds)) return;
  const key = [bounds.from, now].map((time) => Math.floor(time / HOUR)).join();
  const sources = [...new Set(shown.map((/** @type {any} */ { source }) => source))];
  await fewAtOnce(sources.filter((source) => dips.get(source)?.key !== key), signal, async (source) => {
    dips.set(source, { key, ...(await dipsOf(source, bounds, signal)) });
    redraw();
  });
}

/** @param {string} source @param {import('./window.js').Window} window @param {AbortSignal} signal */
async function dipsOf(source, { from, to }, signal) {
  const asked = { source, start_time: rfc(from), end_time: rfc(to) };
  return get('/gaps', asked, signal).then(({ dips }) => ({ items: dips && dips.map(dipOf) }), (failure) => ({ failure }));
}

/** @param {any} dip @returns {Dip} */
export function dipOf({ start_time: start, end_time: end, event_type: type, events, usual }) {
  return { from: msOf(start), to: msOf(end), events, usual, type };
}

/** Those that the row of a source marks, or that of a type: those of all types are on the row of the source if it has one. @param {Found | undefined} found @param {(string | null)[]} [types] all of them unless given */
export function marked(found, types) {
  return (found?.items ?? []).filter(({ type }) => !types || types.includes(type));
}

/** The dip that a column lies in. @param {Dip[]} dips @param {number} from @param {number} to */
export function dipAt(dips, from, to) {
  return dips.find((dip) => dip.from < to && from < dip.to);
}

/** @param {Dip} dip */
export function toldOf({ from, to, events, usual, type }) {
  return `far fewer than usual: ${events} of ${type ?? 'all types'} in ${duration(to - from)}, usually ${usual} an hour`;
}

/** What the marks mean, and of which sources it is not known. @param {any} state */
export function legend({ shown, dips, bins, window }) {
  const all = [...new Set(shown.map((/** @type {any} */ { source }) => source))].map((source) => dips.get(source));
  const uncounted = all.filter((found) => found?.items === null).length;
  const failures = all.filter((found) => found?.failure);
  return html`<ul class="legend"><li><i class="gap"></i>no events</li><li><i class="dip"></i>far fewer events than in the hours around</li></ul>
    ${!isLookedThrough({ from: bins.first, to: window.to }) ? html`<p class="quiet">Hours with far fewer events are marked in windows of at most ${MOST_DAYS} days.</p>` : nothing}
    ${uncounted ? html`<p class="quiet">Hours with far fewer events are not counted for ${counted(uncounted, 'source')} with more events or types than a request counts. Narrow the window.</p>` : nothing}
    ${failures.length ? html`<p class="quiet">Hours with far fewer events are not known for ${counted(failures.length, 'source')}: ${failures[0].failure.message}</p>` : nothing}`;
}
