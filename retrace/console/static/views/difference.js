// What two versions of a day's number do not share: the events that make the difference, page by page.

import { exactOf, minus, signed, told } from '../exact.js';
import { badge, counted, eventLink, failed, html, loading, nothing, number, table, when } from '../parts.js';
import { address } from '../place.js';
import { isWhatIf, whatIf } from './job.js';
import { definitionLink, groupName, groupOf } from './measures.js';
import { measured } from './versions.js';
import { changed, changesOf, stepsOf, waterfall } from './waterfall.js';

const LISTS = ['only_in_from', 'only_in_to', 'changed'];
/** Groups that have a row of their own. */
const GROUPS = 20;
/** Events that are listed of more. */
const EVENTS = 25;

/** Two pages of a comparison as one: what was found so far, and how far that is. @param {any} before @param {any} page */
export function joined(before, page) {
  if (!before) return page;
  const lists = Object.fromEntries(LISTS.map((name) => [name, [...before[name], ...page[name]]]));
  const counts = Object.fromEntries(Object.entries(page.counts).map(([name, count]) => [name, before.counts[name] + /** @type {number} */ (count)]));
  const metric = page.metric && { metric: { ...page.metric, contributions: [...before.metric.contributions, ...page.metric.contributions] } };
  return { ...page, ...lists, counts, ...metric };
}

/** @param {any} state @param {import('../place.js').Query} query */
export function difference(state, query) {
  const { difference: found, failure, reading, unread, more, choice } = state;
  if (failure) return html`<section>${failed(failure)}</section>`;
  if (!found) return loading('Comparing');
  const compared = found.counts.shared + LISTS.reduce((sum, name) => sum + found.counts[name], 0);
  return html`<section aria-labelledby="diff-title">${found.metric ? ofMetric(state, query) : ofEvents(found, choice)}
    ${unread ? failed(unread) : nothing}
    ${reading ? loading('Comparing') : found.cursor ? html`<p class="quiet">Compared as far as ${number(compared)} events. <button @click=${more}>Compare more</button></p>` : nothing}</section>`;
}

/** @param {any} found @param {import('./measures.js').Choice} choice */
function ofEvents(found, { name }) {
  const { counts } = found;
  const same = !(counts.only_in_from || counts.only_in_to || counts.changed);
  const items = [
    ...found.only_in_to.map((/** @type {any} */ item) => ['+', 'only in the second', 'good', item]),
    ...found.only_in_from.map((/** @type {any} */ item) => ['−', 'only in the first', 'bad', item]),
    ...found.changed.map((/** @type {any} */ item) => ['~', 'other content', 'warn', item]),
  ];
  return html`<h2 id="diff-title">${name ? `Events behind ${name}: from` : 'From'} ${number(found.from.event_count)} to ${number(found.to.event_count)}</h2>
    ${name ? html`<p class="quiet">Only a count and a sum change by what each event contributes. Of other metrics, these are the events that the versions do not share.</p>${byGroup(found, name, null, null, () => {})}` : nothing}
    <p>${same && found.cursor ? html`The first ${counted(counts.shared, 'event')} are the same in both.` : same ? html`The same ${counted(counts.shared, 'event')} in both: the two hashes are ${found.from.inputs_hash === found.to.inputs_hash ? 'equal' : 'different'}.` : html`
      ${badge('good', `+ ${number(counts.only_in_to)}`)} ${badge('bad', `− ${number(counts.only_in_from)}`)} ${badge('warn', `~ ${number(counts.changed)}`)}
      <span class="quiet">${counted(counts.shared, 'event')} in both.${found.cursor ? ' More are not compared yet.' : ''}</span>`}</p>
    ${items.length ? table([
    ['', ([sign, meaning, kind]) => badge(kind, sign, meaning)], ['event', ([, , , item]) => eventLink(item.event_id)],
    ['event time', ([, , , item]) => when(item.event_time)], ['type', ([, , , item]) => item.event_type ?? '(content changed)'],
  ], items, 'difference') : nothing}`;
}

/** The group that an address names, if the versions have it. @param {import('../place.js').Query} query @param {any} found @returns {Record<string, string> | null} */
function groupIn({ group }, { from, to, metric }) {
  const all = [from, to].flatMap((version) => measured(version, metric.name)).map((one) => one.group);
  return all.find((one) => JSON.stringify(one) === group) ?? null;
}

