// Corrections that were written and not sent. They survive another zone, another view and a reload of the page.

const NAME = 'retrace.correction.';

/** @type {Map<string, string>} */
const written = new Map();

/** @param {string} id of what was refused */
export function correctionOf(id) {
  return written.get(id) ?? sessionStorage.getItem(NAME + id);
}

/** @param {string} id @param {string} text */
export function keep(id, text) {
  written.set(id, text);
  try {
    sessionStorage.setItem(NAME + id, text);
  } catch {
    // The browser keeps no more than some megabytes. It stays as long as the page does.
    sessionStorage.removeItem(NAME + id);
  }
}

/** @param {string} id */
export function drop(id) {
  written.delete(id);
  sessionStorage.removeItem(NAME + id);
}
