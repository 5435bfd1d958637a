// The script of every page: loads each module and updates the page at the start and after every htmx swap.
// base.html names the modules in its preload hints, so that the browser fetches all of them at once.
import "./drop.js";
import "./form.js";
import "./history-filters.js";
import "./keys.js";
import { announceChanges } from "./live-region.js";
import "./menus.js";
import "./polling.js";
import "./requests.js";
import "./row-links.js";
import { rememberRows } from "./rows.js";
import { updateSelection } from "./selection.js";
import "./theme-choice.js";
import { updateTimes } from "./times.js";

function update() {
  // First, because updateTimes changes the rows' text.
  rememberRows();
  updateTimes();
  updateSelection();
  announceChanges();
}

document.addEventListener("htmx:afterSwap", update);
document.addEventListener("htmx:oobAfterSwap", update);
update();
