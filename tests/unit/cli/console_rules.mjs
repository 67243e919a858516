// What the console's page works out without a browser: addresses, times, windows, requests.
import assert from 'node:assert/strict';
import { test } from 'node:test';

const kept = new Map();
globalThis.localStorage = { getItem: (name) => kept.get(name) ?? null, setItem: (name, value) => kept.set(name, value) };
globalThis.document = { createTreeWalker: () => ({}), createComment: () => ({}), createElement: () => ({}) };
globalThis.location = { href: 'http://127.0.0.1:4630/' };

const page = '../../../retrace/console/static';
const { address, placeOf, sameView } = await import(`${page}/place.js`);
const times = await import(`${page}/times.js`);
const { carried, inWindow, lastOf, windowIn, wrongEnd } = await import(`${page}/views/window.js`);
const { agreed, destinations, isTwofold, listed, queryOf, replayOfDay, requestOf } = await import(`${page}/views/replay_form.js`);
const { howFar, isRunning } = await import(`${page}/views/job.js`);
const { joined } = await import(`${page}/views/difference.js`);
const { pager } = await import(`${page}/views/pager.js`);
const { numberTicks, timeTicks, uncut, widthOf } = await import(`${page}/ticks.js`);
const { dipAt, dipOf, isLookedThrough, lookForDips, marked, toldOf } = await import(`${page}/views/dips.js`);
const { binsOf, placed } = await import(`${page}/views/strip.js`);
const { bySource, fits, keyOf, matrix } = await import(`${page}/views/matrix.js`);
const { chosenOf, roomFor, tellingOf } = await import(`${page}/views/versions.js`);
const exact = await import(`${page}/exact.js`);
const { changesOf, scaleOf, stepsOf, sumOf } = await import(`${page}/views/waterfall.js`);
const { choices, leftOut } = await import(`${page}/views/measures.js`);
const totals = await import(`${page}/views/totals.js`);

const NOON = Date.UTC(2025, 10, 28, 12);

test('an address says all of what is shown, and nothing that is empty', () => {
  const query = { id: 'a b/ü&c', from: '', day: null, by: 'lag', n: 0 };
  const there = address('/entity', query);
  assert.deepEqual(placeOf(new URL(there, 'http://console')), { path: '/entity', query: { id: 'a b/ü&c', by: 'lag', n: '0' } });
});

test('an event that lies open beside a view makes it no other view', () => {
  assert.ok(sameView('/entity?id=a&event=b', '/entity?id=a'));
  assert.ok(!sameView('/entity?id=a', '/entity?id=b'));
});

test('a time that somebody writes is of the zone that is shown', () => {
  assert.equal(times.written('2025-11-28 12:00'), NOON);
  assert.equal(times.written('2025-11-28T12:00:00.5Z'), NOON + 500);
  assert.equal(times.written('2025-11-28 17:30 +05:30'), NOON);
  times.switchZone();
  assert.equal(times.written('2025-11-28 12:00'), new Date(2025, 10, 28, 12).getTime());
  assert.equal(times.written('2025-11-28 12:00 UTC'), NOON);
  assert.equal(times.clock(times.written('2025-11-28 12:00')), '2025-11-28 12:00:00');
  times.switchZone();
});

for (const wrong of ['', 'yesterday', '2025-13-01', '2025-11-28 25:00', '28.11.2025']) {
  test(`${wrong || 'nothing'} is no time`, () => assert.equal(times.written(wrong), null));
}

test('times are shown in UTC with all the digits that there are', () => {
  assert.equal(times.exact('2025-11-28T08:16:14.398000000Z'), '2025-11-28 08:16:14.398');
  assert.equal(times.exact('2025-11-28T08:16:10.000000000Z'), '2025-11-28 08:16:10');
  assert.equal(times.exact('2025-11-28T08:16:14.123456789Z'), '2025-11-28 08:16:14.123456789');
  assert.equal(times.exact('2025-11-28T09:00:10Z'), '2025-11-28 09:00:10');
  assert.equal(times.exact('2025-11-28T09:00:00Z'), '2025-11-28 09:00:00');
  assert.equal(times.msOf('2025-11-28T12:00:00.123456789Z'), NOON + 123);
});

test('times that labels tell apart are as fine as that takes', () => {
  assert.deepEqual(times.toldApart([NOON, NOON + times.MINUTE]), ['11-28 12:00', '11-28 12:01']);
  assert.deepEqual(times.toldApart([NOON, NOON + 7_000, NOON + 7_000]), ['11-28 12:00:00', '11-28 12:00:07', '11-28 12:00:07']);
  assert.deepEqual(times.toldApart([NOON, NOON + 7]), ['11-28 12:00:00.000', '11-28 12:00:00.007']);
});

