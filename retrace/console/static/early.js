// Before anything is painted: the theme that was chosen, so that a dark page does not flash white, the token of the link, and a
// language to write in.
{
  const theme = localStorage.getItem('retrace.theme');
  if (theme === 'light' || theme === 'dark') document.documentElement.dataset.theme = theme;
  // Kept by scheme, host and port, so that no other server of this machine gets it, as it would get a cookie.
  const takeToken = () => {
    const [, token] = /^#token=([\w-]+)$/.exec(location.hash) ?? [];
    if (!token) return false;
    localStorage.setItem('retrace.token', token);
    history.replaceState(null, '', location.pathname + location.search);
    return true;
  };
  takeToken();
  // A link that is opened where the page lies open already loads nothing by itself.
  window.addEventListener('hashchange', () => takeToken() && location.reload());
  // Where the shell has LANG=C the browser's language is "en-US@posix", which is none, and stops the library of the charts.
  try {
    Intl.getCanonicalLocales(navigator.language);
  } catch {
    Object.defineProperty(navigator, 'language', { value: 'en' });
  }
}
