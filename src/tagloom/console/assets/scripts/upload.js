// A file is dropped or chosen; its upload shows how far it is. Without this script the form sends the file itself.

export function watchUploads(htmx) {
  htmx.onLoad((root) => {
    for (const form of root.querySelectorAll?.("[data-upload]") ?? []) prepare(form);
  });
}

function prepare(form) {
  const input = form.querySelector("input[type=file]");
  const bar = form.querySelector("progress");
  const said = form.querySelector("[data-upload-said]");
  for (const kind of ["dragenter", "dragover"]) {
    form.addEventListener(kind, (event) => {
      event.preventDefault();
      form.classList.add("is-over");
    });
  }
  for (const kind of ["dragleave", "drop"]) form.addEventListener(kind, () => form.classList.remove("is-over"));
  form.addEventListener("drop", (event) => {
    event.preventDefault();
    if (event.dataTransfer.files.length) {
      input.files = event.dataTransfer.files;
      form.requestSubmit();
    }
  });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    if (input.files.length) send(form, bar, said);
  });
}

function send(form, bar, said) {
  const request = new XMLHttpRequest();
  request.open("POST", form.action);
  request.setRequestHeader("HX-Request", "true");
  request.setRequestHeader("HX-Target", "upload");
  request.upload.addEventListener("progress", (event) => {
    bar.hidden = false;
    bar.max = event.total;
    bar.value = event.loaded;
    said.textContent = `${event.loaded.toLocaleString("en")} of ${event.total.toLocaleString("en")} bytes sent`;
  });
  request.addEventListener("load", () => {
    const to = request.getResponseHeader("HX-Redirect");
    if (to) location.assign(to);
    else {
      bar.hidden = true;
      said.textContent = new DOMParser().parseFromString(request.responseText, "text/html").body.textContent.trim();
    }
  });
  request.addEventListener("error", () => { said.textContent = "The server cannot be reached; the file was not taken."; });
  request.send(new FormData(form));
}