/** @param {any} state @param {import('../place.js').Query} query */
function ofMetric({ difference: found, changes: all, showChanges, keep }, query) {
  const { metric, from, to, cursor } = found;
  const group = groupIn(query, found);
  const valueIn = (/** @type {any} */ version) => measured(version, metric.name).find((one) => JSON.stringify(one.group) === JSON.stringify(group))?.value ?? '0';
  const [before, after] = group ? [valueIn(from), valueIn(to)] : [metric.from_value, metric.to_value];
  const changes = changesOf(metric.contributions, group);
  const steps = stepsOf(exactOf(before), exactOf(after), changes);
  const delta = minus(exactOf(after), exactOf(before));
  const isGrouped = changes.some((one) => [one.from_group, one.to_group].some((each) => Object.keys(each).length));
  return html`<h2 id="diff-title" class="exact">${group ? `${groupOf(group) || 'All others'}: from` : 'From'} ${told(before)} to ${told(after)}</h2>
    <p><strong class="exact">${signed(delta)}</strong>: ${changed(changes)}${cursor ? ' so far' : ''}. ${differing(metric, from, to)}</p>
    ${byGroup(found, metric.name, query, group, keep)}
    ${changes.length ? html`${waterfall(steps, ['first version', 'second version'])}
    <h3>Events that contribute differently, the biggest change first</h3>
    ${table([
    ['event', (one) => eventLink(one.event_id)], ['event time', (one) => when(one.event_time)], ['type', (one) => one.event_type],
    ...(isGrouped ? [/** @type {[string, (one: any) => unknown]} */ (['group', (one) => [...new Set([groupOf(one.from_group), groupOf(one.to_group)].filter(Boolean))].join(' → ')])] : []),
    ['from', (one) => side(one.from_value, one.from_skipped), 'number exact'], ['to', (one) => side(one.to_value, one.to_skipped), 'number exact'],
    ['change', (one) => html`<strong>${signed(one.change)}</strong>`, 'number exact'],
  ], all ? changes : changes.slice(0, EVENTS), 'difference')}
    ${all || changes.length <= EVENTS ? nothing : html`<p class="quiet">${counted(changes.length - EVENTS, 'event')} more. <button @click=${showChanges}>Show all</button></p>`}` : nothing}`;
}

/** What an event contributed to one of the versions. @param {string | null} value @param {string | undefined} skipped */
function side(value, skipped) {
  if (skipped) return html`<span class="quiet">skipped: ${skipped}</span>`;
  return value === null ? html`<span class="quiet">nothing</span>` : told(value);
}

/** Whether inputs, the definition or both differ. @param {any} metric @param {any} from @param {any} to */
function differing({ differs, name, from_definition_sha256: first, to_definition_sha256: second }, from, to) {
  const [inputs, definition] = ['inputs', 'definition'].map((one) => differs.includes(one));
  const said = inputs && definition ? 'The inputs and the definition differ.' : inputs ? 'The inputs differ, the definition is the same.' : definition ? 'The definition differs, the inputs are the same.' : 'Inputs and definition are the same.';
  const of = (/** @type {any} */ version, /** @type {string} */ sha) => html`${definitionLink(name, sha, isWhatIf(version.replay_id))}${isWhatIf(version.replay_id) ? html` ${whatIf(version.replay_id)}` : nothing}`;
  return html`${said} ${definition ? html`<span class="quiet">First ${of(from, first)}, second ${of(to, second)}.</span>` : nothing}`;
}

/** Values of both versions by group, where there are groups. @param {any} found @param {string} name @param {import('../place.js').Query | null} query whose address a group is added to, if it can be @param {Record<string, string> | null} shown @param {() => void} keep */
function byGroup({ from, to }, name, query, shown, keep) {
  const sides = [from, to].map((version) => new Map(measured(version, name).filter((one) => one.value !== null || one.inputs).map((one) => [JSON.stringify(one.group), one])));
  const keys = [...new Set(sides.flatMap((each) => [...each.keys()]))].sort();
  const value = (/** @type {number} */ index, /** @type {string} */ group) => sides[index].get(group)?.value ?? null;
  if (keys.every((one) => one === '{}')) return query ? nothing : html`<p>${name} went from <strong class="exact">${side(value(0, '{}'), undefined)}</strong> to <strong class="exact">${side(value(1, '{}'), undefined)}</strong>.</p>`;
  const differing_ = keys.filter((group) => value(0, group) !== value(1, group));
  const isShown = (/** @type {string} */ group) => JSON.stringify(shown) === group;
  const named = (/** @type {string} */ group) => groupName(JSON.parse(group), true);
  const link = (/** @type {string} */ group) => (query ? html`<a href=${address('/aggregates', { ...query, group: isShown(group) ? '' : group })} @click=${keep} aria-current=${isShown(group) ? 'true' : nothing}>${named(group)}</a>` : named(group));
  const change = (/** @type {string} */ group) => html`<strong>${signed(minus(exactOf(value(1, group)), exactOf(value(0, group))))}</strong>`;
  const columns = /** @type {Array<[string, (group: any) => unknown, string?]>} */ ([
    ['group', link], ['from', (group) => side(value(0, group), undefined), 'number exact'], ['to', (group) => side(value(1, group), undefined), 'number exact'],
    ...(query ? [['change', change, 'number exact']] : []),
  ]);
  const [rest, same] = [differing_.length - GROUPS, keys.length - differing_.length];
  return html`${differing_.length ? table(columns, differing_.slice(0, GROUPS), 'groups') : nothing}
    <p class="quiet">${rest > 0 ? `${counted(rest, 'group')} more differ. ` : ''}${same ? `${counted(same, 'group')} ${same === 1 ? 'has' : 'have'} the same value in both.` : ''}${query ? shown ? html` <a href=${address('/aggregates', { ...query, group: '' })} @click=${keep}>All groups together</a>` : differing_.length > 1 ? ' Choose a group to see its events alone.' : '' : nothing}</p>`;
}
