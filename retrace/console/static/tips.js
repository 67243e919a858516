// What an element says when it is pointed at or reached with the keyboard, beside it.

const tip = Object.assign(document.createElement('div'), { className: 'tip', hidden: true });
tip.setAttribute('role', 'tooltip');
document.body.append(tip);

/** @param {Event} event */
function show({ target }) {
  const told = target instanceof Element ? target.closest('[data-tip]') : null;
  tip.hidden = !told;
  if (!told) return;
  tip.textContent = told.getAttribute('data-tip');
  const box = told.getBoundingClientRect();
  place(tip, box.left + box.width / 2, box.bottom + 6, innerWidth, innerHeight);
}

/** Put a tip at a place, within what is seen. @param {HTMLElement} element @param {number} left @param {number} top @param {number} width @param {number} height */
export function place(element, left, top, width, height) {
  element.style.left = '0px';
  element.style.left = `${Math.max(0, Math.min(left, width - element.offsetWidth - 8))}px`;
  element.style.top = `${Math.max(0, Math.min(top, height - element.offsetHeight - 8))}px`;
}

document.addEventListener('pointerover', show);
document.addEventListener('focusin', show);
document.addEventListener('keydown', () => { tip.hidden = true; });
document.addEventListener('scroll', () => { tip.hidden = true; }, { passive: true });
