// Refused events retried together: as they were kept, or as lines that are corrected first, as the command line does.

import { look, sent } from '../api.js';
import { counted, failed, html, loading, nothing, say } from '../parts.js';

/**
 * @typedef {object} Bulk
 * @property {Set<string>} chosen ids
 * @property {Map<string, any>} results by id, of what was sent and not only checked
 * @property {string | null} text lines to correct
 * @property {string} busy
 * @property {any} failure
 * @property {any[] | null} checked results of a dry run
 * @property {(dry: boolean) => Promise<void>} send
 * @property {() => Promise<void>} correct
 * @property {() => void} redraw
 */

/** @param {() => void} redraw @param {AbortSignal} signal @returns {Bulk} */
export function newBulk(redraw, signal) {
  /** @type {Bulk} */
  const state = { chosen: new Set(), results: new Map(), text: null, busy: '', failure: null, checked: null, send, correct, redraw };
  const doing = async (/** @type {string} */ busy, /** @type {() => Promise<void>} */ work) => {
    Object.assign(state, { busy, failure: null, checked: null });
    redraw();
    await work().catch((failure) => { state.failure = failure; });
    state.busy = '';
    redraw();
  };
  function correct() {
    return doing('Reading them', async () => { state.text = (await look('/corrections', { ids: [...state.chosen].join(',') }, signal)).lines; });
  }
  function send(/** @type {boolean} */ dry) {
    const body = state.text ?? [...state.chosen].map((id) => JSON.stringify({ rejected_id: id })).join('\n');
    return doing(dry ? 'Checking' : 'Sending', async () => {
      /** @type {any[]} */
      const results = [];
      await sent('/retries', { dry_run: dry }, body, signal, (/** @type {any} */ result) => {
        results.push(result);
        if (!dry) taken(state, result);
        redraw();
      });
      if (dry) state.checked = results;
      else if (state.text !== null) state.text = leftOf(state.text, state.results);
      say(summary(results, dry));
    });
  }
  return state;
}

/** @param {Bulk} state @param {any} result */
function taken({ results, chosen }, result) {
  results.set(result.rejected_id, result);
  if (result.taken_in) chosen.delete(result.rejected_id);
}

/** The lines that are still to be corrected; null if none is. @param {string} text @param {Map<string, any>} results */
function leftOf(text, results) {
  const left = text.split('\n').filter((line) => line.trim() && !results.get(JSON.parse(line).rejected_id)?.taken_in);
  return left.length ? `${left.join('\n')}\n` : null;
}

/** @param {any[]} results @param {boolean} dry */
function summary(results, dry) {
  const good = results.filter((result) => result.taken_in).length;
  const bad = results.length - good;
  return `${good} ${dry ? 'would be taken in' : 'taken in'}${bad ? `, ${bad} refused again` : ''}.`;
}

/** @param {Bulk} state @param {any[]} items */
export function bulk(state, items) {
  const { chosen, results, text, busy, failure, checked, redraw } = state;
  const open = items.filter((item) => !item.resolved && !results.get(item.rejected_id)?.taken_in).map((item) => item.rejected_id);
  const all = () => {
    if (chosen.size < open.length) open.forEach((id) => chosen.add(id));
    else chosen.clear();
    redraw();
  };
  const of = [...results.values()];
  return html`<div class="bulk"><p><button ?disabled=${!open.length || !!busy} @click=${all}>${open.length && chosen.size >= open.length ? 'Choose none' : `Choose all ${open.length}`}</button>
    <button ?disabled=${!chosen.size || !!busy || text !== null} @click=${state.correct}>Correct ${chosen.size || ''} …</button>
    <button ?disabled=${!chosen.size || !!busy || text !== null} @click=${() => state.send(false)}>Retry ${chosen.size || ''} as they are</button>
    ${of.length ? html`<span role="status">${summary(of, false)}</span>` : nothing}</p>
    ${text === null ? nothing : editor(state, text)}
    ${busy ? loading(busy) : nothing}${failure ? failed(failure) : nothing}
    ${checked ? html`<div role="status"><p>${summary(checked, true)}</p><ul>${checked.filter((one) => !one.taken_in).slice(0, 10).map((one) => html`<li><code>${one.rejected_id.slice(0, 19)}</code> ${one.errors.map((/** @type {any} */ error) => html`<code>${error.field}</code> ${error.message} `)}</li>`)}</ul></div>` : nothing}</div>`;
}

/** @param {Bulk} state @param {string} text */
function editor(state, text) {
  const written = (/** @type {string | null} */ next) => {
    Object.assign(state, { text: next, checked: null, failure: null });
    state.redraw();
  };
  const replaced = (/** @type {SubmitEvent} */ event) => {
    event.preventDefault();
    const form = /** @type {HTMLFormElement} */ (event.target);
    const [find, by] = ['find', 'by'].map((name) => /** @type {HTMLInputElement} */ (form.elements.namedItem(name)));
    try {
      written(text.replace(new RegExp(find.value, 'g'), by.value));
    } catch (error) {
      find.setCustomValidity(String(error));
      form.reportValidity();
    }
  };
  const forgive = (/** @type {any} */ { target }) => target.setCustomValidity('');
  return html`<div class="card"><h3>A line for each refused event. Correct its <code>event</code>.</h3>
    <form class="replace" @submit=${replaced}><label>replace <input name="find" placeholder="(\\d{4}-\\d\\d-\\d\\d) (\\d\\d:\\d\\d:\\d\\d)" size="34" required @input=${forgive} autocomplete="off" spellcheck="false"></label>
      <label>by <input name="by" placeholder="$1T$2Z" size="14" autocomplete="off" spellcheck="false"></label><button>Replace in all</button> <span class="quiet">a regular expression</span></form>
    <label class="unseen" for="lines">Lines to correct</label><textarea id="lines" wrap="off" spellcheck="false" .value=${text} @input=${(/** @type {any} */ { target }) => written(target.value)}></textarea>
    <p><button ?disabled=${!!state.busy} @click=${() => state.send(true)}>Check</button> <button class="main" ?disabled=${!!state.busy} @click=${() => state.send(false)}>Send ${counted(text.split('\n').filter((line) => line.trim()).length, 'correction')}</button>
      <button @click=${() => written(null)}>Drop them</button></p></div>`;
}
