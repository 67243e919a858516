// A replay before it is sent: what it would send, how long that takes and what it costs, and then a yes.

import { Failure, post } from '../api.js';
import { counted, empty, facts, failed, formOf, html, loading, nothing, number, ranked } from '../parts.js';
import { address } from '../place.js';
import { duration } from '../times.js';
import { agreed, fields, isTwofold, requestOf } from './replay_form.js';

// One for each count: what is sent again, because no answer came, is one replay.
const newKey = () => `retrace-console-${crypto.randomUUID()}`;

/** @param {import('../main.js').Page} page */
export async function newReplay(page) {
  /** @type {any} */
  const state = { preview: null, key: '', failure: null, busy: '', changed: false, stale: false };
  const redraw = () => page.draw(template(page, state));
  state.count = () => count(page, state, redraw);
  state.send = () => send(page, state, redraw);
  // What is sent is what was counted; a form that says something else by now has to be counted again.
  state.edited = () => {
    if (!state.preview) return;
    Object.assign(state, { preview: null, failure: null, changed: false, stale: true });
    redraw();
  };
  redraw();
  if (requestOf(page.query)) await state.count();
}

/** @param {import('../main.js').Page} page @param {any} state @param {() => void} redraw */
async function count(page, state, redraw) {
  Object.assign(state, { busy: 'Counting', failure: null, preview: null, changed: false, stale: false });
  redraw();
  try {
    state.preview = await post('/replay', { ...requestOf(page.query), dry_run: true }, { key: newKey() });
    state.key = newKey();
  } catch (failure) {
    state.failure = failure;
  }
  state.busy = '';
  redraw();
}

/** @param {import('../main.js').Page} page @param {any} state @param {() => void} redraw */
async function send(page, state, redraw) {
  const { preview } = state;
  Object.assign(state, { busy: 'Asking for the replay', failure: null, changed: false });
  redraw();
  const request = requestOf(page.query) ?? {};
  // Where counting stopped early, what it found is not the size of the replay; a limit bounds that.
  const confirm = preview.exact || !request.limit ? preview.messages : request.limit;
  try {
    const job = await post('/replay', { ...request, confirm }, { key: state.key });
    page.go(address('/replay', { id: job.replay_id }));
    return;
  } catch (failure) {
    const recounted = failure instanceof Failure && failure.problem.preview;
    if (recounted && recounted.messages !== preview.messages) Object.assign(state, { preview: recounted, key: newKey(), changed: true });
    else state.failure = failure;
  }
  state.busy = '';
  redraw();
}

/** @param {import('../main.js').Page} page @param {any} state */
function template(page, state) {
  const submitted = (/** @type {SubmitEvent} */ event) => {
    const to = address('/replay/new', agreed(formOf(event)));
    if (to === location.pathname + location.search) state.count();
    else page.go(to);
  };
  return html`<form class="card" @submit=${submitted} @input=${state.edited}><h1>New replay</h1>${fields(page.query)}<p><button>Count what it would send</button></p></form>
    ${state.busy ? loading(state.busy) : nothing}
    ${state.failure ? failed(state.failure) : nothing}
    ${state.stale ? html`<p class="note" role="alert">The form was changed. Count again before sending.</p>` : nothing}
    ${isTwofold(page.query) ? html`<p class="note" role="alert">An entity is named and a source or type as well; a replay is of one or the other. Empty one of them. A source or type within an entity is a filter.</p>` : nothing}
    ${state.changed ? html`<p class="note" role="alert">There are other events by now; this is the new count.</p>` : nothing}
    ${state.preview ? shown(state) : requestOf(page.query) || isTwofold(page.query) || state.busy ? nothing : empty('Which events?', 'Give an entity and a window, or a source and type and days. Nothing is sent before you have seen the count.')}`;
}

/** @param {any} state */
function shown({ preview, send, busy }) {
  const days = Object.entries(preview.by_day);
  const rows = (/** @type {Record<string, number>} */ of) => /** @type {Array<[string, number]>} */ (Object.entries(of));
  return html`<section aria-labelledby="preview-title"><h2 id="preview-title">It would send</h2>
    ${facts([
    ['messages', html`<strong>${preview.exact ? '' : 'at least '}${number(preview.messages)}</strong>`],
    ['estimated time', duration(preview.estimated_seconds * 1000)],
    ['estimated cost, at most', `${preview.estimated_cost_usd < 0.01 ? 'less than $0.01' : `$${preview.estimated_cost_usd.toFixed(2)}`}`],
    ['rows that were counted', number(preview.scanned)],
  ])}
    ${preview.exact ? nothing : html`<p class="note">Counting stopped before the end. A limit bounds the replay; its number is confirmed instead.</p>`}
    ${preview.advice ? html`<p class="note">${preview.advice}</p>` : nothing}
    <p><button class="main" ?disabled=${!preview.messages || busy} @click=${send}>Send ${counted(preview.messages, 'message')}</button>
      <span class="quiet">A version of each aggregate that it touches is computed; none is replaced.</span></p></section>
    <div class="columns">
      <section>${ranked(rows(preview.by_day).slice(0, 60), `By day${days.length > 60 ? `, 60 of ${days.length}` : ''}`)}</section>
      <section>${ranked(rows(preview.by_type).slice(0, 25), 'By type')}</section>
      <section>${ranked(rows(preview.by_source).slice(0, 25), 'By source')}</section>
    </div>`;
}
