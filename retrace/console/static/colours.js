// The colours of the theme, as a canvas takes them: it knows no light-dark(), which the style of a registered colour resolves.

for (const name of ['ink', 'quiet', 'line', 'event', 'late', 'duplicate', 'conflict', 'gap', 'good']) {
  CSS.registerProperty({ name: `--${name}`, syntax: '<color>', inherits: true, initialValue: 'black' });
}

/** What each colour is now. */
export const colours = () => {
  const style = getComputedStyle(document.documentElement);
  return (/** @type {string} */ name) => style.getPropertyValue(`--${name}`).trim();
};
