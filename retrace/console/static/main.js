// The console: which view the address means, and what surrounds it.

import { render } from './vendor/lit-html.js';
import './tips.js';
import { header, pressed } from './frame.js';
import { eventPanel } from './panel.js';
import { empty, failed, html, nothing, say } from './parts.js';
import { address, placeOf, sameView } from './place.js';
import { aggregates } from './views/aggregates.js';
import { entity } from './views/entity.js';
import { metrics } from './views/metrics.js';
import { overview } from './views/overview.js';
import { quarantine } from './views/quarantine.js';
import { newReplay } from './views/new_replay.js';
import { replay } from './views/replay.js';
import { replays } from './views/replays.js';
import { search } from './views/search.js';
import { type } from './views/type.js';
import { carried, windowIn } from './views/window.js';

/**
 * @typedef {object} Page
 * @property {import('./place.js').Query} query what the address says
 * @property {AbortSignal} signal ends when another view is shown
 * @property {(template: unknown) => void} draw shows a template
 * @property {(to: string, options?: {replace?: boolean}) => void} go shows another address
 * @property {() => void} again shows this view afresh
 * @property {unknown} head what stays above a failure: the form in which something can be put right
 */

/** @type {Record<string, {title: string, show: (page: Page) => Promise<void>}>} */
const VIEWS = {
  '/': { title: 'Overview', show: overview },
  '/entity': { title: 'Entity', show: entity },
  '/type': { title: 'Source and type', show: type },
  '/replays': { title: 'Replays', show: replays },
  '/replay': { title: 'Replay', show: replay },
  '/replay/new': { title: 'New replay', show: newReplay },
  '/aggregates': { title: 'Aggregates', show: aggregates },
  '/metrics': { title: 'Metrics', show: metrics },
  '/quarantine': { title: 'Quarantine', show: quarantine },
  '/search': { title: 'Search', show: search },
};

const view = /** @type {HTMLElement} */ (document.getElementById('view'));
let shown = '';
let leaving = new AbortController();

/** @param {string} to @param {{replace?: boolean}} [options] */
function go(to, { replace = false } = {}) {
  const here = location.pathname + location.search;
  if (to !== here) history[replace ? 'replaceState' : 'pushState'](null, '', to);
  // A click on the address on screen means a refresh.
  arrive(to === here, replace);
}

/** Show what the address says; the view itself only if it is another one. @param {boolean} [afresh] @param {boolean} [refined] whether it only says more */
function arrive(afresh = false, refined = false) {
  const address = location.pathname + location.search;
  if (afresh || !shown || !sameView(address, shown)) showView(refined);
  shown = address;
  eventPanel(placeOf(location), go);
}

function surround() {
  render(header(placeOf(location), go, () => arrive(true), surround), /** @type {HTMLElement} */ (document.getElementById('top')));
}

/** @param {boolean} refined */
async function showView(refined) {
  leaving.abort();
  leaving = new AbortController();
  const { signal } = leaving;
  const { path, query } = placeOf(location);
  const found = VIEWS[path];
  const draw = (/** @type {unknown} */ template) => {
    if (!signal.aborted) render(template, view);
  };
  surround();
  if (!refined) /** @type {NodeListOf<HTMLFormElement>} */ (document.querySelectorAll('#top form')).forEach((form) => form.reset());
  document.title = `${found?.title ?? 'Not found'} · ${query.id || query.entity || query.type || query.name || 'Retrace'}`;
  view.dataset.path = path;
  if (!found) {
    draw(empty('There is no such view.', html`<a href="/">Overview</a>`));
    return;
  }
  /** @type {Page} */
  const page = { query, signal, draw, go, again: () => arrive(true), head: nothing };
  try {
    const showing = found.show(page);
    // Unsent input for another address does not belong to this one.
    if (!refined) view.querySelectorAll('form').forEach((form) => form.reset());
    await showing;
    if (!signal.aborted) say(`${found.title} is shown.`);
  } catch (failure) {
    if (!signal.aborted) draw(html`${page.head}${failed(failure, page.again)}`);
  }
}

/** Where a link leads, in the window that is shown unless it names one. @param {HTMLAnchorElement} link */
function inCarriedWindow(link) {
  const { path, query } = placeOf(link);
  // A replay's form has times of its own.
  return address(path, path === '/replay/new' || windowIn(query) ? query : { ...query, ...carried(path, placeOf(location).query) });
}

document.addEventListener('click', (event) => {
  const link = event.target instanceof Element ? event.target.closest('a') : null;
  const plain = event.button === 0 && !event.metaKey && !event.ctrlKey && !event.shiftKey && !event.altKey;
  if (!link || !plain || link.target || link.origin !== location.origin || link.hash) return;
  event.preventDefault();
  const other = link.pathname !== location.pathname;
  go(other ? inCarriedWindow(link) : link.pathname + link.search);
  if (other) view.focus({ preventScroll: false });
});

window.addEventListener('popstate', () => arrive());
// Charts are drawn in the colours of the theme.
matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => arrive(true));
document.addEventListener('keydown', (event) => pressed(event, placeOf(location).query, go, () => arrive(true)));
arrive();
