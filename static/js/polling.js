// Polling stops while the tab is hidden. When the tab is shown again, its times and its polled parts are updated at once.
import { updateTimes } from "./times.js";

document.addEventListener("htmx:beforeRequest", (event) => {
  if (document.hidden && event.detail.elt.matches("[data-poll]")) event.preventDefault();
});

document.addEventListener("visibilitychange", () => {
  if (document.hidden || !window.htmx) return;
  updateTimes();
  htmx.trigger(document.body, "refresh-now");
});
