// Before anything is painted: the theme that was chosen, so that a dark page does not flash white, the token of the link, and a
// language to write in.
{
  const theme = localStorage.getItem('retrace.theme');
  if (theme === 'light' || theme === 'dark') document.documentElement.dataset.theme = theme;
  // Kept by scheme, host and port, so that no other server of this machine gets it, as it would get a cookie.
  /** Whether the link brought a token that is to be used from now on. */
  const takeToken = async () => {
    const [, token] = /^#token=([\w-]+)$/.exec(location.hash) ?? [];
    if (!token) return false;
    history.replaceState(null, '', location.pathname + location.search);
    const known = localStorage.getItem('retrace.token');
    if (known === token) return false;
    // Any page can lead here with a token of its own making: one that lets this browser in gives way to a good one only.
    if (known && !(await fetch('/console/about', { headers: { 'X-Retrace-Console': token } })).ok) return false;
    localStorage.setItem('retrace.token', token);
    return true;
  };
  /** @type {any} */ (window).tokenTaken = takeToken().catch(() => false);
  // A link that is opened where the page lies open already loads nothing by itself.
  window.addEventListener('hashchange', async () => (await takeToken()) && location.reload());
  // Where the shell has LANG=C the browser's language is "en-US@posix", which is none, and stops the library of the charts.
  try {
    Intl.getCanonicalLocales(navigator.language);
  } catch {
    Object.defineProperty(navigator, 'language', { value: 'en' });
  }
}
