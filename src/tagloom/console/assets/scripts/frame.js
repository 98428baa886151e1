// The parts of every page: menus, the panel, the dialog, toasts, the theme, copying.

const TOAST_MS = 10_000;

export function watchFrame(htmx) {
  document.addEventListener("click", onClick);
  document.addEventListener("keydown", onKey);
  document.addEventListener("change", onChange);
  htmx.onLoad(prepare);
  // An answer for the dialog opens it. An answer for the panel moves the focus there.
  document.addEventListener("htmx:afterSwap", (event) => {
    const target = event.detail.target;
    if (target.id === "dialog" && target.childElementCount) openDialog(target);
    if (target.id === "panel") {
      (target.querySelector("[autofocus]") ?? target.querySelector("[data-first-focus]"))?.focus();
      markOpen();
    }
  });
  document.addEventListener("htmx:sendError", () => showToast("The server cannot be reached. Nothing was changed."));
}

// Marks the row whose panel is open, also after the list was replaced.
function markOpen() {
  const open = document.querySelector("#panel [data-open]")?.dataset.open;
  for (const link of document.querySelectorAll("[data-opens]")) {
    if (link.dataset.opens === open) link.setAttribute("aria-current", "true");
    else link.removeAttribute("aria-current");
  }
}

function prepare(root) {
  // On a phone the tabs are wider than the screen.
  if (root.matches?.("body")) root.querySelector(".tabs [aria-current]")?.scrollIntoView({ block: "nearest", inline: "center" });
  if (root.matches?.("body, [data-opens]") || root.querySelector?.("[data-opens]")) markOpen();
  for (const toast of root.querySelectorAll?.("[data-toast]") ?? []) expire(toast);
  if (root.matches?.("[data-toast]")) expire(root);
  for (const box of root.querySelectorAll?.("textarea[data-grows]") ?? []) box.rows = Math.max(3, box.value.split("\n").length);
}

function expire(toast) {
  let timer = setTimeout(() => toast.remove(), TOAST_MS);
  const hold = () => clearTimeout(timer);
  const go = () => { timer = setTimeout(() => toast.remove(), TOAST_MS); };
  toast.addEventListener("mouseenter", hold);
  toast.addEventListener("mouseleave", go);
  toast.addEventListener("focusin", hold);
  toast.addEventListener("focusout", go);
}

export function showToast(text) {
  const toast = document.createElement("div");
  toast.className = "toast";
  const line = document.createElement("span");
  line.textContent = text;
  toast.append(line);
  document.getElementById("toasts")?.append(toast);
  expire(toast);
}

export function openDialog(dialog) {
  if (!dialog.open) dialog.showModal();
  dialog.querySelector("[autofocus], input:not([type=hidden]), select, textarea, button")?.focus();
}

function onClick(event) {
  const on = (selector) => event.target.closest(selector);
  for (const menu of document.querySelectorAll("details.menu[open]")) {
    if (!menu.contains(event.target)) menu.open = false;
  }
  if (on("[data-close-toast]")) on("[data-toast]").remove();
  if (on("[data-close-dialog]")) {
    event.preventDefault();
    on("dialog").close();
  }
  // A click outside a dialog closes it.
  if (event.target.matches("dialog[open]")) event.target.close();
  const theme = on("[data-set-theme]");
  if (theme) setTheme(theme.dataset.setTheme);
  const copy = on("[data-copy]");
  if (copy) copyText(copy);
}

function setTheme(theme) {
  document.documentElement.dataset.theme = theme;
  const secure = location.protocol === "https:" ? "; Secure" : "";
  document.cookie = `tagloom_theme=${theme}; Path=/; Max-Age=31536000; SameSite=Lax${secure}`;
  for (const each of document.querySelectorAll("[data-set-theme]")) {
    each.toggleAttribute("aria-current", each.dataset.setTheme === theme);
  }
}

async function copyText(button) {
  await navigator.clipboard.writeText(button.parentElement.querySelector("pre, .secret").textContent);
  const words = button.lastChild;
  const before = words.textContent;
  words.textContent = " Copied";
  setTimeout(() => { words.textContent = before; }, 1500);
}

function onKey(event) {
  if (event.key !== "Escape" || document.querySelector("dialog[open]")) return;
  const menu = document.querySelector("details.menu[open]");
  if (menu) {
    menu.open = false;
    menu.querySelector("summary").focus();
    return;
  }
  if (event.target.closest?.("[aria-expanded=true][role=combobox]")) return;
  document.querySelector("#panel [data-close-panel]")?.click();
}

// Controls with [data-submits] submit their form on a change.
function onChange(event) {
  if (event.target.matches("[data-submits]")) event.target.form.requestSubmit();
}
