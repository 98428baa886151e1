// Copies a chosen text file into a field. Without this script, the text is pasted.

export function watchFiles(htmx) {
  htmx.onLoad((root) => {
    for (const input of root.querySelectorAll?.("[data-file-into]") ?? []) prepare(input);
  });
}

function prepare(input) {
  input.closest("[data-scripted]").hidden = false;
  const field = document.getElementById(input.dataset.fileInto);
  const status = document.getElementById(field.getAttribute("aria-describedby"));
  input.addEventListener("change", async () => {
    const [file] = input.files;
    input.value = "";
    if (!file) return;
    const most = Number(input.dataset.bytesMax);
    if (file.size > most) {
      status.textContent = `${file.name} has ${file.size.toLocaleString("en")} bytes; ${most.toLocaleString("en")} are allowed here. Use Imports with the tag of the list.`;
      return;
    }
    field.value = await file.text();
    status.textContent = `${file.name} is in the field.`;
  });
}
