// Keyboard shortcuts. The dialog of templates/_keys.html lists them for people.

function isTyping(element) {
  return element.matches("input:not([type=checkbox]), textarea, select, [contenteditable]");
}

function focusRow(step) {
  const links = [...document.querySelectorAll("#rows .row-link")];
  if (!links.length) return;
  const current = links.findIndex((link) => link.closest("tr").contains(document.activeElement));
  const next = current === -1 ? 0 : current + step;
  links[Math.min(links.length - 1, Math.max(0, next))].focus();
}

function toggleFocusedRow() {
  document.activeElement.closest("#rows tr")?.querySelector(".row-select input")?.click();
}

const shortcuts = {
  "/": () => document.getElementById("id_q")?.focus(),
  n: () => (document.getElementById("id_who") || document.getElementById("id_targets"))?.focus(),
  j: () => focusRow(1),
  k: () => focusRow(-1),
  x: toggleFocusedRow,
  "?": () => document.getElementById("keys")?.showModal(),
};

document.addEventListener("keydown", (event) => {
  if (event.key === "Escape" && event.target.id === "id_q") event.target.blur();
  if (document.querySelector("dialog[open]")) return;
  if (event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target)) return;
  const shortcut = shortcuts[event.key];
  if (shortcut) {
    event.preventDefault();
    shortcut();
  }
});
