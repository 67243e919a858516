// Requests to the console's own server, which signs those that it passes on to the API.

import { keepingDigits } from './exact.js';

// What lets this browser in; something is said even without it, as that is what tells the page from a form.
const token = () => ({ 'X-Retrace-Console': localStorage.getItem('retrace.token') ?? 'none' });

/** What did not work, with a remedy. */
export class Failure extends Error {
  /** @param {number} status @param {any} problem */
  constructor(status, problem) {
    super(problem?.detail || problem?.title || problem?.message || problem?.Message || `The answer was ${status}.`);
    this.status = status;
    this.problem = problem ?? {};
    this.remedy = /security token|token.*expired/i.test(this.message) ? LOG_IN : problem?.remedy || remedyFor(status);
  }
}

const LOG_IN = 'Log in again (aws sso login), and try again. The console picks up new credentials if they come from a profile.';

/** @param {number} status */
function remedyFor(status) {
  if (status === 401) return 'Open the address that `retrace console` printed when it was started: it lets this browser in.';
  if (status === 403) return 'Run `retrace doctor` to see whose credentials these are, and attach the policy for this route.';
  if (status === 404) return 'Check how it is written, and whether it is of this deployment, which the top of the page names.';
  if (status === 400) return 'Correct what is named, and try again.';
  if (status >= 500) return 'Try again. If it fails again, run `retrace doctor` to find out why.';
  return '';
}

/** @param {string} path @param {Record<string, any>} [query] @param {RequestInit} [options] */
async function asked(path, query = {}, options = {}) {
  const given = Object.entries(query).filter(([, value]) => value !== undefined && value !== null && value !== '');
  const search = new URLSearchParams(given.map(([name, value]) => [name, String(value)])).toString();
  await /** @type {any} */ (globalThis).tokenTaken;
  let response;
  try {
    response = await fetch(search ? `${path}?${search}` : path, { ...options, headers: { ...token(), ...options.headers } });
  } catch (error) {
    if (options.signal?.aborted) throw error;
    throw new Failure(0, { detail: 'The console does not answer.', remedy: 'Is `retrace console` still running? Start it again, and open the address that it prints.' });
  }
  return response;
}

/** @param {Response} response @param {(text: string) => any} [parse] */
async function read(response, parse = JSON.parse) {
  const text = await response.text();
  let body = null;
  try {
    body = text ? parse(text) : null;
  } catch {
    body = { detail: text.slice(0, 300) };
  }
  if (!response.ok) throw new Failure(response.status, body);
  return body;
}

/** A GET of the API. @param {string} path @param {Record<string, any>} query @param {AbortSignal} [signal] */
export async function get(path, query = {}, signal) {
  return read(await asked(`/api${path}`, query, { signal }));
}

/** A GET of the API whose numbers are to be shown with the digits that they were sent with. @param {string} path @param {AbortSignal} signal */
export async function digits(path, signal) {
  return read(await asked(`/api${path}`, {}, { signal }), keepingDigits);
}

/** A GET of what the console adds. @param {string} path @param {Record<string, any>} query @param {AbortSignal} [signal] */
export async function look(path, query = {}, signal) {
  return read(await asked(`/console${path}`, query, { signal }));
}

/**
 * A POST to the API. A key makes sure that what is sent again is done once.
 * @param {string} path @param {any} [body] @param {{key?: string, type?: string, text?: string}} [options]
 */
export async function post(path, body, { key, type = 'application/json', text } = {}) {
  /** @type {Record<string, string>} */
  const headers = {};
  if (body !== undefined || text !== undefined) headers['Content-Type'] = type;
  if (key) headers['Idempotency-Key'] = key;
  const sent = text ?? (body === undefined ? undefined : JSON.stringify(body));
  return read(await asked(`/api${path}`, {}, { method: 'POST', headers, body: sent }));
}

/** How much of what a browser may ask at once is for one list of things. */
const AT_ONCE = 3;

/** Do something for each, a few at once. @template T @param {T[]} items @param {AbortSignal} signal @param {(item: T) => Promise<void>} work */
export async function fewAtOnce(items, signal, work) {
  const left = [...items];
  const worker = async () => {
    for (let item = left.shift(); item !== undefined && !signal.aborted; item = left.shift()) await work(item);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
}

/** A browser has six connections to a server, for all of its tabs: as many of them may be read from for long. */
const STREAMS = 3;

/**
 * Lines of JSON, each handed over as it comes; they may wait for those of other tabs.
 * @param {string} path @param {Record<string, any>} query @param {AbortSignal} signal @param {(line: any) => void} take
 */
export async function lines(path, query, signal, take) {
  const name = (/** @type {number} */ number) => `retrace.stream.${number}`;
  for (let number = 0; number < STREAMS; number += 1) {
    const free = await navigator.locks.request(name(number), { ifAvailable: true }, (lock) => lock && streamed(path, query, signal, take).then(() => true));
    if (free) return;
  }
  await navigator.locks.request(name(Math.floor(Math.random() * STREAMS)), { signal }, () => streamed(path, query, signal, take));
}

/** A POST of text to what the console adds, whose answer is lines of JSON. @param {string} path @param {Record<string, any>} query @param {string} body @param {AbortSignal} signal @param {(line: any) => void} take */
export async function sent(path, query, body, signal, take) {
  await streamed(path, query, signal, take, { method: 'POST', body });
}

/** @param {string} path @param {Record<string, any>} query @param {AbortSignal} signal @param {(line: any) => void} take @param {RequestInit} [options] */
async function streamed(path, query, signal, take, options = {}) {
  const response = await asked(`/console${path}`, query, { ...options, signal });
  if (!response.ok || !response.body) {
    await read(response);
    return;
  }
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = '';
  for (;;) {
    const { done, value } = await reader.read().catch((error) => {
      if (signal.aborted) throw error;
      throw new Failure(0, { detail: 'The console broke off in the middle.', remedy: 'Is `retrace console` still running? Try again.' });
    });
    if (done) return;
    const pieces = (rest + value).split('\n');
    rest = pieces.pop() ?? '';
    for (const piece of pieces) {
      const line = JSON.parse(piece);
      if (line.problem) throw new Failure(502, line.problem);
      take(line);
    }
  }
}
