// Shared memory: its bytes as a grid, the cells that have just changed lit; whose pages are whose.

import { box, svg, text } from "./svg.js";
import { CELL, GRID_ROWS, OBJECT } from "./sizes.js";
import { clean, fit, fromBase64 } from "./words.js";

/** @typedef {import("./words.js").Thing} Thing */

const ROW = 20;
const LEFT = 42;

/** @param {Thing} o @param {number} width @param {Thing} [before]  the same object in the last picture @returns {SVGElement[]} */
export function drawMemory(o, width, before) {
  const head = fromBase64(o.head);
  if (!o.head) return [text("contents not visible here", width / 2, OBJECT.title + 20, "lk-quiet lk-middle"), ...pages(o, width, OBJECT.title + ROW + 18)];
  const old = before?.head && before.head !== o.head ? fromBase64(before.head) : null;
  const rows = Math.max(1, Math.min(GRID_ROWS, Math.ceil(head.length / CELL.across)));
  return [...grid(head, old, rows), ...pages(o, width, OBJECT.title + rows * ROW + 12)];
}

/** @param {Uint8Array} head @param {Uint8Array | null} old @param {number} rows */
function grid(head, old, rows) {
  const drawn = [];
  for (let row = 0; row < rows; row++) {
    const y = OBJECT.title + row * ROW;
    drawn.push(text((row * CELL.across).toString(16).padStart(4, "0"), LEFT - 6, y + 15, "lk-address lk-end"));
    for (let i = 0; i < CELL.across && row * CELL.across + i < head.length; i++) {
      const at = row * CELL.across + i;
      drawn.push(byteCell(head[at], LEFT + i * CELL.width, y, old != null && old[at] !== head[at]));
    }
  }
  return drawn;
}

/** @param {number} byte @param {number} x @param {number} y @param {boolean} changed */
function byteCell(byte, x, y, changed) {
  const printable = byte > 32 && byte < 127;
  const words = byte === 0 ? "·" : byte === 32 ? "␣" : printable ? String.fromCharCode(byte) : byte.toString(16).padStart(2, "0");
  return svg("g", { class: `lk-cell ${changed ? "lk-changed" : ""} ${byte === 0 ? "lk-zero" : ""}` },
    box(x + 0.5, y + 1, CELL.width - 1, ROW - 2, "lk-cellbox", 2),
    text(words, x + CELL.width / 2, y + 14.5, printable || byte === 0 || byte === 32 ? "lk-byte lk-middle" : "lk-byte lk-small lk-middle"));
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
  return [name, ...squares, text(fit(words, width - 136 - flat.length * 13, 11, 0.52), 118 + flat.length * 13, y + 11, "lk-quiet")];
}
