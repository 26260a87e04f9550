// A process: its name, its pid, what it does right now, and a port for every end it holds.

import { box, svg, text } from "./svg.js";
import { PROCESS, THREADS_SHOWN } from "./sizes.js";
import { clean, doing, doingChoices } from "./words.js";
import { fit, fitOne, inTwo, width } from "./widths.js";

/** @typedef {import("./layout.js").ProcessBox} ProcessBox */
/** @typedef {import("./words.js").Thing} Thing */

/** What its state looks like: a sign, so that colour is never alone. @param {Thing} p @param {boolean} dead */
export function sign(p, dead) {
  if (dead) return { mark: "⚠", kind: "dead" };
  if (p.state === "dead" || p.state === "zombie") return { mark: "■", kind: "ended" };
  if (p.state === "stopped") return { mark: "‖", kind: "stopped" };
  if (p.blocked && !p.blocked.timed) return { mark: "◷", kind: "waiting" };
  if (p.state === "sleeping") return { mark: "◷", kind: "resting" };
  return { mark: "▶", kind: "running" };
}

/** @param {Thing} p @param {boolean} dead */
export function processLabel(p, dead) {
  if (p.members) return `${clean(p.name)} (${clean(p.words)}); opens when clicked`;
  const state = `process ${clean(p.name)}, pid ${p.pid}, ${doing(p)}`;
  return dead ? `${state}; this wait can never end` : state;
}

/** Everything inside the box; its corner is 0, 0. @param {ProcessBox} at @param {boolean} dead @returns {SVGElement[]} */
export function drawProcess(at, dead) {
  const p = at.process;
  const { mark, kind } = sign(p, dead);
  const pid = p.members ? "" : `pid ${p.pid}`;
  return [
    ...(p.members ? [box(6, 6, at.width, at.height, "lk-process", 10)] : []),
    box(0, 0, at.width, at.height, `lk-process lk-${kind}`, 10),
    svg("path", { d: stripe(at.height), class: `lk-stripe lk-${kind}` }),
    text(shortName(p.name, at.width - 38 - width(pid, 12)), 18, 23, "lk-name"),
    text(pid, at.width - 12, 23, "lk-quiet lk-end"),
    text(mark, 18, 43, `lk-sign lk-${kind}`),
    ...saying(at).map((words, i) => text(words, 36, 43 + i * 17, "lk-doing")),
    ...threads(at),
    ...pending(at),
    ...at.ports.map((port) => drawPort(port, at)),
  ];
}

/** The left edge in the colour of its state, with the corners of the box. @param {number} height */
function stripe(height) {
  return `M8 0.2 A10 10 0 0 0 0 10 V${height - 10} A10 10 0 0 0 8 ${height - 0.2} Z`;
}

/** What it does; over two lines where nothing stands below. @param {ProcessBox} at */
function saying(at) {
  const [room, choices] = [at.width - 46, doingChoices(at.process)];
  const alone = !at.ports.length && !rows(at.process) && !at.process.signals?.pending?.length;
  return alone ? inTwo(choices[0], room, 13) : [fitOne(choices, room, 13)];
}

/** Of `server/child 2` the end matters more than the beginning. @param {string} name @param {number} room */
function shortName(name, room) {
  const at = name.indexOf("/");
  const whole = fit(name, room, 15, "bold");
  if (at < 0 || !whole.endsWith("…")) return whole;
  const rest = fit(name.slice(at), room - 34, 15, "bold");
  return fit(name.slice(0, at), room - width(rest, 15, "bold"), 15, "bold") + rest;
}

/** @param {ProcessBox} at */
function threads(at) {
  const all = at.process.threads ?? [];
  if (all.length < 2) return [];
  const lines = all.slice(0, THREADS_SHOWN).map((/** @type {Thing} */ t) => doingChoices({ ...t, exit: null }).map((words) => `thread tid ${t.tid}: ${words}`));
  if (all.length > THREADS_SHOWN) lines.push([`and ${all.length - THREADS_SHOWN} more threads`]);
  return lines.map((/** @type {string[]} */ choices, /** @type {number} */ i) =>
    text(fitOne(choices, at.width - 30, 11.5), 18, PROCESS.header + 10 + i * PROCESS.thread, "lk-quiet"));
}

/** @param {ProcessBox} at */
function pending(at) {
  const names = at.process.signals?.pending ?? [];
  if (!names.length) return [];
  const y = PROCESS.header + Math.min(rows(at.process), THREADS_SHOWN + 1) * PROCESS.thread;
  return [
    svg("path", { d: `M18 ${y - 1} v14 M18 ${y - 1} h11 l-3 4 l3 4 h-11`, class: "lk-flag" }),
    text(fit(`${names.join(", ")} pending`, at.width - 48, 12, "bold"), 36, y + 10, "lk-pending"),
  ];
}

/** @param {Thing} p */
function rows(p) {
  return (p.threads?.length ?? 0) > 1 ? p.threads.length : 0;
}

const ARROWS = /** @type {Record<string, string>} */ ({ write: "out", read: "in" });

/** @param {import("./layout.js").Port} port @param {ProcessBox} at */
function drawPort(port, at) {
  const x = port.x - at.x;
  const y = port.y - at.y;
  const inward = at.side === "left" ? -1 : 1;
  const way = ARROWS[port.role] ?? "";
  const words = port.fd == null ? port.label : `fd ${port.label}`;
  const role = port.role === "write" ? "write" : port.role === "read" ? "read" : "";
  return svg("g", { class: `lk-port lk-${port.role}` },
    svg("circle", { cx: x, cy: y, r: 5, class: `lk-dot ${way}` }),
    text(fit(role ? `${role}: ${words}` : words, at.width - 40, 12), x + inward * 12, y + 4, `lk-fd ${inward < 0 ? "lk-end" : ""}`));
}