test('a duration has two units at most', () => {
  const told = [0, 999, 1000, 61_000, 3_600_000, 90_000_000, -61_000, 366 * times.DAY].map(times.duration);
  assert.deepEqual(told, ['0ms', '999ms', '1s', '1m 1s', '1h', '1d 1h', '−1m 1s', '1y 1d']);
});

test('an address means the same window to everybody, whatever zone they look at', () => {
  times.switchZone();
  const window = windowIn({ from: '2025-11-28', to: '2025-11-29' });
  times.switchZone();
  assert.deepEqual(window, windowIn({ day: '2025-11-28' }));
  assert.equal(inWindow('/entity', { id: 'a', from: 'x', to: 'y' }, window), '/entity?id=a&day=2025-11-28');
});

test('a window ends where times of the API do', () => {
  const last = windowIn({ day: '9999-12-31' });
  assert.equal(new Date(last.to).toISOString(), '9999-12-31T23:59:59.999Z');
  const wide = placeOf(new URL(inWindow('/entity', {}, { from: -1e15, to: 1e15 }), 'http://console')).query;
  assert.deepEqual(wide, { from: '0001-01-01T00:00:00.000Z', to: '9999-12-31T23:59:59.999Z' });
});

test('a time that comes twice is read back as the one that it was', () => {
  times.switchZone();
  for (const night of ['2025-11-02', '2025-10-26', '2025-03-09']) {
    for (let ms = Date.parse(night) - times.DAY / 2; ms < Date.parse(night) + times.DAY; ms += 15 * times.MINUTE) assert.equal(times.written(times.clock(ms)), ms);
  }
  assert.match(times.clock(NOON), /^2025-11-\d\d \d\d:\d\d:00$/);
  times.switchZone();
});

test('what is no window is none', () => {
  assert.equal(windowIn({ from: '2025-11-28' }), null);
  assert.equal(windowIn({ day: '2025-02-30' }), null);
});

test('a replay is asked for as its form says', () => {
  const query = { entity: 'a', from: '2025-11-28', to: '2025-11-29', max_messages: '5', include_types: 'x, y', whole_days: 'true' };
  assert.deepEqual(requestOf(query), {
    entity_id: 'a', start_time: '2025-11-28T00:00:00.000Z', end_time: '2025-11-29T00:00:00.000Z', max_messages: 5, whole_days: true,
    include: { event_types: ['x', 'y'] },
  });
  assert.deepEqual(requestOf({ source: 's', type: 't', start_day: '2025-11-28' }), { source: 's', event_type: 't', start_day: '2025-11-28', end_day: '2025-11-28' });
  assert.deepEqual(requestOf({ source: 's', type: 't', from: '2025-11-28 10:00', to: '2025-11-28T12:00:00.000000001Z' }), {
    source: 's', event_type: 't', start_time: '2025-11-28T10:00:00.000Z', end_time: '2025-11-28T12:00:00.000000001Z',
  });
  assert.equal(requestOf({ entity: 'a' }), null);
  assert.equal(requestOf({ source: 's', type: 't' }), null);
});

test('a number that is none reaches the API as it is written, which then says so', () => {
  const query = { entity: 'a', from: '2025-11-28', to: '2025-11-29' };
  for (const wrong of ['abc', '0,5', '10/s', '5 0', 'NaN', '-1', ' ']) {
    const request = requestOf({ ...query, rate: wrong, max_messages: wrong, include_lag_ms: wrong });
    assert.deepEqual([request.rate, request.max_messages, request.include.min_lag_ms], [wrong, wrong, wrong]);
  }
  assert.equal(requestOf({ ...query, rate: '0.5' }).rate, 0.5);
});

test('of an entity and a source none is guessed', () => {
  const both = { entity: 'a', from: '2025-11-28', to: '2025-11-29', source: 's', type: 't', start_day: '2025-11-28' };
  assert.ok(isTwofold(both));
  assert.equal(requestOf(both), null);
  assert.ok(isTwofold({ source: 's', type: 't', start_day: '2025-11-28', from: '2025-11-28' }));
  assert.ok(isTwofold({ entity: 'a', start_day: '2025-11-28' }));
  assert.ok(isTwofold({ source: 's', type: 't', types: 'u, v' }));
  assert.ok(!isTwofold({ entity: 'a', include_sources: 's' }));
  assert.ok(!isTwofold({ source: 's', type: 't', from: '2025-11-28', to: '2025-11-29' }));
});

