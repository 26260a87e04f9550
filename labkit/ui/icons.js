// Signs on buttons, drawn: no font has them all.

import { svg } from "./svg.js";

const PATHS = /** @type {Record<string, string>} */ ({
  play: "M4 2 L13 8 L4 14z",
  pause: "M4 2 h3 v12 h-3z M9 2 h3 v12 h-3z",
  next: "M5 3 L11 8 L5 13z",
  back: "M11 3 L5 8 L11 13z",
  first: "M13 3 L7 8 L13 13z M3 3 h2 v10 h-2z",
  last: "M3 3 L9 8 L3 13z M11 3 h2 v10 h-2z",
});
const OPEN = /** @type {Record<string, string>} */ ({
  full: "M2 6 V2 H6 M10 2 H14 V6 M14 10 V14 H10 M6 14 H2 V10",
  close: "M3 3 L13 13 M13 3 L3 13",
});

/** @param {string} name */
export function icon(name) {
  const path = PATHS[name] ? svg("path", { d: PATHS[name] }) : svg("path", { d: OPEN[name], class: "lk-open" });
  return svg("svg", { viewBox: "0 0 16 16", class: "lk-icon", "aria-hidden": "true" }, path);
}
