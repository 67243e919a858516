// Whether the next picture is to be read anew rather than taken from what the console still knows.

let wanted = false;

/** Ask for it. */
export function forget() {
  wanted = true;
}

/** Whether it was asked for; asked once, it counts once. */
export function isWanted() {
  const was = wanted;
  wanted = false;
  return was;
}