test('a replay keeps the nanoseconds and the names of the one that it is asked for like', () => {
  const names = ['shop,eu', ' blank', 'plain'];
  const query = { entity: 'a', from: '2025-11-28T00:00:00.000000000Z', to: '2025-11-28T12:00:00.123456789Z', include_sources: listed(names) };
  const request = requestOf({ ...query, ...agreed(query), whole_days: 'false', include_duplicates: 'maybe' });
  assert.deepEqual(request, {
    entity_id: 'a', start_time: '2025-11-28T00:00:00.000Z', end_time: '2025-11-28T12:00:00.123456789Z', include: { sources: names }, include_duplicates: 'maybe',
  });
  assert.equal(listed(['a', 'b']), 'a,b');
});

test('of a window that is none it is known which end is at fault', () => {
  assert.equal(wrongEnd('2025-11-28 12:00', '2025-11-28 13:00'), null);
  assert.equal(wrongEnd('nonsense', '2025-11-28 13:00')[0], 'from');
  assert.equal(wrongEnd('2025-11-28', 'nonsense')[0], 'to');
  assert.match(wrongEnd('2025-11-28', '2025-11-28')[1], /after/);
});

test('a replay keeps the window that somebody wrote in local time', () => {
  times.switchZone();
  const { from } = agreed({ from: '2025-11-28 00:00', to: '' });
  times.switchZone();
  assert.equal(from, new Date(2025, 10, 28).toISOString());
});

test('a replay goes to a destination that is declared, to the built-in one unless another is named', () => {
  const own = { name: 'aggregates', kind: 'queue', built_in: true, ordered: false, reports: true };
  const billing = { name: 'billing', kind: 'fifo', built_in: false, ordered: true, reports: false };
  const known = { '': 'aggregates: computed by Retrace', billing: 'billing: fifo, in order' };
  assert.deepEqual(destinations([own, billing], ''), known);
  assert.deepEqual(destinations([own, billing], 'aggregates'), known);
  assert.deepEqual(Object.keys(destinations([own, billing], 'gone')), ['gone', '', 'billing']);
  assert.equal(destinations([billing], '')[''], 'choose one');
});

test('the form of a replay that mends a stale day asks for that day', () => {
  const asked = (there) => requestOf(placeOf(new URL(there, 'http://console')).query);
  const day = { entity_id: 'a b', start_time: '2025-11-28T00:00:00.000Z', end_time: '2025-11-29T00:00:00.000Z' };
  assert.deepEqual(asked(replayOfDay({ entity: 'a b', day: '2025-11-28' })), day);
  const mending = { source: 's', event_types: ['x', 'y'], start_day: '2025-11-01', end_day: '2025-11-03', whole_days: true, include: { min_lag_ms: 3600000 } };
  assert.deepEqual(asked(address('/replay/new', queryOf(mending))), mending);
});

test('a replay that is asked for again is asked for as it was', () => {
  const of = (request) => requestOf(placeOf(new URL(address('/replay/new', queryOf(request)), 'http://console')).query);
  const filters = {
    include: { sources: ['s,t', 'u'], event_types: ['x'], min_lag_ms: 0 }, exclude: { event_ids: ['e'.repeat(64)] }, max_messages: 5, rate: 0.5, destination: 'billing', reason: 'late, again',
    whole_days: true, include_duplicates: true,
  };
  const entity = { entity_id: ' a ', start_time: '2025-11-28T00:00:00.123456789Z', end_time: '2025-11-29T00:00:00.001Z', ...filters };
  const type = { source: 's', event_type: 't', start_day: '2025-11-28', end_day: '2025-11-29' };
  const window = { source: 's', event_type: 't', start_time: '2025-11-28T10:00:00.123456789Z', end_time: '2025-11-28T12:00:00.000Z' };
  const types = { source: 's', event_types: ['t,u', 'v'], start_day: '2025-11-28', end_day: '2025-11-29' };
  for (const request of [entity, type, types, window]) assert.deepEqual(of(request), request);
  assert.deepEqual(of({ source: 's', event_type: 't', day: '2025-11-28' }), { ...type, end_day: '2025-11-28' });
});

test('how far a replay is, is known from what was confirmed or from what was sent, and else it is not', () => {
  const running = { state: 'SENDING', sent: 3, matched: 3, processed: 2, failed: 1, dropped: 0, request: {} };
  const all = (more) => howFar({ ...running, ...more }).all;
  assert.equal(howFar(running).done, 3);
  assert.equal(all({}), null);
  assert.equal(all({ request: { confirm: 36 } }), 36);
  assert.equal(all({ request: { confirm: 2 } }), null);
  assert.equal(all({ request: { confirm: 36 }, state: 'CANCELLED' }), 36);
  assert.equal(all({ request: { confirm: 36 }, state: 'COMPLETE' }), 3);
  assert.equal(all({ state: 'FAILED', matched: 4 }), 4);
});

