// Moves cards and categories of the board, by dragging or by keyboard: Space on the grip starts and ends a move, the
// arrow keys move, Escape cancels. Each move is sent to the server, which answers with the new board.
import Sortable from "sortablejs";

export function watchDrag(htmx) {
  htmx.onLoad((root) => {
    const board = root.matches?.("[data-board]") ? root : root.querySelector?.("[data-board]");
    if (board) prepare(board, htmx);
  });
}

const cardsOf = (board) => [...board.querySelectorAll("[data-tribe]")];
const announce = (text) => { const line = document.getElementById("moved"); if (line) line.textContent = text; };

function send(board, htmx, kind, values, focus) {
  const address = kind === "tribe" ? board.dataset.moveTribe : board.dataset.moveCategory;
  htmx.ajax("POST", address, { target: "#board", swap: "outerHTML", values }).then(() => {
    if (focus) document.querySelector(focus)?.focus();
  });
}

function sendTribe(board, htmx, card, focus) {
  const next = card.nextElementSibling;
  send(board, htmx, "tribe", {
    tribe: card.dataset.tribe,
    category: card.closest("[data-category]").dataset.category,
    before: next?.dataset.tribe ?? "",
  }, focus);
}

function sendCategory(board, htmx, section, focus) {
  const next = section.nextElementSibling;
  send(board, htmx, "category", { category: section.dataset.category, before: next?.dataset.category ?? "" }, focus);
}

function prepare(board, htmx) {
  const motion = matchMedia("(prefers-reduced-motion: reduce)").matches ? 0 : 120;
  Sortable.create(board, {
    handle: "[data-grip=category]", draggable: "[data-category]", animation: motion, ghostClass: "is-dragged",
    onEnd: (event) => { if (event.newIndex !== event.oldIndex) sendCategory(board, htmx, event.item); },
  });
  for (const cards of board.querySelectorAll("[data-cards]")) {
    Sortable.create(cards, {
      group: "tribes", handle: "[data-grip=tribe]", draggable: "[data-tribe]", animation: motion, ghostClass: "is-dragged",
      onEnd: (event) => { if (event.to !== event.from || event.newIndex !== event.oldIndex) sendTribe(board, htmx, event.item); },
    });
  }
  board.addEventListener("keydown", (event) => {
    const grip = event.target.closest("[data-grip]");
    if (grip) byKey(event, grip, board, htmx);
  });
}

let held = null; // The item that is being moved and its old place: { item, parent, next }.

function byKey(event, grip, board, htmx) {
  const isTribe = grip.dataset.grip === "tribe";
  const item = grip.closest(isTribe ? "[data-tribe]" : "[data-category]");
  const back = () => {
    held.parent.insertBefore(item, held.next);
    letGo();
    announce("Move cancelled.");
    grip.focus();
  };
  const letGo = () => { held = null; grip.setAttribute("aria-pressed", "false"); };
  if (event.key === " " || event.key === "Enter") {
    event.preventDefault();
    if (!held) {
      held = { item, parent: item.parentElement, next: item.nextElementSibling };
      grip.setAttribute("aria-pressed", "true");
      announce("Moving. Use the arrow keys. Space ends the move, Escape cancels it.");
    } else {
      const moved = held.parent !== item.parentElement || held.next !== item.nextElementSibling;
      letGo();
      announce("Moved.");
      const name = CSS.escape(isTribe ? item.dataset.tribe : item.dataset.category);
      const focus = `[data-${isTribe ? "tribe" : "category"}="${name}"] [data-grip=${isTribe ? "tribe" : "category"}]`;
      if (moved) (isTribe ? sendTribe : sendCategory)(board, htmx, item, focus);
    }
  } else if (held && event.key === "Escape") {
    event.preventDefault();
    event.stopPropagation();
    back();
  } else if (held && event.key.startsWith("Arrow")) {
    event.preventDefault();
    const forward = event.key === "ArrowDown" || event.key === "ArrowRight";
    if (isTribe) moveCard(item, forward, event.key === "ArrowUp" || event.key === "ArrowDown", board);
    else moveAmong(item, forward);
    grip.focus();
    const place = isTribe ? cardsOf(board).indexOf(item) + 1 : [...board.children].indexOf(item) + 1;
    announce(`Position ${place}${isTribe ? ` in ${item.closest("[data-category]").dataset.category || "no category"}` : ""}.`);
  }
}

function moveAmong(item, forward) {
  const neighbour = forward ? item.nextElementSibling : item.previousElementSibling;
  if (neighbour) item.parentElement.insertBefore(item, forward ? neighbour.nextElementSibling : neighbour);
}

// Left and right move a card inside its category. Up and down move it to the category above or below.
function moveCard(item, forward, toCategory, board) {
  if (!toCategory) return moveAmong(item, forward);
  const all = [...board.querySelectorAll("[data-cards]")];
  const target = all[all.indexOf(item.parentElement) + (forward ? 1 : -1)];
  if (target) target.append(item);
}
