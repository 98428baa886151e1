// The console's scripts. Each page also works without them.
import htmx from "htmx.org";
import "idiomorph/htmx";
import { watchAttributes } from "./scripts/attributes.js";
import { watchDrag } from "./scripts/drag.js";
import { watchEntries } from "./scripts/entry.js";
import { watchFiles } from "./scripts/files.js";
import { watchFrame } from "./scripts/frame.js";
import { watchFindings, watchLive, watchRefreshes } from "./scripts/live.js";
import { watchPalette } from "./scripts/palette.js";
import { watchTables } from "./scripts/tables.js";
import { watchTree } from "./scripts/tree.js";
import { watchUploads } from "./scripts/upload.js";

watchFrame(htmx);
watchPalette(htmx);
watchEntries(htmx);
watchLive(htmx);
watchFindings();
watchRefreshes();
watchDrag(htmx);
watchTables(htmx);
watchAttributes(htmx);
watchTree(htmx);
watchUploads(htmx);
watchFiles(htmx);
