// The field for a tag: suggests known tags with their counts. Tab completes a level, Enter or + adds the tag.
//
// <div class="combobox" data-entry="/address/of/suggestions"> input[role=combobox] … </div>
// The server answers with HTML options and, if the text breaks a rule of tags, with the reason for the line below.

const PAUSE_MS = 80;

export function watchEntries(htmx) {
  htmx.onLoad((root) => {
    for (const box of root.querySelectorAll?.("[data-entry]") ?? []) prepare(box);
  });
}

function prepare(box) {
  if (box.dataset.ready) return;
  box.dataset.ready = "yes";
  const input = box.querySelector("input[role=combobox]");
  const list = box.querySelector("[role=listbox]");
  const status = document.getElementById(input.getAttribute("aria-describedby")?.split(" ")[0]);
  let timer, requests = 0, typed = input.value;

  const options = () => [...list.querySelectorAll("[role=option]")];
  const close = () => {
    list.hidden = true;
    input.setAttribute("aria-expanded", "false");
    input.removeAttribute("aria-activedescendant");
  };
  const selected = () => options().find((each) => each.getAttribute("aria-selected") === "true");
  const select = (option) => {
    for (const each of options()) each.setAttribute("aria-selected", String(each === option));
    if (option) {
      input.setAttribute("aria-activedescendant", option.id);
      option.scrollIntoView({ block: "nearest" });
    } else input.removeAttribute("aria-activedescendant");
  };
  const put = (text) => {
    input.value = text;
    typed = text;
    input.dispatchEvent(new Event("input", { bubbles: true }));
  };
  const choose = (option) => {
    input.value = option.dataset.value;
    typed = input.value;
    close();
    if (status) status.replaceChildren();
    input.removeAttribute("aria-invalid");
    input.focus();
    input.dispatchEvent(new CustomEvent("tag-chosen", { bubbles: true }));
  };

  async function fetchSuggestions() {
    const number = ++requests;
    const address = new URL(box.dataset.entry, location.href);
    address.searchParams.set("text", input.value);
    const answer = await fetch(address, { headers: { "HX-Request": "true" }, credentials: "same-origin" });
    if (number !== requests || !answer.ok) return;
    const part = new DOMParser().parseFromString(await answer.text(), "text/html");
    list.replaceChildren(...part.querySelectorAll("[role=option]"));
    const rule = part.querySelector("[data-status]");
    if (status) status.replaceChildren(...(rule?.childNodes ?? []));
    input.toggleAttribute("aria-invalid", false);
    if (rule?.dataset.status === "broken") input.setAttribute("aria-invalid", "true");
    list.hidden = !options().length || document.activeElement !== input;
    input.setAttribute("aria-expanded", String(!list.hidden));
  }

  input.addEventListener("input", () => {
    typed = input.value;
    clearTimeout(timer);
    timer = setTimeout(fetchSuggestions, PAUSE_MS);
  });
  input.addEventListener("focus", () => { if (!options().length) fetchSuggestions(); });
  input.addEventListener("click", () => { if (list.hidden) fetchSuggestions(); });
  input.addEventListener("blur", () => setTimeout(close, 120));
  input.addEventListener("keydown", (event) => {
    const all = options();
    const at = all.indexOf(selected());
    if (event.key === "ArrowDown" && !all.length) fetchSuggestions();
    else if ((event.key === "ArrowDown" || event.key === "ArrowUp") && all.length) {
      event.preventDefault();
      list.hidden = false;
      input.setAttribute("aria-expanded", "true");
      select(all[(at + (event.key === "ArrowDown" ? 1 : all.length - (at < 0 ? 0 : 1))) % all.length]);
    } else if (event.key === "Enter" && at >= 0 && !list.hidden) {
      event.preventDefault();
      choose(all[at]);
    } else if (event.key === "Escape" && !list.hidden) {
      event.preventDefault();
      event.stopPropagation();
      close();
    } else if (event.key === "Tab" && !event.shiftKey && typed && all.length && !list.hidden) {
      // Completes one level of the selected option, or of the first option that begins with the typed text.
      const continues = (option) => option?.dataset.value.startsWith(typed) && option.dataset.value !== typed;
      const whole = [selected(), ...all].find(continues)?.dataset.value;
      if (whole) {
        event.preventDefault();
        const next = whole.indexOf("/", typed.length);
        put(next < 0 ? whole : whole.slice(0, next + 1));
      }
    }
  });
  list.addEventListener("mousedown", (event) => {
    const option = event.target.closest("[role=option]");
    if (option) {
      event.preventDefault();
      choose(option);
    }
  });
  (box.closest(".field") ?? box.parentElement).addEventListener("click", (event) => {
    const fix = event.target.closest("[data-use]");
    if (fix) {
      put(fix.dataset.use);
      input.focus();
    }
  });
}
