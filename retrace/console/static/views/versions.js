// Which versions of a day's number are compared and which are shown, where there are many; and what each has of a metric.

import { isWhatIf } from './job.js';

/**
 * A metric of a version, for each group: `value` is an exact decimal as text, null if there is none.
 * @typedef {{name: string, definition_sha256: string, group: Record<string, string>, value: string | null, inputs: number, skipped: number, event_id?: string, sum?: string}} Measured
 * A version of a day's number, as the API tells it.
 * @typedef {{replay_id: string, event_count: number, inputs_hash: string, counts_by_type: Record<string, number>, other_types_count: number, computed_at: string, complete: boolean,
 *   partial_because: string[], arrived_since: number, metrics: Measured[], window_start: string, window_end: string}} Version
 * @typedef {{from?: string, to: string}} Chosen ids of replays
 */

/** Rows that are shown of more. */
const ROWS = 8;

/** What a version has of a metric, a group after the other. @param {Version} version @param {string} name */
export const measured = (version, name) => (version.metrics ?? []).filter((one) => one.name === name);

/** @param {Version} version @param {string} name empty for the number of events, which all versions have */
const has = (version, name) => !name || measured(version, name).length > 0;

/** Whether two versions tell something else: other events, or other values of the metric that is shown. @param {Version | undefined} one @param {Version} other @param {string} name */
function differ(one, other, name) {
  return one?.inputs_hash !== other.inputs_hash || JSON.stringify(measured(/** @type {Version} */ (one), name)) !== JSON.stringify(measured(other, name));
}

/**
 * The two to compare: as the address says, else the newest and the newest older one that has other events or values, as it is the change
 * that is looked for. Only the oldest is compared with what came after it. A what-if is compared with the newest version of the same events.
 * @param {Version[]} versions newest first, what-ifs last @param {{from?: string, to?: string}} query @param {string} [name] of the metric @returns {Chosen}
 */
export function chosenOf(versions, { from, to }, name = '') {
  const having = versions.filter((version) => has(version, name));
  const actual = having.filter(({ replay_id: id }) => !isWhatIf(id));
  const newest = actual[0] ?? having[0];
  if (from) return { from, to: to || having.find(({ replay_id: id }) => id !== from)?.replay_id || from };
  const chosen = to ? versions.find(({ replay_id: id }) => id === to) : actual.length === 1 ? having[1] ?? newest : newest;
  if (!chosen) return { from: newest?.replay_id, to: to ?? '' };
  const at = actual.indexOf(chosen);
  const older = at < 0 ? actual : actual.slice(at + 1);
  const isOther = (/** @type {Version} */ version) => (at < 0 ? version.inputs_hash === chosen.inputs_hash : differ(chosen, version, name));
  const other = older.find(isOther) ?? older[0] ?? actual[at - 1] ?? having.find((version) => version !== chosen);
  return { from: other?.replay_id, to: chosen.replay_id };
}

/**
 * The versions that say something: those that are compared, what-ifs, and of others with the same events and values the newest.
 * @param {Version[]} versions newest first @param {Chosen} chosen @param {string} [name] of the metric
 */
export function tellingOf(versions, { from, to }, name = '') {
  const isChosen = (/** @type {Version} */ version) => version.replay_id === from || version.replay_id === to;
  const telling = versions.filter((version, index) => isChosen(version) || isWhatIf(version.replay_id) || differ(versions[index - 1], version, name));
  const rest = new Set(telling.filter((version) => !isChosen(version)).slice(0, ROWS - 2));
  return versions.length <= ROWS ? versions : telling.filter((version) => isChosen(version) || rest.has(version));
}

/** Those of a row of labels for which there is room, the last among them. @param {number} count @param {number} width @param {number} each */
export function roomFor(count, width, each) {
  const step = Math.max(1, Math.ceil((count * each) / Math.max(1, width)));
  return Array.from({ length: count }, (_, index) => index).filter((index) => (count - 1 - index) % step === 0);
}
