// Changes for screen readers: the texts of data-live are read out when an update of the page changed them.

let lastText = "";

export function announceChanges() {
  const text = [...document.querySelectorAll("[data-live]")].map((element) => element.dataset.live).join(". ");
  const region = document.getElementById("live");
  // The first text is the page itself, which a screen reader reads anyway.
  if (region && lastText && text !== lastText) region.textContent = text;
  lastText = text;
}