test('a page that could not be read takes nothing away, and is asked for again', async () => {
  const asked = [];
  const answers = [{ items: [1, 2], cursor: 'c' }, null, { items: [3], cursor: null }];
  const list = pager(async (cursor) => {
    asked.push(cursor);
    const answer = answers.shift();
    if (!answer) throw new Error('no');
    return answer;
  }, () => {});
  await Promise.all([list.more(), list.more()]);
  await list.more();
  assert.deepEqual([list.items, list.failure.message, list.isRead], [[1, 2], 'no', true]);
  await list.more();
  assert.deepEqual([list.items, list.failure, list.cursor], [[1, 2, 3], null, null]);
  assert.deepEqual(asked, [null, 'c', 'c']);
});

test('the versions that are compared are those between which the number changed', () => {
  const versions = [['e', 2], ['d', 2], ['c', 2], ['b', 1], ['a', 1]].map(([id, hash]) => ({ replay_id: id, inputs_hash: hash }));
  assert.deepEqual(chosenOf(versions, {}), { from: 'b', to: 'e' });
  assert.deepEqual(chosenOf(versions, { to: 'c' }), { from: 'b', to: 'c' });
  assert.deepEqual(chosenOf(versions, { to: 'b' }), { from: 'a', to: 'b' });
  assert.deepEqual(chosenOf(versions, { to: 'a' }), { from: 'b', to: 'a' });
  assert.deepEqual(chosenOf(versions, { to: 'lost' }), { from: 'e', to: 'lost' });
  assert.deepEqual(chosenOf(versions, { from: 'e' }), { from: 'e', to: 'd' });
  assert.deepEqual(chosenOf(versions.slice(0, 1), {}), { from: undefined, to: 'e' });
});

test('of many versions those are shown that say something, and labels only where there is room', () => {
  const versions = Array.from({ length: 20 }, (_, index) => ({ replay_id: `${index}`, inputs_hash: index < 17 ? 'x' : `${index}` }));
  assert.deepEqual(tellingOf(versions, { from: '15', to: '0' }).map(({ replay_id: id }) => id), ['0', '15', '17', '18', '19']);
  assert.equal(tellingOf(versions.slice(0, 8), { to: '0' }).length, 8);
  assert.deepEqual(roomFor(4, 1000, 84), [0, 1, 2, 3]);
  assert.deepEqual(roomFor(17, 300, 84), [1, 6, 11, 16]);
});

test('pages of a comparison are one comparison, as far as the last of them', () => {
  const page = (letter, cursor) => ({ only_in_from: [], only_in_to: [letter], changed: [], counts: { only_in_from: 0, only_in_to: 1, changed: 0, shared: 5 }, cursor });
  const first = joined(null, page('a', 'next'));
  assert.deepEqual(joined(first, page('b', null)), { only_in_from: [], only_in_to: ['a', 'b'], changed: [], counts: { only_in_from: 0, only_in_to: 2, changed: 0, shared: 10 }, cursor: null });
});

test('the last hours are a window until now, and stay the last hours wherever one goes', () => {
  assert.deepEqual(windowIn({ last: '3h' }, NOON), { from: NOON - 3 * times.HOUR, to: NOON });
  assert.deepEqual(['15min', '3h', '7d', '0h', 'h', '3w'].map(lastOf), [15 * times.MINUTE, 3 * times.HOUR, 7 * times.DAY, null, null, null]);
  assert.deepEqual(carried('/type', { last: '3h', source: 's' }), { last: '3h' });
  assert.equal(inWindow('/type', { last: '3h', source: 's' }, { from: NOON, to: NOON + 1000 }), address('/type', { source: 's', from: times.rfc(NOON), to: times.rfc(NOON + 1000) }));
});

test('a window goes along to every view, and to aggregates as its last day', () => {
  const window = { from: '2025-11-27T17:00:00.000Z', to: '2025-11-29T00:00:00.000Z' };
  assert.deepEqual(carried('/quarantine', { ...window, reason: 'x' }), window);
  assert.deepEqual(carried('/aggregates', window), { day: '2025-11-28' });
  assert.deepEqual(carried('/entity', { day: '2025-11-28', from: 'version', to: 'version' }), { day: '2025-11-28' });
  assert.deepEqual(carried('/entity', { id: 'a' }), {});
});

