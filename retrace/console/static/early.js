// Before anything is painted: the theme that was chosen, so that a dark page does not flash white.
{
  const theme = localStorage.getItem('retrace.theme');
  if (theme === 'light' || theme === 'dark') document.documentElement.dataset.theme = theme;
}
