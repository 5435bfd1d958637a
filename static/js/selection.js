// Selected rows: the number in the action bar, and the checkbox in the table's head that selects all shown rows.
import { selectionSummary } from "./messages.js";
import { setText } from "./text.js";

function rowCheckboxes() {
  return [...document.querySelectorAll("#rows .row-select input")];
}

export function updateSelection() {
  const boxes = rowCheckboxes();
  const count = boxes.filter((box) => box.checked).length;
  for (const element of document.querySelectorAll("[data-selected-count]")) setText(element, selectionSummary(count));
  for (const selectAll of document.querySelectorAll("[data-select-all]")) {
    selectAll.hidden = !boxes.length;
    selectAll.checked = count > 0 && count === boxes.length;
    selectAll.indeterminate = count > 0 && count < boxes.length;
  }
}

document.addEventListener("change", (event) => {
  if (event.target.matches("[data-select-all]")) {
    for (const box of rowCheckboxes()) box.checked = event.target.checked;
  }
  updateSelection();
});

// The event comes before the form clears its checkboxes.
document.addEventListener("reset", () => setTimeout(updateSelection));
