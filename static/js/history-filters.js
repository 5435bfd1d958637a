// Filters of the history: folded on narrow screens, and days meant in the browser's time zone.
import { setText } from "./text.js";

const narrowScreen = matchMedia("(max-width: 720px)");

function foldFilters() {
  for (const filters of document.querySelectorAll("details[data-fold]")) {
    filters.open = !narrowScreen.matches || Boolean(filters.dataset.fold);
  }
}

// The page shows times in the browser's zone, so its days are days of that zone, unless the address names another.
function useBrowserZone() {
  const field = document.querySelector("input[data-zone]");
  if (!field || field.value) return;
  field.value = Intl.DateTimeFormat().resolvedOptions().timeZone || "";
  for (const name of document.querySelectorAll("[data-zone-name]")) setText(name, field.value || "UTC");
}

narrowScreen.addEventListener("change", foldFilters);
foldFilters();
useBrowserZone();
