// Which versions of a day's number are compared and which are shown, where there are many.

/**
 * A version of a day's number, as the API tells it.
 * @typedef {{replay_id: string, event_count: number, inputs_hash: string, counts_by_type: Record<string, number>, other_types_count: number, computed_at: string, complete: boolean,
 *   partial_because: string[], arrived_since: number}} Version
 * @typedef {{from?: string, to: string}} Chosen ids of replays
 */

/** Rows that are shown of more. */
const ROWS = 8;

/**
 * The two to compare: as the address says, else the newest and the newest older one that has other events, as it is the change that is
 * looked for. Only the oldest is compared with what came after it.
 * @param {Version[]} versions newest first @param {{from?: string, to?: string}} query @returns {Chosen}
 */
export function chosenOf(versions, { from, to }) {
  const [newest] = versions;
  if (from) return { from, to: to || versions.find(({ replay_id: id }) => id !== from)?.replay_id || from };
  const at = to ? versions.findIndex(({ replay_id: id }) => id === to) : 0;
  if (at < 0) return { from: newest.replay_id, to: to ?? '' };
  const older = versions.slice(at + 1);
  const other = older.find((version) => version.inputs_hash !== versions[at].inputs_hash) ?? older[0] ?? versions[at - 1];
  return { from: other?.replay_id, to: versions[at].replay_id };
}

/**
 * The versions that say something: those that are compared, and of others with the same events the newest.
 * @param {Version[]} versions newest first @param {Chosen} chosen
 */
export function tellingOf(versions, { from, to }) {
  const isChosen = (/** @type {Version} */ version) => version.replay_id === from || version.replay_id === to;
  const telling = versions.filter((version, index) => isChosen(version) || version.inputs_hash !== versions[index - 1]?.inputs_hash);
  const rest = new Set(telling.filter((version) => !isChosen(version)).slice(0, ROWS - 2));
  return versions.length <= ROWS ? versions : telling.filter((version) => isChosen(version) || rest.has(version));
}

/** Those of a row of labels for which there is room, the last among them. @param {number} count @param {number} width @param {number} each */
export function roomFor(count, width, each) {
  const step = Math.max(1, Math.ceil((count * each) / Math.max(1, width)));
  return Array.from({ length: count }, (_, index) => index).filter((index) => (count - 1 - index) % step === 0);
}
