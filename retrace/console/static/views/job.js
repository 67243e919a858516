// How a replay is told: its state, how far it is, and what it is of.

import { badge, html, nothing } from '../parts.js';
import { address } from '../place.js';

const OVER = ['COMPLETE', 'CANCELLED', 'FAILED'];
const KINDS = /** @type {Record<string, string>} */ ({ COMPLETE: 'good', CANCELLED: 'warn', FAILED: 'bad' });
const MEANING = /** @type {Record<string, string>} */ ({
  PLANNING: 'Nothing has been sent yet, or days are being found.',
  SENDING: 'Some of it has been sent.',
  SENT: 'All of it has been sent.',
  COMPLETE: 'Each message was processed, or is in the dead-letter queue.',
  CANCELLED: 'Nothing more is sent, and what was sent is dropped.',
  FAILED: 'Its planner gave up.',
});

/** @param {any} job */
export const isOver = (job) => OVER.includes(job.state);

/** @param {any} job */
export function state(job) {
  const kind = job.state === 'COMPLETE' && job.failed ? 'warn' : KINDS[job.state] ?? '';
  return badge(kind, job.state === 'COMPLETE' && job.failed ? 'COMPLETE, with dead letters' : job.state, MEANING[job.state]);
}

/** @param {any} job @param {string} [kind] */
export function progress(job, kind = '') {
  const done = job.processed + job.failed + job.dropped;
  // What was found grows with what is sent; how much it will be is known from the count that was confirmed, or not at all.
  const all = Math.max(1, job.request.confirm ?? 0, job.sent, job.matched);
  const known = job.request.confirm || !['PLANNING', 'SENDING'].includes(job.state);
  return html`<progress class=${kind} max=${all} value=${known ? done : nothing} aria-label="Processed">${done}</progress>`;
}

/** What a replay is of, linked to where that is seen. @param {any} request */
export function subjectOf(request) {
  if (request.entity_id) {
    const bounds = { from: request.start_time, to: request.end_time };
    return html`<a href=${address('/entity', { id: request.entity_id, ...bounds })}>${request.entity_id}</a> <span class="quiet">${span(request)}</span>`;
  }
  const day = request.day ?? request.end_day;
  return html`<a href=${address('/type', { source: request.source, type: request.event_type, day })}>${request.event_type}</a> of ${request.source} <span class="quiet">${span(request)}</span>`;
}

/** @param {any} request */
function span(request) {
  if (request.day) return request.day;
  const [from, to] = request.start_day ? [request.start_day, request.end_day] : [request.start_time, request.end_time];
  const plain = (/** @type {string} */ text) => text.replace('T', ' ').replace(/(:00)?(\.0+)?Z$/, '').replace(/ 00:00$/, '');
  return `${plain(from)} to ${plain(to)}`;
}
