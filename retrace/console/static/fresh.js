// From when on what is shown has to have been read: since the page was opened, or since somebody asked to read again.

let since = Date.now();

/** Read anew whatever is shown from now on. */
export function forget() {
  since = Date.now();
}

/** In milliseconds. */
export const readSince = () => since;
