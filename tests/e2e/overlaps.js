// Which labels of charts and of tables of hours overlap, or are cut at the edge of the page, measured by their boxes; and what else is cut without a sign.
() => {
  const labels = [...document.querySelectorAll('.label, .tick, .heat thead th')].filter((one) => getComputedStyle(one).fontSize !== '0px');
  const boxed = labels.map((one) => ({ text: one.textContent, box: one.getBoundingClientRect() })).filter(({ box }) => box.width);
  const meet = (low, high, otherLow, otherHigh) => low < otherHigh - 0.5 && otherLow < high - 0.5;
  const overlap = (one, other) => meet(one.left, one.right, other.left, other.right) && meet(one.top, one.bottom, other.top, other.bottom);
  const cut = boxed.filter(({ box }) => box.left < 0 || box.right > innerWidth).map(({ text }) => `${text} is cut`);
  const pairs = boxed.flatMap((one, index) => boxed.slice(index + 1).map((other) => [one, other]));
  const style = (one) => getComputedStyle(one);
  const isSeen = (one) => one.checkVisibility() && !one.closest('.unseen, svg, #charts, #versions');
  const hides = (one) => one.matches('input, select') || ['hidden', 'clip'].includes(style(one).overflowX);
  const isCut = (one) => (one.matches('select') || one.scrollWidth > one.clientWidth + 1) && style(one).textOverflow !== 'ellipsis';
  const unsigned = [...document.body.querySelectorAll('*')].filter((one) => isSeen(one) && hides(one) && isCut(one)).map((one) => `${one.tagName} ${one.name ?? one.className} is cut without a sign`);
  return cut.concat(unsigned, pairs.filter(([one, other]) => overlap(one.box, other.box)).map(([one, other]) => `${one.text} lies over ${other.text}`));
}
