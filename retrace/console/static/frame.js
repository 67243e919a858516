// What surrounds every view: where one can go, which deployment it is, the zone of times, the theme, the keys.

import { look } from './api.js';
import { html, nothing } from './parts.js';
import { picker } from './picker.js';
import { address } from './place.js';
import { carried, inSameWindow } from './views/window.js';
import { switchZone, zone, zoneName } from './times.js';

const PLACES = [
  ['/', 'Overview', 'o'],
  ['/entity', 'Entity', 'e'],
  ['/type', 'Types', 't'],
  ['/replays', 'Replays', 'r'],
  ['/aggregates', 'Aggregates', 'a'],
  ['/metrics', 'Metrics', 'm'],
  ['/quarantine', 'Quarantine', 'q'],
];
const WITHIN = { '/replay': '/replays', '/replay/new': '/replays' };

/** @type {any} */
let about = null;

/**
 * @param {{path: string, query: import('./place.js').Query}} here
 * @param {(to: string) => void} go shows another address
 * @param {() => void} again shows the view afresh
 * @param {() => void} redraw draws only this
 */
export function header(here, go, again, redraw) {
  const { path, query } = here;
  if (!about) {
    about = {};
    look('/about').then((found) => { about = found; redraw(); }, () => { about = null; });
  }
  const current = /** @type {any} */ (WITHIN)[path] ?? path;
  return html`
    <a class="brand" href="/">Retrace</a>
    <nav aria-label="Views">${PLACES.map(([to, name, key]) => html`<a href=${inSameWindow(to, query)} aria-current=${to === current ? 'page' : nothing} aria-keyshortcuts="g ${key}">${name}</a>`)}</nav>
    <form role="search" @submit=${(/** @type {SubmitEvent} */ event) => searched(event, query, go)}>
      <input type="search" name="q" .defaultValue=${path === '/search' ? query.q ?? '' : ''} aria-label="Search" placeholder="id, key, entity, source …" title="An event, its key, an entity, a source or type, a replay, a refused event (s)" autocomplete="off" spellcheck="false"></form>
    <div class="settings">
      ${about?.url ? html`<span class="deployment ${about.is_local ? 'local' : 'remote'}" title="${about.url} (by ${about.found_in})">${about.is_local ? 'local stack' : hostOf(about.url)}<span class="region"> · ${about.region}</span></span>` : nothing}
      <button @click=${() => { switchZone(); again(); }} title="Switch between UTC and local time (z)" aria-label="Times in ${zoneName()}; switch">${zone() === 'utc' ? 'UTC' : `Local: ${zoneName()}`}</button>
      <button @click=${() => { switchTheme(); again(); }} title="Switch between light and dark (d)" aria-label="Light or dark">◐</button>
      <button class="keys" @click=${showKeys} title="Keys (?)" aria-label="Keys">?</button>
    </div>
    ${picker(here, go)}
    <dialog id="keys" aria-labelledby="keys-title">
      <h2 id="keys-title">Keys</h2>
      <table><tbody>
        ${PLACES.map(([, name, key]) => html`<tr><th scope="row"><kbd>g</kbd> <kbd>${key}</kbd></th><td>${name}</td></tr>`)}
        <tr><th scope="row"><kbd>n</kbd></th><td>New replay of what is on screen</td></tr>
        <tr><th scope="row"><kbd>s</kbd></th><td>Search</td></tr>
        <tr><th scope="row"><kbd>/</kbd></th><td>To the first field of the view</td></tr>
        <tr><th scope="row"><kbd>←</kbd> <kbd>→</kbd></th><td>On a chart: earlier, later</td></tr>
        <tr><th scope="row"><kbd>+</kbd> <kbd>−</kbd></th><td>On a chart: closer, wider</td></tr>
        <tr><th scope="row"><kbd>z</kbd></th><td>UTC or local time</td></tr>
        <tr><th scope="row"><kbd>d</kbd></th><td>Light or dark</td></tr>
        <tr><th scope="row"><kbd>Esc</kbd></th><td>Close what lies open</td></tr>
      </tbody></table>
      <form method="dialog"><button>Close</button></form>
    </dialog>`;
}

/** @param {SubmitEvent} event @param {import('./place.js').Query} query @param {(to: string) => void} go */
function searched(event, query, go) {
  event.preventDefault();
  const q = String(new FormData(/** @type {HTMLFormElement} */ (event.target)).get('q')).trim();
  if (q) go(address('/search', { q, ...carried('/search', query) }));
}

/** @param {string} url */
function hostOf(url) {
  return new URL(url).host.split('.')[0];
}

function switchTheme() {
  const root = document.documentElement;
  const dark = root.dataset.theme ? root.dataset.theme === 'dark' : matchMedia('(prefers-color-scheme: dark)').matches;
  root.dataset.theme = dark ? 'light' : 'dark';
  localStorage.setItem('retrace.theme', root.dataset.theme);
}

function showKeys() {
  /** @type {HTMLDialogElement} */ (document.getElementById('keys')).showModal();
}

/** A replay of what is on screen, where the view has one to offer. @param {(to: string) => void} go */
function newReplay(go) {
  const link = document.querySelector('a.replay');
  if (link) link.dispatchEvent(new MouseEvent('click', { bubbles: true, cancelable: true }));
  else go('/replay/new');
}

let prefix = '';

/** What a key does. @param {KeyboardEvent} event @param {import('./place.js').Query} query @param {(to: string) => void} go @param {() => void} again */
export function pressed(event, query, go, again) {
  const target = /** @type {HTMLElement} */ (event.target);
  if (event.ctrlKey || event.metaKey || event.altKey || target.closest('input, textarea, select, dialog[open]')) return;
  const before = prefix;
  prefix = '';
  const place = before === 'g' && PLACES.find(([, , key]) => key === event.key);
  if (place) go(inSameWindow(place[0], query));
  else if (event.key === 'g') prefix = 'g';
  else if (event.key === '?') showKeys();
  else if (event.key === 'z') { switchZone(); again(); }
  else if (event.key === 'd') { switchTheme(); again(); }
  else if (event.key === 'n') newReplay(go);
  else if (event.key === 's') /** @type {HTMLElement | null} */ (document.querySelector('#top input[name=q]'))?.focus();
  else if (event.key === '/') /** @type {HTMLElement | null} */ (document.querySelector('#view input'))?.focus();
  else return;
  event.preventDefault();
}
