// A CSV file dropped on a list field becomes the field's text. A file above the field's limit is refused before upload.
import { showAlert } from "./alert.js";
import { LIST_TOO_LARGE } from "./messages.js";

document.addEventListener("dragover", (event) => {
  if (event.target.closest?.("[data-drop]")) event.preventDefault();
});

document.addEventListener("drop", async (event) => {
  const field = event.target.closest?.("[data-drop]");
  const [file] = event.dataTransfer.files;
  if (!field || !file) return;
  event.preventDefault();
  if (file.size > field.maxLength) {
    showAlert(LIST_TOO_LARGE);
    return;
  }
  field.value = await file.text();
  field.dispatchEvent(new Event("input", { bubbles: true }));
});
