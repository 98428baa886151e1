// The tree of tags: fetches a branch when it is opened for the first time, then only shows and hides it.

export function watchTree(htmx) {
  document.addEventListener("click", (event) => {
    const toggle = event.target.closest("[data-tree-toggle]");
    if (!toggle) return;
    event.preventDefault();
    const below = toggle.closest("li").querySelector(":scope > ul");
    const opens = toggle.getAttribute("aria-expanded") !== "true";
    toggle.setAttribute("aria-expanded", String(opens));
    if (below) below.hidden = !opens;
    else if (opens) htmx.trigger(toggle, "open-branch");
  });
  document.addEventListener("keydown", (event) => {
    const toggle = event.target.closest?.("[data-tree-toggle]");
    if (!toggle) return;
    const isOpen = toggle.getAttribute("aria-expanded") === "true";
    const wants = { ArrowRight: !isOpen, ArrowLeft: isOpen, " ": true }[event.key];
    if (wants) {
      event.preventDefault();
      toggle.click();
    }
  });
}