const SPANS = [3, 2_000, 90_000, 20 * times.MINUTE, 3 * times.HOUR, times.DAY, 3 * times.DAY, 30 * times.DAY, 400 * times.DAY, 20 * 365 * times.DAY];
for (const span of SPANS) {
  for (const zone of ['utc', 'local']) {
    test(`ticks of ${times.duration(span)} in ${zone} time are said exactly and have room`, () => {
      if (zone === 'local') times.switchZone();
      for (const pixels of [150, 320, 700, 1200]) {
        const from = NOON + 12_345;
        const ticks = timeTicks(from, from + span, pixels);
        const position = (at) => (pixels * (at - from)) / span;
        ticks.slice(1).forEach(({ at, text }, index) => assert.ok(position(at) - position(ticks[index].at) >= (widthOf(text) + widthOf(ticks[index].text)) / 2, `${text} after ${ticks[index].text} in ${pixels}`));
        for (const { at, text } of ticks) {
          const exact = times.clock(at).replace(/^(.{19})$/, '$1.000');
          assert.ok(exact.includes(text), `${text} is ${exact}`);
          const rest = exact.slice(exact.indexOf(text) + text.length).replace(/ [+-].*/, '');
          assert.match(rest, text.length > 5 && text.includes('-') || text.length === 4 ? /^[-01 :.]*$/ : /^[ 0:.]*$/, `${text} says all of ${exact}`);
        }
        uncut(ticks, position, pixels).forEach(({ at, text }) => assert.ok(position(at) >= widthOf(text) / 2 && position(at) + widthOf(text) / 2 <= pixels));
      }
      assert.ok(timeTicks(NOON, NOON + span, 700).length > 1);
      if (zone === 'local') times.switchZone();
    });
  }
}

test('numbers of an axis are whole and round', () => {
  assert.deepEqual(numberTicks(4, 4).map(({ text }) => text), ['0', '1', '2', '3', '4']);
  assert.deepEqual(numberTicks(12, 4).map(({ at }) => at), [0, 5, 10]);
  assert.deepEqual(numberTicks(2400, 4).map(({ text }) => text), ['0', '1,000', '2,000']);
});

test('counts stay where they were when the window goes on', () => {
  const bins = binsOf({ from: NOON, to: NOON + 3 * times.HOUR });
  assert.equal(bins.width, 5 * times.MINUTE);
  assert.equal(binsOf({ from: NOON, to: NOON + 3 * times.DAY }).width, times.HOUR);
  const counted = { first: bins.first, width: bins.width };
  assert.deepEqual(placed([1, 2, 3], counted, { first: bins.first + bins.width, width: bins.width, count: 3 }), [2, 3, 0]);
  assert.deepEqual(placed([1, 2, 3], counted, { first: bins.first, width: times.HOUR, count: 2 }), [0, 0]);
});

const DIP = dipOf({ start_time: '2025-11-28T10:00:00Z', end_time: '2025-11-28T12:00:00Z', event_type: null, events: 1, usual: 12 });

test('an hour with far fewer events is marked on the row of its source, or of the type that alone has it', () => {
  const items = [DIP, { ...DIP, type: 'x' }];
  assert.deepEqual(marked({ items }, [null]), [DIP]);
  assert.deepEqual(marked({ items }, ['x']).map(({ type }) => type), ['x']);
  assert.equal(marked({ items }).length, 2);
  assert.deepEqual([marked(undefined), marked({ items: null }), marked({ failure: {} })], [[], [], []]);
  assert.deepEqual([9, 10, 11, 12].map((hour) => !!dipAt([DIP], NOON + (hour - 12) * times.HOUR, NOON + (hour - 11) * times.HOUR)), [false, true, true, false]);
  assert.equal(toldOf(DIP), 'far fewer than usual: 1 of all types in 2h, usually 12 an hour');
});

test('dips are asked of each source once in an hour, in windows that the API looks through', async () => {
  const asked = [];
  globalThis.fetch = async (address) => { asked.push(address); return new Response('{"dips": null}'); };
  const shown = ['a', 'b', 'a'].map((source) => ({ source, event_type: 'x' }));
  const state = { shown, dips: new Map(), window: { from: NOON, to: NOON + times.HOUR }, bins: { first: NOON } };
  const { signal } = new AbortController();
  await lookForDips(state, signal, () => {}, NOON);
  await lookForDips(state, signal, () => {}, NOON + times.HOUR - 1);
  assert.deepEqual(asked.map((one) => new URLSearchParams(one.split('?')[1]).get('source')), ['a', 'b']);
  await lookForDips(state, signal, () => {}, NOON + times.HOUR);
  assert.equal(asked.length, 4);
  assert.equal(state.dips.get('a').items, null);
  const before = asked.length;
  await lookForDips({ ...state, bins: { first: NOON - 40 * times.DAY } }, signal, () => {});
  assert.equal(asked.length, before);
  assert.ok(isLookedThrough({ from: NOON, to: NOON + 30 * times.DAY }));
  assert.ok(!isLookedThrough({ from: NOON, to: NOON + 31 * times.DAY }));
});

