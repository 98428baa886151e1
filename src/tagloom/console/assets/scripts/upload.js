// Uploads a file and shows the progress. Without this script the form sends the file.

export function watchUploads(htmx) {
  htmx.onLoad((root) => {
    for (const form of root.querySelectorAll?.("[data-upload]") ?? []) prepare(form);
  });
}

function prepare(form) {
  const input = form.querySelector("input[type=file]");
  const bar = form.querySelector("progress");
  const status = form.querySelector("[data-upload-status]");
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
    const most = Number(form.dataset.bytesMax);
    // The server would close the connection early, and the browser would not show its answer.
    const large = [...input.files].find((file) => file.size > most);
    if (large) status.textContent = `${large.name} has ${large.size.toLocaleString("en")} bytes; ${most.toLocaleString("en")} are allowed.`;
    else if (input.files.length) send(form, bar, status);
  });
}

function send(form, bar, status) {
  const request = new XMLHttpRequest();
  request.open("POST", form.action);
  request.setRequestHeader("HX-Request", "true");
  request.setRequestHeader("HX-Target", "upload");
  request.upload.addEventListener("progress", (event) => {
    bar.hidden = false;
    bar.max = event.total;
    bar.value = event.loaded;
    status.textContent = `${event.loaded.toLocaleString("en")} of ${event.total.toLocaleString("en")} bytes sent`;
  });
  request.addEventListener("load", () => {
    const to = request.getResponseHeader("HX-Redirect");
    if (to) location.assign(to);
    else {
      bar.hidden = true;
      status.textContent = new DOMParser().parseFromString(request.responseText, "text/html").body.textContent.trim();
    }
  });
  request.addEventListener("error", () => { status.textContent = "The server cannot be reached. The file was not uploaded."; });
  request.send(new FormData(form));
}
