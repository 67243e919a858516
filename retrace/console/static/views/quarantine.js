// What was refused on a day, and why; one of it with its body, to be sent again as it is or corrected.

import { get, post } from '../api.js';
import { badge, counted, empty, eventLink, facts, failed, formOf, html, loading, nothing, number, when } from '../parts.js';
import { windowOf } from '../picker.js';
import { address } from '../place.js';
import { isDay, rfc, toSecond } from '../times.js';
import { correctionOf, drop, keep } from './corrections.js';
import { fits } from './matrix.js';
import { below, pager } from './pager.js';
import { carried } from './window.js';

/** @param {import('../main.js').Page} page */
export async function quarantine(page) {
  const { query } = page;
  if (query.id) await one(page);
  else await listed(page);
}

/** @param {import('../main.js').Page} page */
async function listed(page) {
  const { query, signal, draw } = page;
  const window = /** @type {import('./window.js').Window} */ (windowOf({ path: '/quarantine', query }));
  const bounds = { start_time: rfc(window.from), end_time: rfc(window.to) };
  const redraw = () => draw(html`${form(page)}<section>${rows(query, list)}</section>`);
  const list = pager(async (cursor) => {
    // A page may be empty before the end, where a reason leaves little.
    /** @type {any[]} */
    const items = [];
    do {
      const found = await get('/rejected', { ...bounds, source: query.source, reason: query.reason, resolved: query.done ? '' : 'false', limit: 200, cursor }, signal);
      items.push(...found.items.filter((/** @type {any} */ item) => !query.find || fits(query, item)));
      ({ cursor } = found);
    } while (cursor && items.length < 50);
    return { items, cursor };
  }, redraw);
  redraw();
  await list.more();
}

/** @param {import('../main.js').Page} page */
function form({ query, go }) {
  return html`<form class="where" @submit=${(/** @type {SubmitEvent} */ event) => go(address('/quarantine', { find: query.find, ...formOf(event), ...carried('/quarantine', query) }))}>
    <h1>Quarantine</h1><label>source <input name="source" value=${query.source ?? ''} placeholder="all" size="20" autocomplete="off" spellcheck="false"></label>
    <label>reason <input name="reason" value=${query.reason ?? ''} placeholder="CONFLICT, REJECTED, event_time" size="28" autocomplete="off" spellcheck="false"></label>
    <label class="check"><input type="checkbox" name="done" value="1" ?checked=${!!query.done}> done too</label><button>Show</button></form>
    ${query.find ? html`<p>Only of “${query.find}” · <a href=${address('/quarantine', { ...query, find: '' })}>show all</a></p>` : nothing}`;
}

/** @param {import('../place.js').Query} query @param {ReturnType<typeof pager>} list */
function rows(query, list) {
  const filtered = query.reason || query.source || query.find;
  const none = () => empty(`Nothing ${query.done ? 'was refused' : 'that was refused is left to do'} in this window${filtered ? ' with this filter' : ''}.`,
    html`The window is of the time of receipt, not of the event's own time. Choose a wider one${query.done ? '' : html`, or <a href=${address('/quarantine', { ...query, done: '1' })}>show what is done too</a>`}${filtered ? html`, or <a href=${address('/quarantine', carried('/quarantine', query))}>leave the filter out</a>` : ''}.`);
  return html`${list.items.length ? table(list.items) : list.isRead && !list.cursor ? none() : nothing}${below(list)}`;
}

/** @param {any[]} items */
function table(items) {
  return html`<p class="quiet">${counted(items.length, 'refusal')}</p><div class="scroll"><table class="list"><thead><tr><th>id</th><th>why</th><th>as</th><th>refused</th><th class="number">bytes</th><th>retried</th></tr></thead><tbody>
    ${items.map((item) => html`<tr><td><a class="id" href=${address('/quarantine', { id: item.rejected_id })} title=${item.rejected_id}>${item.rejected_id.slice(0, 19)}</a></td>
      <td>${why(item.errors)}</td><td>${status(item)}</td><td>${when(toSecond(item.ingest_time))}</td><td class="number">${number(item.size)}</td>
      <td>${item.retried ? badge('good', 'retried') : nothing}</td></tr>`)}
  </tbody></table></div>`;
}

/** @param {any} item */
const status = (item) => badge(item.status === 'CONFLICT' ? 'warn' : 'bad', item.status);

/** @param {any[]} errors */
function why(errors) {
  return errors.map((error) => html`<div>${error.field ? html`<code>${error.field}</code> ` : nothing}${error.message}</div>`);
}

