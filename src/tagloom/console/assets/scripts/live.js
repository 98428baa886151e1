// Previews a form while it is edited: a change inside [data-live] sends the event "preview" after a short pause.
// Typing counts as a change in comboboxes and in fields with [data-typed].

const PAUSE_MS = { change: 60, "tag-chosen": 20, input: 350 };

export function watchLive(htmx) {
  let timer;
  for (const kind of Object.keys(PAUSE_MS)) {
    document.addEventListener(kind, (event) => {
      const live = event.target.closest?.("[data-live]");
      if (!live || event.target.closest("[data-quiet]")) return;
      const isTyped = event.target.getAttribute("role") === "combobox" || "typed" in event.target.dataset;
      if (kind === "input" && !isTyped) return;
      clearTimeout(timer);
      timer = setTimeout(() => htmx.trigger(live, "preview"), PAUSE_MS[kind]);
    });
  }
}
