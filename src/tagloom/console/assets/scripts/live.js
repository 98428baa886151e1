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

// The finding about a rule names the filter that is broken. The fields of the others are valid again.
export function watchFindings() {
  document.addEventListener("htmx:afterSwap", (event) => {
    if (event.detail.target?.id !== "finding") return;
    const { broken } = document.getElementById("finding").dataset;
    for (const field of document.querySelectorAll("#builder .filter input.input")) {
      const isBroken = broken !== undefined && field.name.endsWith(`:${broken}`);
      if (isBroken) field.setAttribute("aria-invalid", "true");
      else field.removeAttribute("aria-invalid");
    }
  });
}

// A part with [data-refreshes] polls. It rests in a hidden tab, and what was opened in it stays open.
export function watchRefreshes() {
  let open = [];
  const refreshes = (event) => event.detail.target?.matches?.("[data-refreshes]");
  document.addEventListener("htmx:beforeRequest", (event) => {
    if (document.hidden && refreshes(event)) event.preventDefault();
  });
  document.addEventListener("htmx:beforeSwap", (event) => {
    if (refreshes(event)) open = [...event.detail.target.querySelectorAll("details[open]")].map((each) => each.id);
  });
  document.addEventListener("htmx:afterSwap", (event) => {
    if (refreshes(event)) for (const id of open) document.getElementById(id)?.setAttribute("open", "");
  });
}
