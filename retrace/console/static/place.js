// Where one is: every view is a path and a query, so that an address says all of what is shown.

/** @typedef {Record<string, string>} Query */

/** What does not change the view itself. */
const ASIDE = ['event'];

/** @param {{pathname: string, search: string}} location @returns {{path: string, query: Query}} */
export function placeOf(location) {
  return { path: location.pathname, query: Object.fromEntries(new URLSearchParams(location.search)) };
}

/**
 * The address of a view; what is empty is left out.
 * @param {string} path @param {Record<string, string | number | null | undefined | false>} [query]
 */
export function address(path, query = {}) {
  const given = Object.entries(query).filter(([, value]) => value !== '' && value !== null && value !== undefined && value !== false);
  const search = new URLSearchParams(given.map(([name, value]) => [name, String(value)])).toString();
  return search ? `${path}?${search}` : path;
}

/** Whether two places show the same view, whatever lies open beside it. @param {string} one @param {string} other */
export function sameView(one, other) {
  return withoutAside(one) === withoutAside(other);
}

/** @param {string} text */
function withoutAside(text) {
  const { path, query } = placeOf(new URL(text, 'http://console/'));
  ASIDE.forEach((name) => delete query[name]);
  return address(path, query);
}
