// A replay before it is sent: what it would send, how long that takes and what it costs, and then a yes.

import { Failure, get, post } from '../api.js';
import { counted, empty, facts, failed, formOf, html, loading, nothing, number, ranked } from '../parts.js';
import { address } from '../place.js';
import { duration } from '../times.js';
import { agreed, fields, isTwofold, requestOf } from './replay_form.js';

const newKey = () => `retrace-console-${crypto.randomUUID()}`;

/** One key for each request until it is answered: what is sent again, because no answer came, is one replay. @type {Map<string, string>} */
const keys = new Map();

/** @param {import('../main.js').Page} page */
export async function newReplay(page) {
  const request = requestOf(page.query);
  /** @type {any} */
  const state = { request, preview: null, failure: null, doubt: nothing, busy: '', changed: false, edited: false };
  const redraw = () => page.draw(template(page, state));
  state.count = () => count(state, redraw);
  state.send = () => send(page, state, redraw);
  // What is sent is what was counted. A form that says something else by now has to be counted first.
  state.edit = () => {
    if (state.edited || !request) return;
    state.edited = true;
    redraw();
  };
  redraw();
  // Without the right to list them, a name is written.
  const listing = get('/destinations', {}, page.signal).then(({ items }) => { state.destinations = items; redraw(); }, () => null);
  await Promise.all([listing, request && state.count()]);
}

/** @param {any} state @param {() => void} redraw */
async function count(state, redraw) {
  Object.assign(state, { busy: 'Counting', failure: null, doubt: nothing, preview: null, changed: false, edited: false });
  redraw();
  try {
    state.preview = await post('/replay?dry_run=true', state.request, { key: newKey() });
  } catch (failure) {
    state.failure = failure;
  }
  state.busy = '';
  redraw();
}

/** @param {import('../main.js').Page} page @param {any} state @param {() => void} redraw */
async function send(page, state, redraw) {
  const { preview, request } = state;
  const asked = JSON.stringify(request);
  const key = keys.get(asked) ?? newKey();
  keys.set(asked, key);
  Object.assign(state, { busy: 'Asking for the replay', failure: null, doubt: nothing, changed: false });
  redraw();
  // Where counting stopped early, what it found is not the size of the replay; max_messages bounds that.
  const confirm = preview.exact || !request.max_messages ? preview.messages : request.max_messages;
  try {
    const job = await post('/replay', { ...request, confirm }, { key });
    keys.delete(asked);
    if (!page.signal.aborted) page.go(address('/replay', { id: job.replay_id }));
    return;
  } catch (failure) {
    const recounted = failure instanceof Failure && failure.problem.preview;
    if (recounted && recounted.messages !== preview.messages) Object.assign(state, { preview: recounted, changed: true });
    else Object.assign(state, { failure, doubt: doubtOf(failure) });
    // The API has said that the key is taken, so sending the form once more means another replay.
    if (state.failure?.status === 409) keys.delete(asked);
  }
  state.busy = '';
  redraw();
}

/** Whether a replay was made though it does not look so. @param {any} failure */
function doubtOf({ status }) {
  if (status === 409) return html`<p class="note">The first request was accepted, with another count: look among the <a href="/replays">replays</a>.</p>`;
  if (status && status < 500) return nothing;
  return html`<p class="note">It may have been accepted: look among the <a href="/replays">replays</a>. Sending the same request again does not make a second one.</p>`;
}

/** @param {import('../main.js').Page} page @param {any} state */
function template(page, state) {
  const { busy, failure, doubt, preview, edited, changed, request, count } = state;
  const submitted = (/** @type {SubmitEvent} */ event) => {
    const to = address('/replay/new', agreed(formOf(event)));
    if (to === location.pathname + location.search) count();
    else page.go(to);
  };
  return html`<form class="card" @submit=${submitted} @input=${state.edit}><h1>New replay</h1>${fields(page.query, state.destinations)}<p><button>Count what it would send</button></p></form>
    ${busy ? loading(busy) : nothing}
    ${failure ? failed(failure) : nothing}
    ${doubt}
    ${edited ? html`<p class="note" role="alert">The form has changed since the count. Count again before sending.</p>` : nothing}
    ${changed ? html`<p class="note" role="alert">The events have changed since the count. This is the new count.</p>` : nothing}
    ${preview && !edited ? shown(state) : request || busy ? nothing : isTwofold(page.query) ? twofold() : empty('Which events?', 'Give an entity and a window, or a source and type and a window or days. Nothing is sent before you have seen the count.')}`;
}

function twofold() {
  return html`<p class="note" role="alert">A replay is of one or the other: an entity, or a source and type. Give a window, or days of a source and type. Empty the other fields. Within an entity, a source or type is a filter.</p>`;
}

/** @param {number} usd */
const dollars = (usd) => (usd < 0.01 ? 'less than $0.01' : `$${usd.toFixed(2)}`);

/** @param {any} state */
function shown({ preview, request, send, busy }) {
  const days = Object.entries(preview.by_day);
  const rows = (/** @type {Record<string, number>} */ of) => /** @type {Array<[string, number]>} */ (Object.entries(of));
  return html`<section aria-labelledby="preview-title"><h2 id="preview-title">It would send</h2>
    ${facts([
    ['messages', html`<strong>${preview.exact ? '' : 'at least '}${number(preview.messages)}</strong>`],
    ['estimated time', duration(preview.estimated_seconds * 1000)],
    ['estimated cost, at most', dollars(preview.estimated_cost_usd)],
    ...(preview.estimated_reports_usd ? [/** @type {[string, string]} */ (['of which reported outcomes', dollars(preview.estimated_reports_usd)])] : []),
    ['rows that were counted', number(preview.scanned)],
  ])}
    ${preview.exact ? nothing : html`<p class="note">Counting stopped before the end. Set the most messages in all: that number is confirmed instead.</p>`}
    ${preview.advice ? html`<p class="note">${preview.advice}</p>` : nothing}
    <p><button class="main" ?disabled=${!preview.messages || busy} @click=${send}>Send ${counted(preview.messages, 'message')}</button>
      <span class="quiet">${request?.destination ? `It goes to ${request.destination} and computes no aggregate.` : 'It computes a new version of each aggregate that it touches, and replaces none.'}</span></p></section>
    <div class="columns">
      <section>${ranked(rows(preview.by_day).slice(0, 60), `By day${days.length > 60 ? `, 60 of ${days.length}` : ''}`)}</section>
      <section>${ranked(rows(preview.by_type).slice(0, 25), 'By type')}</section>
      <section>${ranked(rows(preview.by_source).slice(0, 25), 'By source')}</section>
    </div>`;
}
