// Row updates by id, as the htmx swap style "rows": an unchanged row keeps its element, and with it focus, selection and
// open details. A changed row is replaced in place. The selection and the focus move to the new row.

// Element -> its HTML as the server sent it. The element itself cannot be compared: times.js changes its text.
const serverHtml = new WeakMap();

// Django masks the same CSRF token differently in each response. Without its value, equal rows compare as equal.
function comparableHtml(element) {
  return element.outerHTML.replace(/(name="csrfmiddlewaretoken" value=")[^"]*/g, "$1");
}

// Must run before the times of new rows are updated.
export function rememberRows() {
  const rows = document.getElementById("rows");
  for (const row of rows ? rows.children : []) {
    if (!serverHtml.has(row)) serverHtml.set(row, comparableHtml(row));
  }
}

function copySelection(from, to) {
  for (const box of from.querySelectorAll("input[type=checkbox][id]:checked")) {
    const sameBox = to.querySelector(`#${CSS.escape(box.id)}`);
    if (sameBox) sameBox.checked = true;
  }
}

// Returns the new elements, so that htmx processes them.
function swapRows(target, fragment) {
  const focusedId = target.contains(document.activeElement) ? document.activeElement.id : "";
  const current = new Map([...target.children].map((row) => [row.id, row]));
  const newRows = [];
  let position = target.firstElementChild;
  for (const sentRow of [...fragment.children]) {
    const html = comparableHtml(sentRow);
    let row = current.get(sentRow.id);
    current.delete(sentRow.id);
    if (!row) {
      row = sentRow;
      serverHtml.set(row, html);
      newRows.push(row);
    } else if (serverHtml.get(row) !== html) {
      serverHtml.set(sentRow, html);
      copySelection(row, sentRow);
      if (position === row) position = sentRow;
      row.replaceWith(sentRow);
      row = sentRow;
      newRows.push(row);
    }
    if (row === position) position = position.nextElementSibling;
    else target.insertBefore(row, position);
  }
  for (const row of current.values()) row.remove();
  if (focusedId && document.activeElement.id !== focusedId) {
    document.getElementById(focusedId)?.focus({ preventScroll: true });
  }
  return newRows;
}

window.htmx?.defineExtension("rows", {
  isInlineSwap: () => false,
  handleSwap: (style, target, fragment) => (style === "rows" ? swapRows(target, fragment) : false),
});
