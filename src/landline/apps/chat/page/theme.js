/**
 * Light or dark, as the system has it or as it was chosen here. It runs before anything is drawn, so that nothing flashes.
 */
(() => {
  const KEY = "landline.chat.theme";
  let chosen = "";
  try {
    chosen = localStorage.getItem(KEY) ?? "";
  } catch {
    // no storage here: the system decides
  }
  if (chosen === "light" || chosen === "dark") document.documentElement.dataset.theme = chosen;
})();
