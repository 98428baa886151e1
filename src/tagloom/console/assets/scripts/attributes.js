// The form that sets an attribute of a person: shows how its type is typed. Only a new attribute has a choice of types.

export function watchAttributes(htmx) {
  htmx.onLoad((root) => {
    for (const form of root.querySelectorAll?.("[data-attribute-form]") ?? []) prepare(form);
  });
}

function prepare(form) {
  const [name, value, type] = ["attribute", "value", "type"].map((field) => form.elements.namedItem(field));
  const [hint, choice] = [form.querySelector("#attribute-hint"), form.querySelector("[data-new-attribute]")];
  const general = hint.textContent;

  const show = () => {
    const typed = name.value.trim();
    const known = [...name.list.options].find((each) => each.value === typed)?.textContent;
    choice.hidden = !typed || known !== undefined;
    if (known !== undefined) type.value = [...type.options].find((each) => each.dataset.label === known).value;
    const { hint: words, example } = type.selectedOptions[0].dataset;
    hint.textContent = typed ? words : general;
    value.placeholder = typed ? example : "gold";
  };
  name.addEventListener("input", show);
  type.addEventListener("change", show);
  show();
}
