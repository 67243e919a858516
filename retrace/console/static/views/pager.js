// A list that is read page by page: what was read stays whatever becomes of the next page.

import { failed, html, loading, nothing } from '../parts.js';

/**
 * @param {(cursor: string | null) => Promise<{items: any[], cursor: string | null}>} ask for the page after a cursor
 * @param {() => void} redraw when there is something new to show
 */
export function pager(ask, redraw) {
  /** @type {{items: any[], cursor: string | null, failure: any, busy: boolean, isRead: boolean, more: () => Promise<void>}} */
  const list = { items: [], cursor: null, failure: null, busy: false, isRead: false, more };
  async function more() {
    if (list.busy) return;
    Object.assign(list, { busy: true, failure: null });
    redraw();
    try {
      const { items, cursor } = await ask(list.cursor);
      Object.assign(list, { items: [...list.items, ...items], cursor, isRead: true });
    } catch (failure) {
      list.failure = failure;
    }
    list.busy = false;
    redraw();
  }
  return list;
}

/** What stands below such a list: what went wrong, and the way to more. @param {ReturnType<typeof pager>} list */
export function below({ failure, busy, isRead, cursor, more }) {
  if (busy && !isRead) return loading();
  return html`${failure ? failed(failure) : nothing}
    ${cursor || failure ? html`<button @click=${more}>${failure ? 'Try again' : busy ? 'Loading …' : 'More'}</button>` : nothing}`;
}
