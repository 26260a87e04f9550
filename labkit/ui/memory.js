// Shared memory: its bytes as a grid, the cells that have just changed lit; whose pages are whose.

import { box, svg, text } from "./svg.js";
import { CELL, GRID_ROWS, OBJECT } from "./sizes.js";
import { cells } from "./cells.js";
import { clean, fromBase64 } from "./words.js";
import { fit } from "./widths.js";

/** @typedef {import("./words.js").Thing} Thing */

const ROW = 20;
const LEFT = 44;

/** @param {Thing} o @param {number} width @param {Thing} [before]  the same object in the last picture @returns {SVGElement[]} */
export function drawMemory(o, width, before) {
  const head = fromBase64(o.head);
  if (!o.head) return [text("contents not visible here", width / 2, OBJECT.title + 20, "lk-quiet lk-middle"), ...pages(o, width, OBJECT.title + ROW + 18)];
  const old = before?.head && before.head !== o.head ? fromBase64(before.head) : null;
  const rows = Math.max(1, Math.min(GRID_ROWS, Math.ceil(head.length / CELL.across)));
  return [...grid(head.slice(0, rows * CELL.across), old, o.form), ...pages(o, width, OBJECT.title + rows * ROW + 12)];
}

/** @param {Uint8Array} head @param {Uint8Array | null} old @param {import("./cells.js").Form} [form] */
function grid(head, old, form) {
  const drawn = [];
  for (let at = 0; at < head.length; at += CELL.across)
    drawn.push(text(at.toString(16).padStart(4, "0"), LEFT - 6, OBJECT.title + (at / CELL.across) * ROW + 15, "lk-address lk-end"));
  for (const cell of cells(head, form)) {
    const changed = old != null && head.slice(cell.at, cell.at + cell.bytes).some((byte, i) => old[cell.at + i] !== byte);
    drawn.push(drawCell(cell, LEFT + (cell.at % CELL.across) * CELL.width, OBJECT.title + Math.floor(cell.at / CELL.across) * ROW, changed));
  }
  return drawn;
}

/** As large as other bytes, or as fits. @param {string} digits @param {number} width */
const sized = (digits, width) => `font-size: ${Math.min(13, (width - 1) / (digits.length * 0.602)).toFixed(1)}px`;

/** @param {import("./cells.js").Cell} cell @param {number} x @param {number} y @param {boolean} changed */
function drawCell(cell, x, y, changed) {
  const width = cell.bytes * CELL.width;
  const style = cell.kind === "number" ? sized(cell.text, width) : null;
  return svg("g", { class: `lk-cell ${changed ? "lk-changed" : ""} ${cell.kind === "zero" ? "lk-zero" : ""}` },
    box(x + 0.5, y + 1, width - 1, ROW - 2, "lk-cellbox", 2),
    text(cell.text, x + width / 2, y + 14.5, `lk-byte ${cell.kind === "hex" ? "lk-small" : ""} lk-middle`, { style }));
}

/** A strip of pages for each process that has it mapped. @param {Thing} o @param {number} width @param {number} y */
function pages(o, width, y) {
  const views = (o.views ?? []).slice(0, 4);
  return views.flatMap((/** @type {Thing} */ view, /** @type {number} */ i) => strip(view, width, y + i * ROW));
}

const PAGE = /** @type {Record<string, string>} */ ({ shared: "shared", private: "private copy", absent: "absent" });

/** @param {Thing} view  {name, prot, pages} @param {number} width @param {number} y */
function strip(view, width, y) {
  const name = text(fit(view.name, 92, 11.5), 14, y + 11, "lk-quiet");
  if (!view.pages) return [name, text("pages not visible here", 112, y + 11, "lk-quiet")];
  const flat = view.pages.flatMap((/** @type {[number, string]} */ [n, kind]) => Array(Math.min(n, 16)).fill(kind)).slice(0, 12);
  const squares = flat.map((/** @type {string} */ kind, /** @type {number} */ i) => box(112 + i * 13, y + 1, 11, 12, `lk-page lk-page-${kind}`, 2));
  const kinds = ["private", "shared", "absent"].filter((kind) => flat.includes(kind)).map((kind) => PAGE[kind] ?? clean(kind)).join(", ");
  const words = view.prot ? `${kinds} (${clean(view.prot)})` : kinds;
  return [name, ...squares, text(fit(words, width - 136 - flat.length * 13, 11), 118 + flat.length * 13, y + 11, "lk-quiet")];
}
