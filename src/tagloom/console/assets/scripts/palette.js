// The search palette: / or Ctrl-K opens it, to go to any tag, tribe, person or page.
import { openDialog } from "./frame.js";

export function watchPalette(htmx) {
  document.addEventListener("keydown", (event) => {
    const types = event.target.closest?.("input, textarea, select, [contenteditable]");
    const opens = (event.key === "/" && !types && !event.ctrlKey && !event.metaKey) || (event.key.toLowerCase() === "k" && (event.ctrlKey || event.metaKey));
    if (opens && document.querySelector("[data-open-palette]")) {
      event.preventDefault();
      open(htmx);
    }
    if (event.target.closest?.("#palette")) move(event);
  });
  document.addEventListener("click", (event) => {
    if (event.target.closest("[data-open-palette]")) open(htmx);
  });
  document.addEventListener("htmx:afterSwap", (event) => {
    if (event.detail.target.id === "palette-results") select(0);
  });
}

async function open(htmx) {
  const palette = document.getElementById("palette");
  if (palette.open) return;
  await htmx.ajax("GET", document.querySelector("[data-open-palette]").dataset.openPalette, { target: palette, swap: "innerHTML" });
  openDialog(palette);
  select(0);
}

const options = () => [...document.querySelectorAll("#palette [role=option]")];

function select(index) {
  const all = options();
  all.forEach((each, at) => each.setAttribute("aria-selected", String(at === index)));
  const input = document.querySelector("#palette input");
  if (all[index]) {
    input.setAttribute("aria-activedescendant", all[index].id);
    all[index].scrollIntoView({ block: "nearest" });
  } else input?.removeAttribute("aria-activedescendant");
}

function move(event) {
  const all = options();
  const at = all.findIndex((each) => each.getAttribute("aria-selected") === "true");
  if (event.key === "ArrowDown" || event.key === "ArrowUp") {
    event.preventDefault();
    select((at + (event.key === "ArrowDown" ? 1 : all.length - 1)) % Math.max(all.length, 1));
  } else if (event.key === "Enter" && all[at]) {
    event.preventDefault();
    all[at].click();
  }
}
