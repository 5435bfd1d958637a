// The form for new commands: focus after a refusal, and Enter in its search for people and devices.

// After a 422 the person goes on typing in the first refused field.
document.addEventListener("htmx:afterSettle", (event) => {
  if (event.detail.xhr?.status === 422) document.querySelector("#ask [aria-invalid=true]")?.focus();
});

// Enter selects the first device in the list that is not selected yet. Without such a device, Enter submits the form.
document.addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || event.target.id !== "id_who") return;
  const box = document.querySelector("#devices input[type=checkbox]:not(:checked)");
  if (!box || !event.target.value) return;
  event.preventDefault();
  box.checked = true;
  event.target.value = "";
  box.dispatchEvent(new Event("change", { bubbles: true }));
});