/** @param {import('../main.js').Page} page */
async function one(page) {
  const { query, signal, draw } = page;
  const path = `/rejected/${encodeURIComponent(query.id)}`;
  /** @type {any} */
  const shown = { id: query.id, item: null, was: '', answer: null, failure: null, busy: false, text: correctionOf(query.id) };
  const redraw = () => draw(template(shown, retry, write));
  const write = (/** @type {string | null} */ text) => {
    shown.text = text;
    if (text === null || text === shown.was) drop(query.id);
    else keep(query.id, text);
    redraw();
  };
  const retry = async (/** @type {string | undefined} */ text) => {
    Object.assign(shown, { busy: true, failure: null, answer: null });
    redraw();
    try {
      shown.answer = await post(`${path}/retry?results=all`, undefined, text === undefined ? {} : { text, type: shown.item.content_type || 'application/json' });
      // What was refused again is corrected further.
      if (text !== undefined && isAllTaken(shown.answer)) drop(query.id);
    } catch (failure) {
      // What was refused again is an answer too: it says what is wrong with each event.
      const { problem } = /** @type {any} */ (failure);
      if (problem?.rejected_id) shown.answer = problem;
      else shown.failure = failure;
    }
    // Whatever became of it is recorded beside what was refused.
    shown.item = await get(path, {}, signal).catch(() => shown.item);
    shown.busy = false;
    redraw();
  };
  redraw();
  await get(path, {}, signal).then((item) => Object.assign(shown, { item, was: textOf(item) }), (failure) => { shown.failure = failure; });
  redraw();
}

/** @param {any} shown @param {(text?: string) => void} retry @param {(text: string | null) => void} write */
function template(shown, retry, write) {
  const { id, item, answer, failure, busy } = shown;
  const of = id.slice(0, 10);
  const head = html`<div class="split"><h1>Refused ${item ? status(item) : nothing}</h1><a href=${address('/quarantine', { day: isDay(of) ? of : '' })}>all of ${isDay(of) ? of : 'today'}</a></div>`;
  if (!item) return html`<section>${head}${failure ? failed(failure) : loading()}</section>`;
  return html`<section>${head}
    ${facts([['received', when(item.ingest_time)], ['content type', item.content_type ?? '–'], ['bytes', number(item.size)], ['request', item.request_id], ['id', html`<code>${item.rejected_id}</code>`]])}
    <h2 class="minor">Why</h2>${why(item.errors)}
    ${Object.keys(item.headers).length ? html`<h2 class="minor">Headers that belong to it</h2><pre tabindex="0">${Object.entries(item.headers).map(([name, value]) => `${name}: ${value}`).join('\n')}</pre>` : nothing}</section>
  <section><h2>Body</h2>${body(shown, retry, write)}
    ${busy ? loading('Sending') : nothing}
    ${failure ? failed(failure) : nothing}
    ${answer ? html`<div role="status">${outcome(answer)}</div>` : nothing}</section>
  <section><h2>Retries</h2>${item.retries.length ? retries(item.retries) : html`<p class="quiet">None yet.</p>`}</section>`;
}

/** @param {any} shown @param {(text?: string) => void} retry @param {(text: string | null) => void} write */
function body({ item, was, text, busy }, retry, write) {
  const edited = text !== null && text !== was;
  return html`${isText(item) ? nothing : html`<p class="note">Its bytes are not UTF-8. What is no character of it stands as � below, to be corrected; sent again as it was, it is sent in its own bytes.</p>`}
    <label class="unseen" for="body">Body</label><textarea id="body" spellcheck="false" .value=${text ?? was} @input=${(/** @type {any} */ event) => write(event.target.value)}></textarea>
    <p><button class="main" ?disabled=${busy || !edited} @click=${() => retry(text)}>Send corrected</button>
      <button ?disabled=${busy} @click=${() => retry()}>Send again as it was</button>
      ${edited ? html`<button @click=${() => write(null)}>Drop the correction</button>` : nothing}
      <span class="quiet">What was refused stays as it is; the retry is recorded beside it.</span></p>`;
}

/** @param {any} item */
const isText = (item) => typeof item.body === 'string';

/** What was refused as a field can hold it, which has line feeds alone. @param {any} item @returns {string} */
function textOf(item) {
  const text = isText(item) ? item.body : new TextDecoder().decode(Uint8Array.from(atob(item.body_base64), (one) => one.charCodeAt(0)));
  return text.replace(/\r\n?/g, '\n');
}

/** @param {any} answer @returns {any[]} */
const resultsOf = (answer) => answer.results ?? [answer];

/** @param {any} result */
const isTaken = (result) => !!result.event_id && result.status !== 'CONFLICT';

/** A batch is answered with counts and a result for each event. @param {any} answer */
const isAllTaken = (answer) => (answer.counts ? !answer.counts.conflict && !answer.counts.rejected : isTaken(answer));

/** @param {any} answer */
function outcome(answer) {
  return html`${answer.counts ? html`<p>${Object.entries(answer.counts).map(([status, count]) => `${number(count)} ${status}`).join(', ')}</p>` : nothing}${each(answer)}`;
}

/** @param {any} answer */
function each(answer) {
  return resultsOf(answer).map((result) => html`<p>${badge(isTaken(result) ? 'good' : 'bad', result.status)} ${result.event_id ? eventLink(result.event_id) : nothing}</p>${why(result.errors ?? [])}`);
}

/** @param {any[]} all */
function retries(all) {
  return html`<div class="scroll" tabindex="0" role="region" aria-label="Retries"><table class="list"><thead><tr><th>asked for</th><th>by</th><th>corrected</th><th>came of it</th></tr></thead><tbody>
    ${all.map((retry) => html`<tr><td>${when(retry.requested_at)}</td><td>${retry.requested_by}</td><td>${retry.corrected ? 'yes' : 'no'}</td><td>${outcome(retry)}</td></tr>`)}
  </tbody></table></div>`;
}
