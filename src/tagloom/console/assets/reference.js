/*! Swagger UI, copyright 2020-2021 SmartBear Software Inc., under the Apache License 2.0 */
// The reference of the API: Swagger UI over the description that the server itself serves.
import SwaggerUI from "swagger-ui-dist/swagger-ui-es-bundle.js";

const root = document.documentElement;
const system = matchMedia("(prefers-color-scheme: dark)");

// The theme that was chosen in the console, or else that of the system.
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
  // It would send the description to a server of others.
  validatorUrl: null,
});
