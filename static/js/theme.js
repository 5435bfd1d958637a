// Light or dark, applied before the first paint. This is no module, because modules run after the document is parsed.
(() => {
  let choice = "auto";
  try {
    choice = localStorage.getItem("theme") || "auto";
  } catch {
    // Storage is switched off. The system's setting applies.
  }
  const isDark = choice === "dark" || (choice === "auto" && matchMedia("(prefers-color-scheme: dark)").matches);
  document.documentElement.dataset.bsTheme = isDark ? "dark" : "light";
  document.documentElement.dataset.themeChoice = choice;
})();
