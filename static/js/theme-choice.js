// The choice of a light or dark theme in the menu. theme.js has already applied the stored choice before the first paint.

const root = document.documentElement;
const systemIsDark = matchMedia("(prefers-color-scheme: dark)");

function applyTheme(choice) {
  const isDark = choice === "dark" || (choice === "auto" && systemIsDark.matches);
  root.dataset.bsTheme = isDark ? "dark" : "light";
  root.dataset.themeChoice = choice;
  for (const button of document.querySelectorAll("button[data-theme-choice]")) {
    button.setAttribute("aria-pressed", String(button.dataset.themeChoice === choice));
  }
}

function chooseTheme(choice) {
  try {
    localStorage.setItem("theme", choice);
  } catch {
    // Storage is switched off. The choice holds for this page only.
  }
  applyTheme(choice);
}

systemIsDark.addEventListener("change", () => applyTheme(root.dataset.themeChoice || "auto"));

document.addEventListener("click", (event) => {
  const button = event.target.closest("button[data-theme-choice]");
  if (button) chooseTheme(button.dataset.themeChoice);
});

// Without JavaScript the buttons would do nothing, so the template hides them.
for (const buttons of document.querySelectorAll("[data-theme-switch]")) buttons.hidden = false;
applyTheme(root.dataset.themeChoice || "auto");
