// Turns tables into cards on a phone: each cell gets the name of its column as a label, and keeps its role for screen
// readers. A table with the class `figures` is narrow enough and stays a table.

export function watchTables(htmx) {
  htmx.onLoad((root) => {
    const table = root.closest?.("table.table");
    if (table) prepare(table);
    for (const each of root.querySelectorAll?.("table.table") ?? []) prepare(each);
  });
}

function prepare(table) {
  if (table.classList.contains("figures")) return;
  const names = [...table.querySelectorAll(":scope > thead > tr > th")].map(nameOf);
  table.setAttribute("role", "table");
  for (const part of table.querySelectorAll(":scope > thead, :scope > tbody")) part.setAttribute("role", "rowgroup");
  for (const row of table.querySelectorAll(":scope > * > tr")) {
    row.setAttribute("role", "row");
    [...row.cells].forEach((cell, place) => {
      cell.setAttribute("role", cell.tagName === "TH" ? "columnheader" : "cell");
      if (cell.tagName === "TD" && cell.colSpan === 1 && names[place]) cell.dataset.label = names[place];
      cell.toggleAttribute("data-empty", !cell.childElementCount && !cell.textContent.trim());
    });
  }
}

// A column with a hidden name has buttons, which need no label.
const nameOf = (head) => (head.querySelector(".visually-hidden") ? "" : head.textContent.trim());
