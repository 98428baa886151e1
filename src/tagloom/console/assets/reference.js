/*! Swagger UI, copyright 2020-2021 SmartBear Software Inc., under the Apache License 2.0 */
// The API reference: Swagger UI with the server's own OpenAPI document.
import SwaggerUI from "swagger-ui-dist/swagger-ui-es-bundle.js";

const root = document.documentElement;
const system = matchMedia("(prefers-color-scheme: dark)");

// Uses the theme that was chosen in the console, or the theme of the system.
function setTheme() {
  root.classList.toggle("dark-mode", root.dataset.theme ? root.dataset.theme === "dark" : system.matches);
}

system.addEventListener("change", setTheme);
setTheme();

SwaggerUI({
  url: "/openapi.json",
  dom_id: "#reference",
  deepLinking: true,
  docExpansion: "list",
  defaultModelsExpandDepth: 0,
  showExtensions: true,
  filter: true,
  // Off: the validator would send the document to a server of another party.
  validatorUrl: null,
});