test('sources stand in order, and those that are silent for long last', () => {
  const pairs = [['b', 'x', '2025'], ['a', 'y', null], ['b', 'v', null], ['c', 'z', '2025']].map(([source, event_type, last_seen]) => ({ source, event_type, last_seen }));
  assert.deepEqual(bySource(pairs).map(([source, all]) => [source, all.map((one) => one.event_type)]), [['b', ['v', 'x']], ['c', ['z']], ['a', ['y']]]);
  assert.ok(fits({ find: 'A y' }, pairs[1]));
  assert.ok(!fits({ find: 'a' }, { source: null }));
  assert.ok(fits({}, { source: null }));
});

for (const [elsewhere, told] of [
  ['last=30d', 'Show the last 30 days'], ['from=2025-11-26T00:00:00.000Z&to=2025-11-29T00:00:00.000Z', 'Show the days until 2025-11-28'], ['day=0001-01-01', 'Show the days until 0001-01-01'],
]) {
  test(`an empty window leads to ${elsewhere}`, () => {
    const pair = { source: 'a', event_type: 'b', last_seen: null };
    const window = { from: NOON, to: NOON + times.HOUR };
    const bins = binsOf(window);
    const none = { first: bins.first, width: bins.width, all: [0], late: [0], until: null };
    const state = { window, bins, shown: [pair], of: new Map([[keyOf(pair), none]]), dips: new Map(), elsewhere };
    assert.ok(JSON.stringify(matrix(state, {}, 300)).includes(told));
  });
}

test('a replay that went to a consumer that does not report, or that was processed, is not running', () => {
  const job = { state: 'SENT', sent: 3, processed: 0, failed: 0, dropped: 0, reports: true, request: {} };
  assert.ok(isRunning(job));
  assert.ok(isRunning({ ...job, state: 'PLANNING', reports: false }));
  assert.ok(!isRunning({ ...job, reports: false }));
  assert.ok(!isRunning({ ...job, processed: 3 }));
  assert.ok(!isRunning({ ...job, state: 'CANCELLED' }));
});

const told = (number) => exact.told(exact.textOf(number));
const HUGE = '12345678901234567890123456789012.05';

test('decimals are added and written with all of their digits', () => {
  const sum = (...texts) => exact.textOf(sumOf(texts.map(exact.exactOf)));
  assert.equal(sum('0.1', '0.2'), '0.3');
  assert.equal(sum(HUGE, '-0.05', '1'), '12345678901234567890123456789013');
  assert.equal(sum('1.10', '-1.1'), '0');
  assert.equal(exact.told(HUGE), '12,345,678,901,234,567,890,123,456,789,012.05');
  assert.equal(exact.signed(exact.minus(exact.exactOf('-1000.5'), exact.exactOf(null))), '−1,000.5');
  assert.equal(exact.compared(exact.exactOf('9007199254740993'), exact.exactOf('9007199254740992')), 1);
});

test('an axis has round numbers, exact however large or small they are', () => {
  const ticks = (low, high) => exact.roundNumbers(exact.exactOf(low), exact.exactOf(high), 4).map(told);
  assert.deepEqual(ticks('0', '165.48'), ['0', '50', '100', '150']);
  assert.deepEqual(ticks('-0.0012', '0.0037'), ['0', '0.002']);
  assert.deepEqual(ticks('5', '5'), ['5']);
  assert.equal(exact.toldShort(exact.exactOf(`2${'0'.repeat(30)}`)), '2e30');
  assert.equal(exact.shortened(HUGE).slice(-1), '…');
});

test('a definition is shown with the digits that it was sent with', () => {
  const text = '{"in":[1.10,-0,1E+3,12345678901234567890],"equals":"1.10 \\" 2"}';
  assert.equal(exact.laidOut(exact.keepingDigits(text)).replace(/\s+/g, ''), '{"in":[1.10,-0,1E+3,12345678901234567890],"equals":"1.10\\"2"}');
});

const weighed = (id, from, to, group = {}) => ({ event_id: id, from_value: from, to_value: to, from_group: from === null ? {} : group, to_group: to === null ? {} : group });

test('a waterfall goes from one value to the other, the biggest change first, and folds the rest into one row', () => {
  const events = [...Array(40).keys()].map((at) => weighed(`${at}`, null, `${at % 2 ? '-' : ''}0.${String(at + 10)}`));
  const changes = changesOf([...events, weighed('huge', HUGE, null)], null);
  const from = exact.exactOf(HUGE);
  const to = sumOf([from, ...changes.map(({ change }) => change)]);
  const steps = stepsOf(from, to, changes);
  assert.deepEqual([steps[0].kind, steps[1].event.event_id, steps.at(-2).kind, steps.at(-2).count, steps.at(-1).kind], ['from', 'huge', 'rest', 29, 'to']);
  assert.equal(steps.length, 15);
  steps.slice(1, -1).forEach((step, at) => assert.equal(exact.compared(step.before, steps[at].after), 0));
  assert.equal(exact.compared(steps.at(-2).after, to), 0);
  const sizes = steps.slice(1, -2).map(({ event }) => exact.magnitude(event.change));
  sizes.slice(1).forEach((size, at) => assert.ok(exact.compared(size, sizes[at]) <= 0));
});

