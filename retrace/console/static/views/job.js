// How a replay is told: its state, how far it is, and what it is of.

import { badge, html, nothing } from '../parts.js';
import { address } from '../place.js';

/**
 * A replay as the API tells it; `request` is what was asked for.
 * @typedef {{replay_id: string, state: string, request: any, destination: string, reports: boolean, requested_by: string, created_at: string, updated_at: string, index_read_to: string | null, cancelled_by: string | null, may_change_until: string | null,
 *   scanned: number, matched: number, sent: number, processed: number, failed: number, dropped: number, dead_letters_until: string | null, advice: string | null, failure?: string | null,
 *   metrics?: Array<{name: string, definition_sha256: string}>}} Job
 */

const OVER = ['COMPLETE', 'CANCELLED', 'FAILED'];
const KINDS = /** @type {Record<string, string>} */ ({ COMPLETE: 'good', CANCELLED: 'warn', FAILED: 'bad' });
const MEANING = /** @type {Record<string, string>} */ ({
  PLANNING: 'Nothing has been sent yet, or days are being found.',
  SENDING: 'Some of it has been sent.',
  SENT: 'All of it has been sent.',
  COMPLETE: 'Each message was processed or failed.',
  CANCELLED: 'Nothing more is sent, and what was sent is dropped. A batch that a processor had in hand may still count for two minutes.',
  FAILED: 'Its planner gave up.',
});

/** @param {Job} job */
export const isOver = (job) => OVER.includes(job.state);

/** Whether something of it still moves: what goes to a consumer that does not report is over once it is sent. @param {Job} job */
export const isRunning = (job) => !isOver(job) && !(job.state === 'SENT' && (!job.reports || job.processed + job.failed + job.dropped >= job.sent));

/** Whether a replay computed definitions that came with its request: its id, a UUIDv8, says so. @param {string} id */
export const isWhatIf = (id) => /^.{14}8.{21}$/.test(id);

/** The sign of a what-if, wherever its replay or its version is named. @param {string} id */
export const whatIf = (id) => (isWhatIf(id) ? badge('what-if', 'what-if', 'It computed definitions that came with its request, and is never the newest version.') : nothing);

/** What its failed messages are: consumers report theirs. @param {{request: any}} job */
export const failures = ({ request }) => (request.destination ? 'reported failures' : 'dead letters');

/** @param {Job} job */
export function state(job) {
  const kind = job.state === 'COMPLETE' && job.failed ? 'warn' : KINDS[job.state] ?? '';
  return badge(kind, job.state === 'COMPLETE' && job.failed ? `COMPLETE, with ${failures(job)}` : job.state, MEANING[job.state]);
}

/**
 * How much of a replay is done, of how much. What was found grows with what is sent, so while it is sent only the count that was confirmed
 * says how much it will be; null where that is not known, or was too little.
 * @param {Job} job @returns {{done: number, all: number | null}}
 */
export function howFar({ processed, failed, dropped, sent, matched, request, state: at }) {
  const done = processed + failed + dropped;
  if (at === 'SENT' || at === 'COMPLETE') return { done, all: sent };
  const found = Math.max(sent, matched);
  if (request.confirm && request.confirm >= found) return { done, all: request.confirm };
  return { done, all: OVER.includes(at) ? found : null };
}

/** @param {Job} job @param {string} [kind] */
export function progress(job, kind = '') {
  const { done, all } = howFar(job);
  const told = all === null ? `${done}, of how many is not known yet` : `${done} of ${all}`;
  return html`<progress class=${kind} max=${Math.max(1, all ?? 1)} value=${all === null ? nothing : done} aria-label="Processed" title=${told}>${told}</progress>`;
}

/** What a replay is of, linked to where that is seen. @param {any} request */
export function subjectOf(request) {
  if (request.entity_id) {
    const bounds = { from: request.start_time, to: request.end_time };
    return html`<a href=${address('/entity', { id: request.entity_id, ...bounds })}>${request.entity_id}</a> <span class="quiet">${span(request)}${where(request)}</span>`;
  }
  if (request.events_file) return html`events of a file <span class="quiet">${request.events_file.slice(0, 12)}</span>`;
  const bounds = request.start_time ? { from: request.start_time, to: request.end_time } : { day: request.day ?? request.end_day };
  const types = request.event_types ?? [request.event_type];
  return html`${types.map((/** @type {string} */ type, /** @type {number} */ at) => html`${at ? ', ' : ''}<a href=${address('/type', { source: request.source, type, ...bounds })}>${type}</a>`)} of ${request.source} <span class="quiet">${span(request)}${where(request)}</span>`;
}

/** @param {any} request */
const where = ({ destination }) => (destination ? `, to ${destination}` : '');

/** @param {any} request */
function span(request) {
  if (request.day) return request.day;
  const [from, to] = request.start_day ? [request.start_day, request.end_day] : [request.start_time, request.end_time];
  const plain = (/** @type {string} */ text) => text.replace('T', ' ').replace(/(:00)?(\.0+)?Z$/, '').replace(/ 00:00$/, '');
  return `${plain(from)} to ${plain(to)}`;
}
