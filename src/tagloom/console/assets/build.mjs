// Bundles the console's scripts, styles, fonts and icons into ../static. A file name has the hash of the content.
// ../static/manifest.json has the file name of each asset.
import { createHash } from "node:crypto";
import { copyFileSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const here = dirname(fileURLToPath(import.meta.url));
const target = join(here, "..", "static");
rmSync(target, { recursive: true, force: true });
mkdirSync(target, { recursive: true });

const result = await build({
  absWorkingDir: here,
  entryPoints: ["console.js", "console.css", "reference.js", "reference.css"],
  bundle: true,
  minify: true,
  sourcemap: false,
  target: ["chrome123", "firefox120", "safari17.5"],
  format: "esm",
  entryNames: "[name]-[hash]",
  assetNames: "[name]-[hash]",
  loader: { ".woff2": "file" },
  legalComments: "linked",
  metafile: true,
  outdir: target,
});

const manifest = {};
for (const [path, output] of Object.entries(result.metafile.outputs)) {
  if (output.entryPoint) manifest[output.entryPoint] = basename(path);
}

// Swagger UI lists the licences of its bundled code in this file.
const licences = "swagger-ui-es-bundle.js.LICENSE.txt";
copyFileSync(join(here, "node_modules", "swagger-ui-dist", licences), join(target, licences));

// One sprite with the icons that the templates use.
const names = JSON.parse(readFileSync(join(here, "icons.json"), "utf8"));
const symbols = names.map((name) => {
  const svg = readFileSync(join(here, "node_modules", "lucide-static", "icons", `${name}.svg`), "utf8");
  const inner = svg.slice(svg.indexOf(">", svg.indexOf("<svg")) + 1, svg.lastIndexOf("</svg>"));
  return `<symbol id="${name}" viewBox="0 0 24 24">${inner.replace(/\s+/g, " ").trim()}</symbol>`;
});
const sprite = `<svg xmlns="http://www.w3.org/2000/svg">${symbols.join("")}</svg>`;
const mark = readFileSync(join(here, "mark.svg"), "utf8");
for (const [name, text] of [["icons.svg", sprite], ["mark.svg", mark]]) {
  const hash = createHash("sha256").update(text).digest("hex").slice(0, 8);
  const named = name.replace(".svg", `-${hash}.svg`);
  writeFileSync(join(target, named), text);
  manifest[name] = named;
}
writeFileSync(join(target, "manifest.json"), JSON.stringify(manifest, null, 1));
