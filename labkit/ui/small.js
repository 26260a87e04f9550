// The small kinds: files, locks, counters, timers, sets; and whatever has no picture of its own.

import { box, svg, text } from "./svg.js";
import { OBJECT } from "./sizes.js";
import { count, kindInWords, levels, number } from "./words.js";
import { fit, fitEnd } from "./widths.js";

/** @typedef {import("./words.js").Thing} Thing */

/** @param {Thing} o @param {number} width @returns {SVGElement[]} */
export function drawSmall(o, width) {
  const draw = DRAW[o.kind];
  return draw ? draw(o, width) : [text(kindInWords(o.kind), 14, OBJECT.title + 12, "lk-quiet")];
}

const DRAW = /** @type {Record<string, (o: Thing, width: number) => SVGElement[]>} */ ({ file, lock, eventfd, timerfd, signalfd, epoll, group });

/** @param {Thing} o @param {number} width */
function file(o, width) {
  const y = OBJECT.title - 2;
  const words = [o.size == null ? "" : count(o.size, "byte"), o.deleted ? "name removed" : ""].filter(Boolean).join(", ");
  return [
    svg("path", { d: `M14 ${y} h14 l7 7 v19 h-21z M28 ${y} v7 h7`, class: "lk-sheet" }),
    text(fitEnd(o.path ?? o.name, width - 62, 12, "mono"), 46, y + 12, "lk-mono"),
    text(words, 46, y + 28, "lk-quiet"),
  ];
}

/** @param {Thing} o @param {number} width */
function lock(o, width) {
  const y = OBJECT.title;
  const range = o.start || o.end != null ? `, bytes ${o.start ?? 0} to ${o.end ?? "the end"}` : "";
  const holders = o.holders == null ? "holder not visible here" : o.holderNames?.length ? `held by ${o.holderNames.join(", ")}` : "held by nobody in view";
  return [
    svg("path", { d: `M16 ${y + 12} v-4 a7 7 0 0 1 14 0 v4`, class: "lk-shackle" }),
    box(13, y + 11, 20, 16, "lk-padlock", 3),
    text(fit(`${o.type ?? ""} ${o.mode ?? ""} lock${range}`.trim(), width - 60, 12), 46, y + 10, "lk-level"),
    text(fit(`${holders}${o.waiting?.length ? `, ${o.waiting.length} waiting` : ""}`, width - 60, 12), 46, y + 27, "lk-quiet"),
  ];
}

/** @param {Thing} o */
function eventfd(o) {
  const y = OBJECT.title;
  return [box(14, y, 84, 26, "lk-counter", 4), text(number(o.count), 56, y + 18, "lk-digits lk-middle"), text(o.count === 0 ? "a read would wait" : "a read takes it", 110, y + 18, "lk-quiet")];
}

/** @param {Thing} o @param {number} width */
function timerfd(o, width) {
  const y = OBJECT.title + 13;
  const ticks = o.ticks == null ? "" : `, ${count(o.ticks, "tick")} to read`;
  return [
    svg("circle", { cx: 27, cy: y, r: 12, class: "lk-clock" }),
    svg("path", { d: `M27 ${y - 8} V${y} l6 4`, class: "lk-hand" }),
    text(fit((levels(o) || "timer") + ticks, width - 60, 12), 48, y + 4, "lk-level"),
  ];
}

/** @param {Thing} o @param {number} width */
function signalfd(o, width) {
  const y = OBJECT.title;
  const words = o.signals == null ? "signals not visible here" : `receives ${o.signals.join(", ") || "nothing"}`;
  return [svg("path", { d: `M18 ${y} v26 M18 ${y} h14 l-4 6 l4 6 h-14`, class: "lk-flag" }), text(fit(words, width - 56, 12), 46, y + 17, "lk-level")];
}

/** @param {Thing} o @param {number} width */
function epoll(o, width) {
  if (o.watching == null) return [text("what it watches is not visible here", 14, OBJECT.title + 12, "lk-quiet")];
  if (!o.watching.length) return [text("watches nothing", 14, OBJECT.title + 12, "lk-quiet")];
  const shown = o.watching.slice(0, 5);
  return shown.map((/** @type {Thing} */ w, /** @type {number} */ i) =>
    text(fit(`fd ${w.fd}: ${w.events}${w.objectName ? ` — ${w.objectName}` : ""}`, width - 28, 12), 14, OBJECT.title + 10 + i * 20, "lk-level"));
}

/** Several of a kind, folded. @param {Thing} o @param {number} width */
function group(o, width) {
  return (o.lines ?? []).slice(0, 6).map((/** @type {string} */ words, /** @type {number} */ i) =>
    text(fit(words, width - 28, 12), 14, OBJECT.title + 10 + i * 18, "lk-level"));
}
