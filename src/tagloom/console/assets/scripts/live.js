// Previews a form while it is edited: a change inside [data-live] sends the event "preview" after a short pause.

const PAUSE_MS = { change: 60, "tag-chosen": 20, input: 350 };

export function watchLive(htmx) {
  let timer;
  for (const kind of Object.keys(PAUSE_MS)) {
    document.addEventListener(kind, (event) => {
      const live = event.target.closest?.("[data-live]");
      if (!live || event.target.closest("[data-quiet]")) return;
      if (kind === "input" && event.target.getAttribute("role") !== "combobox") return;
      clearTimeout(timer);
      timer = setTimeout(() => htmx.trigger(live, "preview"), PAUSE_MS[kind]);
    });
  }
}
