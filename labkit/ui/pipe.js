// A pipe or FIFO: a tube with its bytes in it, the next to be read at the left of the text.

import { box, svg, text } from "./svg.js";
import { CELL, OBJECT } from "./sizes.js";
import { count, fromBase64, number, share, tokens } from "./words.js";

/** @typedef {import("./words.js").Thing} Thing */

const TUBE = { top: OBJECT.title + 2, height: 36, cap: 9 };

/** @param {Thing} o @param {number} width @param {"left"|"right"} flow @param {Thing} [before]  the same pipe in the last picture @returns {SVGElement[]} */
export function drawPipe(o, width, flow, before) {
  return [...tube(o, width, flow), ...bytes(o, width, flow, before)];
}

/** @param {Thing} o @param {number} width @param {"left"|"right"} flow */
function tube(o, width, flow) {
  const { top, height, cap } = TUBE;
  const middle = top + height / 2;
  const full = o.queued && o.capacity ? Math.min(1, o.queued / o.capacity) : 0;
  const inside = width - 2 * cap;
  const fill = full ? Math.max(2, inside * full) : 0;
  const body = `M${cap} ${top} H${width - cap} A${cap} ${height / 2} 0 0 1 ${width - cap} ${top + height} H${cap} A${cap} ${height / 2} 0 0 1 ${cap} ${top}Z`;
  return [
    svg("path", { d: body, class: "lk-tube" }),
    svg("rect", { x: flow === "right" ? width - cap - fill : cap, y: top + 1, width: fill, height: height - 2, class: "lk-fill" }),
    svg("ellipse", { cx: flow === "right" ? width - cap : cap, cy: middle, rx: cap, ry: height / 2, class: "lk-mouth" }),
  ];
}

/** @param {Thing} o @param {number} width @param {"left"|"right"} flow @param {Thing} [before] */
function bytes(o, width, flow, before) {
  if (o.queued == null && o.head == null) return [text("bytes not visible here", width / 2, TUBE.top + 23, "lk-quiet lk-middle")];
  if (!o.queued) return [text("empty", width / 2, TUBE.top + 23, "lk-quiet lk-middle")];
  const head = fromBase64(o.head);
  if (!head.length) return [text(`${count(o.queued, "byte")}, contents not visible here`, width / 2, TUBE.top + 23, "lk-quiet lk-middle")];
  return cells(head, o.queued, width, flow, before && before.queued != null ? kept(before, head) : Infinity);
}

/** How many of the bytes that were there before are still the first. @param {Thing} before @param {Uint8Array} head */
export function kept(before, head) {
  const old = fromBase64(before.head);
  for (let taken = 0; taken < old.length; taken++) {
    const rest = old.slice(taken);
    if (rest.every((byte, i) => i >= head.length || head[i] === byte)) return before.queued - taken;
  }
  return 0;
}

/** @param {Uint8Array} head @param {number} queued @param {number} width @param {"left"|"right"} flow @param {number} old  so many bytes were there before */
function cells(head, queued, width, flow, old) {
  const room = Math.floor((width - 2 * TUBE.cap - 12) / CELL.width);
  const all = tokens(head);
  const known = all.reduce((n, t) => n + t.bytes, 0);
  const fits = all.length <= room && known >= queued;
  const shown = fits ? all : all.slice(0, room - 4);
  const seen = shown.reduce((n, t) => n + t.bytes, 0);
  const rest = queued - seen;
  const used = shown.length * CELL.width + (rest > 0 ? 4 * CELL.width : 0);
  const start = flow === "right" ? width - TUBE.cap * 2 - 2 - used : TUBE.cap * 2 + 2;
  let at = 0;
  const drawn = shown.map((token, i) => cell(token, start + i * CELL.width, TUBE.top + 6, (at += token.bytes) > old));
  if (rest > 0) drawn.push(text(`+${number(rest)}`, start + shown.length * CELL.width + 4, TUBE.top + 23, "lk-more"));
  return drawn;
}

/** One byte (or character) in its cell. @param {import("./words.js").Token} token @param {number} x @param {number} y @param {boolean} [fresh]  it has just come */
export function cell(token, x, y, fresh = false) {
  return svg("g", { class: `lk-cell ${token.hex ? "lk-hex" : ""} ${fresh ? "lk-fresh" : ""}` },
    box(x + 0.75, y, CELL.width - 1.5, CELL.height, "lk-cellbox", 3),
    text(token.text, x + CELL.width / 2, y + 16.5, token.hex ? "lk-byte lk-small lk-middle" : "lk-byte lk-middle"));
}

/** How full it is, and who else holds it: from all there is to say to the shortest. @param {Thing} o */
export function levelChoices(o) {
  if (o.queued == null) return [o.others ? "also held by others" : ""];
  const slots = o.capacity ? `, ${count(Math.floor(o.capacity / 4096), "slot")}` : "";
  const others = o.others ? ", also held by others" : "";
  const level = (isFull(o) ? "full: " : "") + share(o.queued, o.capacity, "bytes");
  return [level + slots + others, level + others, level];
}

/** @param {Thing} o */
export function isFull(o) {
  return o.queued != null && o.capacity != null && o.queued >= o.capacity;
}