test('what is not compared yet has a row of its own, so that a waterfall always ends at the second value', () => {
  const steps = stepsOf(exact.exactOf('10'), exact.exactOf('13.5'), changesOf([weighed('a', null, '1.25')], null));
  assert.deepEqual(steps.map(({ kind, before, after }) => [kind, told(exact.minus(after, before))]), [['from', '10'], ['event', '1.25'], ['unread', '2.25'], ['to', '13.5']]);
});

test('a waterfall of a group has what events change in that group, also of those that moved into another', () => {
  const [eur, sek] = [{ '/currency': 'EUR' }, { '/currency': 'SEK' }];
  const moved = { ...weighed('moved', '5', '5'), from_group: eur, to_group: sek };
  const changed = (group) => changesOf([weighed('a', '1', '3', eur), moved], group).map(({ event_id: id, change }) => [id, told(change)]);
  assert.deepEqual(changed(eur), [['moved', '−5'], ['a', '2']]);
  assert.deepEqual(changed(sek), [['moved', '5']]);
  assert.deepEqual(changed(null), [['a', '2'], ['moved', '0']]);
});

test('a scale begins at zero unless changes would be too small to see', () => {
  const scale = (...values) => scaleOf(values.map((value) => ({ after: exact.exactOf(value) }))).map(told);
  assert.deepEqual(scale('42.17', '165.48'), ['0', '165.48']);
  assert.deepEqual(scale('6761.13', '7279.79'), ['6,500', '7,279.79']);
  assert.deepEqual(scale('-3', '4'), ['−3', '4']);
  assert.deepEqual(scale('-1000', '-999'), ['−1,000', '−998.5']);
  assert.deepEqual(scale('7', '7'), ['0', '7']);
});

const WHAT_IF = '01a22dc8-61be-8a21-818b-d9d1ed6d74cf';
const version = (id, hash, value) => ({ replay_id: id, inputs_hash: hash, metrics: value === undefined ? [] : [{ name: 'revenue', group: {}, value }] });

test('versions of a metric are compared where its value changed, and a what-if with the newest of the same events', () => {
  const versions = [version('d', 2, '9'), version('c', 2, '9'), version('b', 2, '7'), version('a', 1), version(WHAT_IF, 2, '1')];
  assert.deepEqual(chosenOf(versions, {}, 'revenue'), { from: 'b', to: 'd' });
  assert.deepEqual(chosenOf(versions, {}), { from: 'a', to: 'd' });
  assert.deepEqual(chosenOf(versions, { to: WHAT_IF }, 'revenue'), { from: 'd', to: WHAT_IF });
  assert.deepEqual(chosenOf([versions[0], versions[4]], {}, 'revenue'), { from: 'd', to: WHAT_IF });
  assert.deepEqual(chosenOf(versions, {}, 'refunds'), { from: undefined, to: '' });
  const many = [...Array.from({ length: 20 }, (_, at) => version(`${at}`, 1, at < 10 ? '2' : '3')), version(WHAT_IF, 1, '3')];
  assert.deepEqual(tellingOf(many, { from: '10', to: '0' }, 'revenue').map(({ replay_id: id }) => id), ['0', '10', WHAT_IF]);
});

test('metrics can be chosen that are active, that the versions have, and that are retired', () => {
  const metric = (name, state, calendar = 'UTC') => ({ name, state, built_in: false, definition: { time_zone: calendar } });
  const metrics = [{ name: 'daily_event_count', state: 'ACTIVE', built_in: true, definition: { time_zone: 'UTC' } }, metric('revenue', 'ACTIVE', 'Europe/Paris'), metric('gone', 'RETIRED')];
  const named = (kinds) => kinds.map(([kind, some]) => [kind, some.map(({ name, calendar }) => `${name} ${calendar}`)]);
  const had = [{ metrics: ['daily_event_count', 'revenue', 'draft'].map((name) => ({ name })) }];
  assert.deepEqual(named(choices(metrics, had, { name: '', calendar: 'UTC' })), [['', [' UTC']], ['active metrics', ['revenue Europe/Paris']], ['of these versions', ['revenue UTC', 'draft UTC']], ['retired', ['gone UTC']]]);
  assert.deepEqual(named(choices([], [], { name: 'lost', calendar: 'Asia/Kolkata' })), [['', [' UTC', ' Asia/Kolkata']], ['of these versions', ['lost Asia/Kolkata']]]);
  assert.equal(leftOut({ metric: 'revenue' }, metrics), 'Europe/Paris');
  assert.deepEqual([leftOut({ metric: 'revenue', calendar: 'UTC' }, metrics), leftOut({}, metrics), leftOut({ metric: 'lost' }, metrics)], [null, null, 'UTC']);
});

