// Writing text into the page without needless changes: an equal text would still wake screen readers and observers.

export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}
