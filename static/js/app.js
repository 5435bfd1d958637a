// What the pages need beyond htmx: times that age, rows that stay where they are, a tab that asks nothing while hidden.
(() => {
  "use strict";

  // --- Theme ---------------------------------------------------------------------------------------------------------

  const root = document.documentElement;
  const systemIsDark = matchMedia("(prefers-color-scheme: dark)");

  function applyTheme(choice) {
    const dark = choice === "dark" || (choice === "auto" && systemIsDark.matches);
    root.dataset.bsTheme = dark ? "dark" : "light";
    root.dataset.themeChoice = choice;
    for (const button of document.querySelectorAll("[data-theme-choice]")) {
      if (button !== root) button.setAttribute("aria-pressed", String(button.dataset.themeChoice === choice));
    }
  }

  function chooseTheme(choice) {
    try {
      localStorage.setItem("theme", choice);
    } catch {
      // Not kept, but applied.
    }
    applyTheme(choice);
  }

  systemIsDark.addEventListener("change", () => applyTheme(root.dataset.themeChoice || "auto"));

  // --- Times ---------------------------------------------------------------------------------------------------------

  const clockTime = new Intl.DateTimeFormat([], { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
  const exactTime = new Intl.DateTimeFormat([], { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });
  const day = new Intl.DateTimeFormat("en", { day: "numeric", month: "short" });
  const dayAndYear = new Intl.DateTimeFormat("en", { day: "numeric", month: "short", year: "numeric" });
  const full = new Intl.DateTimeFormat("en", { dateStyle: "medium", timeStyle: "long" });

  function dayWords(at, now) {
    const days = Math.round((new Date(now).setHours(0, 0, 0, 0) - new Date(at).setHours(0, 0, 0, 0)) / 86400000);
    if (days === 0) return "today";
    if (days === 1) return "yesterday";
    if (days === -1) return "tomorrow";
    return (at.getFullYear() === now.getFullYear() ? day : dayAndYear).format(at);
  }

  function ageWords(at, now) {
    const seconds = Math.round((now - at) / 1000);
    if (seconds < -60) {
      const hours = Math.round(-seconds / 3600);
      return hours < 48 ? `in ${Math.max(1, hours)} h` : `in ${Math.round(hours / 24)} days`;
    }
    if (seconds < 60) return `${Math.max(0, seconds)} s ago`;
    if (seconds < 3600) return `${Math.floor(seconds / 60)} min ago`;
    return `${dayWords(at, now)} ${clockTime.format(at)}`;
  }

  function exactWords(at, now) {
    const words = dayWords(at, now);
    return words === "today" ? exactTime.format(at) : `${words} ${exactTime.format(at)}`;
  }

  function lengthWords(seconds) {
    const whole = Math.max(0, Math.floor(seconds));
    const two = (number) => String(number).padStart(2, "0");
    const minutes = Math.floor(whole / 60);
    return minutes < 60
      ? `${minutes}:${two(whole % 60)}`
      : `${Math.floor(minutes / 60)}:${two(minutes % 60)}:${two(whole % 60)}`;
  }

  function say(element, words) {
    if (element.textContent !== words) element.textContent = words;
  }

  function tellTimes() {
    const now = new Date();
    for (const element of document.querySelectorAll("time[data-when]")) {
      const at = new Date(element.dateTime);
      say(element, element.dataset.when === "ago" ? ageWords(at, now) : exactWords(at, now));
      if (!element.title) element.title = full.format(at);
    }
    for (const element of document.querySelectorAll("[data-elapsed]")) {
      const gone = (now - new Date(element.dataset.elapsed)) / 1000;
      const total = Number(element.dataset.total || 0);
      say(element, total && gone <= total ? `${lengthWords(gone)} of ${lengthWords(total)}` : lengthWords(gone));
    }
    for (const bar of document.querySelectorAll("progress[data-since]")) {
      bar.value = Math.min(bar.max, (now - new Date(bar.dataset.since)) / 1000);
    }
  }

  setInterval(() => document.hidden || tellTimes(), 1000);

  // --- Swaps that leave alone what did not change ------------------------------------------------------------------------

  const asSent = new WeakMap(); // element -> its HTML as the server sent it, before times were told

  // Each answer masks the same token anew: that alone is no change.
  function sentHtml(element) {
    return element.outerHTML.replace(/(name="csrfmiddlewaretoken" value=")[^"]*/g, "$1");
  }

  function rememberRows() {
    const rows = document.getElementById("rows");
    for (const row of rows ? rows.children : []) if (!asSent.has(row)) asSent.set(row, sentHtml(row));
  }

  function keepTicks(from, to) {
    for (const box of from.querySelectorAll("input[type=checkbox][id]:checked")) {
      const same = to.querySelector(`#${CSS.escape(box.id)}`);
      if (same) same.checked = true;
    }
  }

  // Children are told apart by id: equal ones stay, changed ones are replaced in place, the rest comes and goes.
  function swapKeyed(target, fragment) {
    const focused = target.contains(document.activeElement) ? document.activeElement.id : "";
    const wanted = [...fragment.children];
    const old = new Map([...target.children].map((child) => [child.id, child]));
    const fresh = [];
    let place = target.firstElementChild;
    for (const child of wanted) {
      const html = sentHtml(child);
      let stays = old.get(child.id);
      old.delete(child.id);
      if (stays && asSent.get(stays) !== html) {
        asSent.set(child, html);
        keepTicks(stays, child);
        if (place === stays) place = child;
        stays.replaceWith(child);
        fresh.push(child);
        stays = child;
      } else if (!stays) {
        asSent.set(child, html);
        fresh.push(child);
        stays = child;
      }
      if (stays === place) place = place.nextElementSibling;
      else target.insertBefore(stays, place);
    }
    for (const gone of old.values()) gone.remove();
    if (focused && document.activeElement.id !== focused) document.getElementById(focused)?.focus({ preventScroll: true });
    return fresh;
  }

  // --- Ticks of rows ----------------------------------------------------------------------------------------------------

  function tellTicks() {
    const boxes = [...document.querySelectorAll("#rows .tick input")];
    const ticked = boxes.filter((box) => box.checked).length;
    for (const words of document.querySelectorAll("[data-ticked]")) say(words, ticked ? `${ticked} ticked` : "Ticked:");
    for (const all of document.querySelectorAll("[data-tick-all]")) {
      all.hidden = !boxes.length;
      all.checked = ticked > 0 && ticked === boxes.length;
      all.indeterminate = ticked > 0 && ticked < boxes.length;
    }
  }

  function tickAll(on) {
    for (const box of document.querySelectorAll("#rows .tick input")) box.checked = on;
  }

  document.addEventListener("change", (event) => {
    if (event.target.matches("[data-tick-all]")) tickAll(event.target.checked);
    tellTicks();
  });
  document.addEventListener("reset", () => setTimeout(tellTicks)); // the event comes before the boxes are empty

  // --- htmx ------------------------------------------------------------------------------------------------------------

  const troubles = document.getElementById("trouble");

  function trouble(words) {
    if (!troubles) return;
    troubles.textContent = words;
    troubles.hidden = !words;
  }

  let lastSaid = "";

  function announce() {
    const said = [...document.querySelectorAll("[data-live]")].map((element) => element.dataset.live).join(". ");
    const live = document.getElementById("live");
    if (live && lastSaid && said !== lastSaid) live.textContent = said;
    lastSaid = said;
  }

  function refresh() {
    rememberRows();
    tellTimes();
    tellTicks();
    announce();
  }

  if (window.htmx) {
    htmx.defineExtension("rows", {
      isInlineSwap: () => false,
      handleSwap: (style, target, fragment) => (style === "rows" ? swapKeyed(target, fragment) : false),
    });
  }

  document.addEventListener("htmx:beforeRequest", (event) => {
    if (document.hidden && event.detail.elt.matches("[data-poll]")) event.preventDefault();
  });
  // What is broken off, for a newer question or because the page is left, is no error; htmx's log would call it one.
  const underWay = new Map(); // element -> what htmx tells of its request

  function isNoError(told) {
    if (told) told.error = "";
  }

  document.addEventListener("htmx:beforeSend", (event) => underWay.set(event.detail.elt, event.detail));
  document.addEventListener("htmx:afterRequest", (event) => underWay.delete(event.detail.elt));
  document.addEventListener("htmx:abort", (event) => isNoError(underWay.get(event.target)), true);
  addEventListener("beforeunload", () => underWay.forEach(isNoError));

  document.addEventListener("htmx:afterSwap", refresh);
  document.addEventListener("htmx:oobAfterSwap", refresh);
  document.addEventListener("htmx:afterSettle", (event) => {
    // What was refused is where the person goes on typing.
    if (event.detail.xhr?.status === 422) document.querySelector("#ask [aria-invalid=true]")?.focus();
  });
  document.addEventListener("htmx:afterRequest", (event) => {
    if (event.detail.successful) trouble("");
  });
  document.addEventListener("htmx:sendError", () => trouble("The portal does not answer. What is shown may be old; it is tried again."));
  document.addEventListener("htmx:responseError", (event) => {
    const status = event.detail.xhr.status;
    if (status === 401) return;
    trouble(status === 403 ? "You don't have the right to that any more." : `The portal answered with an error (${status}).`);
  });
  document.addEventListener("visibilitychange", () => {
    if (document.hidden || !window.htmx) return;
    tellTimes();
    htmx.trigger(document.body, "comeback");
  });

  // --- Keyboard and pointer ------------------------------------------------------------------------------------------------

  function isTyping(element) {
    return element.matches("input:not([type=checkbox]), textarea, select, [contenteditable]");
  }

  function step(by) {
    const links = [...document.querySelectorAll("#rows .row-link")];
    if (!links.length) return;
    const at = links.findIndex((link) => link.closest("tr").contains(document.activeElement));
    links[Math.min(links.length - 1, Math.max(0, at === -1 ? 0 : at + by))].focus();
  }

  function tickHere() {
    document.activeElement.closest("#rows tr")?.querySelector(".tick input")?.click();
  }

  const keys = {
    "/": () => document.getElementById("id_q")?.focus(),
    n: () => (document.getElementById("id_who") || document.getElementById("id_targets"))?.focus(),
    j: () => step(1),
    k: () => step(-1),
    x: tickHere,
    "?": () => document.getElementById("keys")?.showModal(),
  };

  // Enter in "who" ticks the first device that was found; with nothing found or all ticked it runs the form.
  function tickFirst(event) {
    const box = document.querySelector("#devices input[type=checkbox]:not(:checked)");
    if (!box || !event.target.value) return;
    event.preventDefault();
    box.checked = true;
    event.target.value = "";
    box.dispatchEvent(new Event("change", { bubbles: true }));
  }

  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") {
      for (const menu of document.querySelectorAll("details.menu[open]")) {
        menu.open = false;
        menu.querySelector("summary").focus();
      }
      if (event.target.id === "id_q") event.target.blur();
    }
    if (event.key === "Enter" && event.target.id === "id_who") tickFirst(event);
    if (document.querySelector("dialog[open]")) return;
    if (event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target)) return;
    const act = keys[event.key];
    if (act) {
      event.preventDefault();
      act();
    }
  });

  document.addEventListener("click", (event) => {
    const theme = event.target.closest("button[data-theme-choice]");
    if (theme) chooseTheme(theme.dataset.themeChoice);
    for (const menu of document.querySelectorAll("details.menu[open]")) {
      if (!menu.contains(event.target)) menu.open = false;
    }
    const row = event.target.closest("tr[data-row]");
    if (row && !event.target.closest("a, button, input, label") && !String(getSelection())) location.assign(row.dataset.row);
  });

  // A CSV that is dropped on the list is its text; a larger one than a form takes is refused here already.
  document.addEventListener("dragover", (event) => {
    if (event.target.closest?.("[data-drop]")) event.preventDefault();
  });
  document.addEventListener("drop", async (event) => {
    const field = event.target.closest?.("[data-drop]");
    const [file] = event.dataTransfer.files;
    if (!field || !file) return;
    event.preventDefault();
    if (file.size > field.maxLength) {
      trouble("A list takes 2 MB at most: split it.");
      return;
    }
    field.value = await file.text();
    field.dispatchEvent(new Event("input", { bubbles: true }));
  });

  // --- The history's filters ---------------------------------------------------------------------------------------------

  const narrow = matchMedia("(max-width: 720px)");

  function fold() {
    for (const part of document.querySelectorAll("details[data-fold]")) part.open = !narrow.matches || Boolean(part.dataset.fold);
  }

  // Times are told in the browser's zone, so days are meant in it, unless the address says another.
  function meanOwnDays() {
    const field = document.querySelector("input[data-zone]");
    if (!field || field.value) return;
    field.value = Intl.DateTimeFormat().resolvedOptions().timeZone || "";
    for (const name of document.querySelectorAll("[data-zone-name]")) say(name, field.value || "UTC");
  }

  narrow.addEventListener("change", fold);
  fold();
  meanOwnDays();

  for (const element of document.querySelectorAll("[data-theme-switch]")) element.hidden = false;
  applyTheme(root.dataset.themeChoice || "auto");
  refresh();
})();
