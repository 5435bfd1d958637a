// One alert in the corner of the page, for what went wrong outside of a form.

const element = document.getElementById("trouble");

export function showAlert(sentence) {
  if (!element) return;
  element.textContent = sentence;
  element.hidden = !sentence;
}

export function hideAlert() {
  showAlert("");
}
