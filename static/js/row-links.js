// A click anywhere in a row opens its page, except on a control, and except at the end of selecting text.

document.addEventListener("click", (event) => {
  const row = event.target.closest("tr[data-row]");
  if (row && !event.target.closest("a, button, input, label") && !String(getSelection())) {
    location.assign(row.dataset.row);
  }
});
