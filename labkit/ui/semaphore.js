// Semaphores: the value as tokens, and the line of those who wait.

import { box, svg, text } from "./svg.js";
import { OBJECT, SEMAPHORE } from "./sizes.js";
import { fit } from "./widths.js";

/** @typedef {import("./words.js").Thing} Thing */

const TOKENS = 7;

/** @param {Thing} o @param {number} width @returns {SVGElement[]} */
export function drawSemaphores(o, width) {
  if (o.kind === "posix-sem") return row({ value: o.value, waiting: o.waiting, zero: null, last: null, label: "" }, OBJECT.title + 4, width);
  if (!o.values) return [text("values not visible here", width / 2, OBJECT.title + 24, "lk-quiet lk-middle")];
  const shown = o.values.slice(0, SEMAPHORE.shown);
  const drawn = shown.flatMap((/** @type {number} */ value, /** @type {number} */ i) =>
    row({ value, waiting: o.waiting?.[i], zero: o.waiting_zero?.[i], last: o.lastNames?.[i], label: o.values.length > 1 ? `${i}` : "" }, OBJECT.title + i * SEMAPHORE.row, width));
  if (o.values.length > SEMAPHORE.shown) drawn.push(text(`and ${o.values.length - SEMAPHORE.shown} more`, width / 2, OBJECT.title + SEMAPHORE.shown * SEMAPHORE.row + 14, "lk-quiet lk-middle"));
  return drawn;
}

/** @param {Thing} sem @param {number} y @param {number} width */
function row(sem, y, width) {
  const left = sem.label ? 30 : 14;
  const drawn = [box(left, y + 2, 124, 26, "lk-bowl", 13)];
  if (sem.label) drawn.push(text(sem.label, 14, y + 20, "lk-index"));
  drawn.push(...tokensOf(sem.value, left, y + 15));
  drawn.push(text(sem.value == null ? "value not visible" : `= ${sem.value}`, left + 132, y + 20, "lk-count"));
  drawn.push(...line(sem, left + 172, y + 15, width));
  return drawn;
}

/** @param {number | null} value @param {number} left @param {number} y */
function tokensOf(value, left, y) {
  if (value == null) return [];
  const some = Math.min(value, value > TOKENS ? TOKENS - 2 : TOKENS);
  const drawn = Array.from({ length: some }, (_, i) => svg("circle", { cx: left + 15 + i * 16.3, cy: y, r: 6.5, class: "lk-token" }));
  if (value > some) drawn.push(text("…", left + 15 + some * 16.3, y + 4, "lk-count"));
  return drawn;
}

/** Heads in a line, one for each process that waits. @param {Thing} sem @param {number} x @param {number} y @param {number} width */
function line(sem, x, y, width) {
  const waiting = (sem.waiting ?? 0) + (sem.zero ?? 0);
  const unknown = sem.waiting == null;
  const heads = Array.from({ length: Math.min(waiting, 4) }, (_, i) => person(x + 8 + i * 15, y));
  const words = unknown ? "waiting: not visible" : waiting ? `${waiting} waiting${sem.zero ? " (for 0: " + sem.zero + ")" : ""}` : sem.last ? `last: ${sem.last}` : "nobody waits";
  const start = x + 4 + heads.length * 15;
  return [...heads, text(fit(words, width - start - 4, 11.5, waiting ? "bold" : "plain"), start, y + 4, waiting ? "lk-waiting-words" : "lk-quiet")];
}

/** @param {number} x @param {number} y */
function person(x, y) {
  return svg("path", { d: `M${x} ${y - 2} m-3.2 -3 a3.2 3.2 0 1 1 6.4 0 a3.2 3.2 0 1 1 -6.4 0 M${x - 5.5} ${y + 8} a5.5 7 0 0 1 11 0 z`, class: "lk-person" });
}

