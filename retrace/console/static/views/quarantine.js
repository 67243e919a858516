// What was refused on a day, and why; one of it with its body, to be sent again as it is or corrected.

import { get, post } from '../api.js';
import { badge, counted, empty, eventLink, facts, failed, formOf, html, loading, nothing, number, when } from '../parts.js';
import { address } from '../place.js';
import { DAY, dayOf, isDay, startOf } from '../times.js';

/** @param {import('../main.js').Page} page */
export async function quarantine(page) {
  const { query } = page;
  if (query.id) await one(page);
  else if (isDay(query.day)) await day(page, query.day);
  else page.go(address('/quarantine', { ...query, day: dayOf(Date.now()) }), { replace: true }); // today is another day tomorrow
}

/** @param {import('../main.js').Page} page @param {string} of */
async function day(page, of) {
  const { query, signal, draw, go } = page;
  const other = (/** @type {number} */ by) => address('/quarantine', { ...query, day: dayOf(startOf(of) + by * DAY) });
  const head = html`<form class="where" @submit=${(/** @type {SubmitEvent} */ event) => go(address('/quarantine', formOf(event)))}>
    <h1>Quarantine</h1><label>UTC day of receipt <input type="date" name="day" .value=${of} required></label>
    <label>reason <input name="reason" .value=${query.reason ?? ''} placeholder="CONFLICT, or a field such as event_time" size="32" autocomplete="off"></label><button>Show</button>
    <span class="steps"><a class="button" href=${other(-1)} title="The day before">◀</a><a class="button" href=${other(1)} title="The day after">▶</a></span></form>`;
  page.head = head;
  draw(html`${head}${loading()}`);
  /** @type {any[]} */
  const items = [];
  /** @type {string | null} */
  let cursor = null;
  /** @type {any} */
  let failure = null;
  const more = () => next().catch((wrong) => { failure = wrong; redraw(); });
  const next = async () => {
    const before = items.length;
    failure = null;
    do {
      const found = await get('/rejected', { day: of, reason: query.reason, limit: 200, cursor }, signal);
      items.push(...found.items);
      ({ cursor } = found);
    } while (cursor && items.length < before + 50 && !signal.aborted);
    redraw();
  };
  const redraw = () => draw(html`${head}<section>${items.length ? list(items) : empty(`Nothing was refused on ${of}${query.reason ? ` for ${query.reason}` : ''}.`, 'The day is that of receipt, not of the event. Look at the days before, or without a reason.')}
    ${failure ? failed(failure) : nothing}
    ${cursor ? html`<button @click=${more}>More</button>` : nothing}</section>`);
  await next();
}

/** @param {any[]} items */
function list(items) {
  return html`<p class="quiet">${counted(items.length, 'refusal')}</p><div class="scroll"><table class="list"><thead><tr><th>id</th><th>refused</th><th>as</th><th>why</th><th class="number">bytes</th><th>retried</th></tr></thead><tbody>
    ${items.map((item) => html`<tr><td><a class="id" href=${address('/quarantine', { id: item.rejected_id })} title=${item.rejected_id}>${item.rejected_id.slice(0, 19)}</a></td><td>${when(`${item.ingest_time.slice(0, 19)}Z`)}</td><td>${status(item)}</td><td>${why(item.errors)}</td><td class="number">${number(item.size)}</td>
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
  draw(loading());
  const path = `/rejected/${encodeURIComponent(query.id)}`;
  // A correction outlives whatever draws the view anew: another zone, another view and back.
  const draft = `retrace.draft.${query.id}`;
  /** @type {any} */
  const shown = { item: await get(path, {}, signal), answer: null, failure: null, busy: false, text: sessionStorage.getItem(draft) };
  const changed = (/** @type {string} */ text) => {
    shown.text = text;
    sessionStorage.setItem(draft, text);
    redraw();
  };
  const redraw = () => draw(template(shown, retry, changed));
  const retry = async (/** @type {string | undefined} */ text) => {
    Object.assign(shown, { busy: true, failure: null, answer: null });
    redraw();
    try {
      shown.answer = await post(`${path}/retry`, undefined, text === undefined ? {} : { text, type: shown.item.content_type || 'application/json' });
      sessionStorage.removeItem(draft);
    } catch (failure) {
      shown.failure = failure;
    }
    // Whatever became of it is recorded beside what was refused.
    shown.item = await get(path, {}, signal).catch(() => shown.item);
    shown.busy = false;
    redraw();
  };
  redraw();
}

/** @param {any} shown @param {(text?: string) => void} retry @param {(text: string) => void} changed */
function template({ item, answer, failure, busy, text }, retry, changed) {
  const edited = text !== null && text !== item.body;
  return html`<section><div class="split"><h1>Refused ${status(item)}</h1><a href=${address('/quarantine', { day: item.rejected_id.slice(0, 10) })}>all of ${item.rejected_id.slice(0, 10)}</a></div>
    ${facts([['received', when(item.ingest_time)], ['content type', item.content_type ?? '–'], ['bytes', number(item.size)], ['request', item.request_id], ['id', html`<code>${item.rejected_id}</code>`]])}
    <h3>Why</h3>${why(item.errors)}
    ${Object.keys(item.headers).length ? html`<h3>Headers that belong to it</h3><pre tabindex="0">${Object.entries(item.headers).map(([name, value]) => `${name}: ${value}`).join('\n')}</pre>` : nothing}</section>
  <section><h2>Body</h2>
    ${item.body === undefined || item.body === null ? html`<p class="quiet">Its bytes are not UTF-8; here in base64. It can be sent again as it is.</p><pre tabindex="0">${item.body_base64}</pre>`
    : html`<label class="unseen" for="body">Body</label><textarea id="body" spellcheck="false" .value=${text ?? item.body} @input=${(/** @type {any} */ event) => changed(event.target.value)}></textarea>`}
    <p><button class="main" ?disabled=${busy || !edited} @click=${() => retry(text)}>Send corrected</button>
      <button ?disabled=${busy} @click=${() => retry()}>Send again as it was</button>
      <span class="quiet">What was refused stays as it is; the retry is recorded beside it.</span></p>
    ${busy ? loading('Sending') : nothing}
    ${failure ? failed(failure) : nothing}
    ${answer ? html`<div role="status">${outcome(answer)}</div>` : nothing}</section>
  <section><h2>Retries</h2>${item.retries.length ? retries(item.retries) : html`<p class="quiet">None yet.</p>`}</section>`;
}

/** @param {any} answer */
function outcome(answer) {
  const results = answer.results ?? [answer];
  return results.map((/** @type {any} */ result) => html`<p>${badge(result.event_id && result.status !== 'CONFLICT' ? 'good' : 'bad', result.status)} ${result.event_id ? eventLink(result.event_id) : nothing}</p>`);
}

/** @param {any[]} all */
function retries(all) {
  return html`<div class="scroll"><table class="list"><thead><tr><th>asked for</th><th>by</th><th>corrected</th><th>came of it</th></tr></thead><tbody>
    ${all.map((retry) => html`<tr><td>${when(retry.requested_at)}</td><td>${retry.requested_by}</td><td>${retry.corrected ? 'yes' : 'no'}</td><td>${outcome(retry)}</td></tr>`)}
  </tbody></table></div>`;
}
