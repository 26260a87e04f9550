// Sockets: two ends joined, with a queue each way; or one end alone, or a listener and its line.

import { box, svg, text } from "./svg.js";
import { CELL, OBJECT } from "./sizes.js";
import { clean, count, fromBase64, number, tokens } from "./words.js";
import { fit, fitEnd, width as wide } from "./widths.js";
import { cell } from "./pipe.js";

/** @typedef {import("./words.js").Thing} Thing */

/** @param {Thing[]} ends  one or two sockets @param {number} width @returns {SVGElement[]} */
export function drawSockets(ends, width) {
  if (ends.length === 2) return [...lane(ends[0], ends[1], OBJECT.title, width, "right"), ...lane(ends[1], ends[0], OBJECT.title + 32, width, "left"), states(ends, width)];
  return isListening(ends[0]) ? listener(ends[0], width) : alone(ends[0], width);
}

/** @param {Thing[]} ends @param {number} width */
function states([a, b], width) {
  const kind = a.protocol ? clean(a.protocol).toUpperCase() : `Unix ${clean(a.type ?? "socket")}`;
  const state = a.state === b.state ? clean(a.state) : `${clean(a.state ?? "?")} / ${clean(b.state ?? "?")}`;
  return text(fit(`${kind}: ${state}`, width - 24, 12), width / 2, OBJECT.title + 76, "lk-level lk-middle");
}

/** @param {Thing} o */
export function isListening(o) {
  return /listen/i.test(o.state ?? "");
}

/** Bytes that wait to be received at `to`. @param {Thing} from @param {Thing} to @param {number} y @param {number} width @param {"left"|"right"} flow */
function lane(from, to, y, width, flow) {
  const queued = to.queued ?? to.receive_queue;
  return [
    box(14, y + 1, width - 28, 28, "lk-lane", 6),
    svg("path", { d: flow === "right" ? `M${width - 12} ${y + 8} l8 7 l-8 7z` : `M12 ${y + 8} l-8 7 l8 7z`, class: "lk-point" }),
    ...laneBytes({ ...to, noted: from.send_queue }, queued, y, width, flow),
    ...laneNotes(from, to, y, width, flow),
  ];
}

/** @param {Thing} to @param {number | null} queued @param {number} y @param {number} width @param {"left"|"right"} flow */
function laneBytes(to, queued, y, width, flow) {
  if (queued == null) return [text("not visible here", width / 2, y + 19, "lk-quiet lk-middle")];
  if (!queued) return [text("empty", width / 2, y + 19, "lk-quiet lk-middle")];
  const all = tokens(fromBase64(to.head)).slice(0, to.in_flight || to.noted ? 6 : 11);
  const seen = all.reduce((n, t) => n + t.bytes, 0);
  const rest = queued - seen;
  const words = rest > 0 ? (seen ? `+${number(rest)}` : count(queued, "byte")) : "";
  const used = all.length * CELL.width + words.length * 7;
  const start = flow === "right" ? width - 20 - used : 20;
  return [...all.map((t, i) => cell(t, start + i * CELL.width, y + 3)), ...(words ? [text(words, start + all.length * CELL.width + 4, y + 19, "lk-more")] : [])];
}

/** @param {Thing} from @param {Thing} to @param {number} y @param {number} width @param {"left"|"right"} flow */
function laneNotes(from, to, y, width, flow) {
  const words = [];
  if (to.in_flight) words.push(`${count(to.in_flight, "descriptor")} in flight`);
  if (from.send_queue) words.push(`${number(from.send_queue)} unacknowledged`);
  if (!words.length) return [];
  const x = flow === "right" ? 22 : width - 22;
  return [text(words.join(", "), x, y + 19, `lk-flight ${flow === "right" ? "" : "lk-end"}`)];
}

/** @param {Thing} o @param {number} width */
function listener(o, width) {
  const y = OBJECT.title;
  const waiting = o.waiting ?? 0;
  const door = [box(8, y + 6, 34, 46, "lk-door", 4), svg("circle", { cx: 35, cy: y + 30, r: 2.5, class: "lk-knob" })];
  const tickets = Array.from({ length: Math.min(waiting, 6) }, (_, i) => box(58 + i * 24, y + 12, 19, 22, "lk-ticket", 3));
  const words = o.waiting == null ? "the line before accept is not visible here" : waiting ? `${waiting} waiting for accept` : "nobody waits for accept";
  const room = o.backlog == null ? "" : `, room for ${number(o.backlog)}`;
  return [...door, ...tickets, text(fit(words + room, width - 66, 12), 58, y + 50, "lk-level")];
}

/** @param {Thing} o @param {number} width */
function alone(o, width) {
  const queued = o.queued ?? o.receive_queue;
  const words = [o.state, o.remote ? `to ${o.remote}` : "", o.peer ? "" : "no other end in this picture"].filter(Boolean).join(", ");
  return [
    box(14, OBJECT.title + 1, width - 28, 28, "lk-lane", 6),
    ...laneBytes(o, queued, OBJECT.title, width, "left"),
    ...laneNotes(o, o, OBJECT.title, width, "left"),
    text(fit(words, width - 20, 12), width / 2, OBJECT.title + 48, "lk-level lk-middle"),
  ];
}

/** What stands above the box: names, addresses, states. @param {Thing[]} ends @param {number} width */
export function socketTitle(ends, width) {
  const [a, b] = ends;
  if (!b) return null;
  const where = (/** @type {Thing} */ o) => o.local ?? o.path ?? o.name;
  const all = width - 28 - 16;
  const room = (/** @type {Thing} */ other) => Math.max(all / 2, all - wide(clean(where(other)), 13, "bold"));
  return [
    text(fitEnd(where(a), room(b), 13, "bold"), 14, 17, "lk-title lk-two"),
    text(fitEnd(where(b), room(a), 13, "bold"), width - 14, 17, "lk-title lk-two lk-end"),
  ];
}
