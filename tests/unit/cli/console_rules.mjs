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
const { inWindow, windowIn, wrongEnd } = await import(`${page}/views/window.js`);
const { agreed, isTwofold, requestOf } = await import(`${page}/views/replay_form.js`);

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

test('what is no window is none', () => {
  assert.equal(windowIn({ from: '2025-11-28' }), null);
  assert.equal(windowIn({ day: '2025-02-30' }), null);
});

test('a replay is asked for as its form says', () => {
  const query = { entity: 'a', from: '2025-11-28', to: '2025-11-29', limit: '5', include_types: 'x, y', whole_days: 'true' };
  assert.deepEqual(requestOf(query), {
    entity_id: 'a', start_time: '2025-11-28T00:00:00.000Z', end_time: '2025-11-29T00:00:00.000Z', limit: 5, whole_days: true,
    include: { event_types: ['x', 'y'] },
  });
  assert.deepEqual(requestOf({ source: 's', type: 't', start_day: '2025-11-28' }), { source: 's', event_type: 't', start_day: '2025-11-28', end_day: '2025-11-28' });
  assert.equal(requestOf({ entity: 'a' }), null);
});

test('a number that is none reaches the API as it is written, which then says so', () => {
  const query = { entity: 'a', from: '2025-11-28', to: '2025-11-29' };
  for (const wrong of ['abc', '0,5', '10/s', '5 0', 'NaN', '-1', ' ']) {
    const request = requestOf({ ...query, rate: wrong, limit: wrong, include_lag_ms: wrong });
    assert.deepEqual([request.rate, request.limit, request.include.min_lag_ms], [wrong, wrong, wrong]);
  }
  assert.equal(requestOf({ ...query, rate: '0.5' }).rate, 0.5);
});

test('of an entity and a source none is guessed', () => {
  const both = { entity: 'a', from: '2025-11-28', to: '2025-11-29', source: 's', type: 't', start_day: '2025-11-28' };
  assert.ok(isTwofold(both));
  assert.equal(requestOf(both), null);
  assert.ok(!isTwofold({ entity: 'a', include_sources: 's' }));
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
