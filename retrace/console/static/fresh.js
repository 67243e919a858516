// The time since which shown data must have been read: that of opening the page, or of the last refresh.

let since = Date.now();

/** Read everything again that is shown from now on. */
export function forget() {
  since = Date.now();
}

/** In milliseconds. */
export const readSince = () => since;