test('a day of a time zone begins and ends where that of the API does', () => {
  const days = {
    'Europe/Paris 2025-10-26': ['2025-10-25T22:00', '2025-10-26T23:00'], 'Europe/Paris 2025-03-30': ['2025-03-29T23:00', '2025-03-30T22:00'],
    'Asia/Kolkata 2025-11-28': ['2025-11-27T18:30', '2025-11-28T18:30'], 'America/Sao_Paulo 2018-11-04': ['2018-11-04T03:00', '2018-11-05T02:00'],
    'Asia/Amman 2021-10-29': ['2021-10-28T21:00', '2021-10-29T22:00'], 'UTC 2025-11-28': ['2025-11-28T00:00', '2025-11-29T00:00'],
  };
  for (const [name, bounds] of Object.entries(days)) {
    const [calendar, day] = name.split(' ');
    const { from, to } = times.calendarDay(calendar, day);
    assert.deepEqual([times.rfc(from), times.rfc(to)].map((text) => text.slice(0, 16)), bounds, name);
    assert.equal(times.dayAt(calendar, from), day);
    assert.equal(times.dayAt(calendar, to - 1), day);
  }
});

test('totals are of the days of their own calendar, and say how far they can be trusted', () => {
  const window = windowIn({ from: '2025-11-01T00:00:00Z', to: '2025-11-03T00:00:00Z' });
  assert.deepEqual(totals.daysOf({}, window, 'UTC'), ['2025-11-01', '2025-11-02']);
  assert.deepEqual(totals.daysOf({}, window, 'Europe/Paris'), ['2025-11-01', '2025-11-02', '2025-11-03']);
  assert.deepEqual(totals.daysOf({ day: '2025-11-28' }, window, 'Asia/Kolkata'), ['2025-11-28']);
  const total = (day, more) => ({ day, group: {}, value: '1', inputs: 1, skipped: 0, complete: true, arrived_since: 0, ...more });
  const looks = (more) => totals.standing(total('2025-11-28', more))[0];
  assert.deepEqual([looks({}), looks({ arrived_since: 2 }), looks({ complete: false }), looks({ complete: false, arrived_since: 2 })], ['', 'stale', 'partial', 'partial stale']);
  assert.deepEqual(totals.standing(undefined, 'No replay.'), ['missing', 'No replay.']);
  assert.match(totals.standing(total('2025-11-28', { arrived_since: null }))[1], /not known/);
  assert.match(totals.standing(total('2025-11-28', { arrived_since: 2, arrived_since_counts: 'all' }))[1], /perhaps stale: 2 came since, of all/);
  const days = ['2025-11-01', '2025-11-02', '2025-11-03'];
  const rows = totals.rowsOf(days, [total('2025-11-03')], new Map(days.map((day) => [day, 'none'])));
  assert.deepEqual(rows.map(({ day, since, reason }) => [day, since, reason]), [['2025-11-03', undefined, undefined], ['2025-11-02', '2025-11-01', 'none']]);
  const both = [total('2025-11-03'), total('2025-11-03', { group: { a: 'x' }, skipped: 2 })];
  assert.deepEqual(totals.rowsOf(days, both, new Map()).map(({ all, inputs, skipped }) => [all?.length, inputs, skipped]), [[2, 2, 2], [undefined, undefined, undefined]]);
  assert.equal(totals.rowsOf(days.slice(2), both, new Map()).length, 2);
  const groups = totals.byGroup([total('2025-11-01', { inputs: 0 }), total('2025-11-01', { group: { a: 'x' } }), total('2025-11-02', { group: { a: 'y' }, inputs: 5 })]);
  assert.deepEqual(groups.map(([group]) => group.a), ['y', 'x']);
});

test('a replay that computes chosen metrics is asked for again with them', () => {
  const entity = { entity_id: 'a', start_time: '2025-11-28T00:00:00.000Z', end_time: '2025-11-29T00:00:00.000Z' };
  const again = (request) => requestOf(placeOf(new URL(address('/replay/new', queryOf(request)), 'http://console')).query);
  for (const metrics of [['revenue', 'refunds'], []]) assert.deepEqual(again({ ...entity, metrics }), { ...entity, metrics });
  const day = replayOfDay({ entity: 'a', day: '2025-10-26', calendar: 'Europe/Paris', metrics: 'gone' });
  assert.deepEqual(requestOf(placeOf(new URL(day, 'http://console')).query), { entity_id: 'a', start_time: '2025-10-25T22:00:00.000Z', end_time: '2025-10-26T23:00:00.000Z', metrics: ['gone'] });
});
