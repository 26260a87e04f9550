// The lanes of a film: one for each process, a mark for each call, a bar while it waits. Click to go there.

import { html, svg } from "./svg.js";
import { clean } from "./words.js";

/** @typedef {import("./film.js").Lane} Lane */
/** @typedef {import("./film.js").Mark} Mark */

export const HUES = 6;
/** More calls than this are drawn as strokes, all of a lane in one path. */
const DENSE = 300;
const LONGEST = 22;

/**
 * @param {Lane[]} lanes @param {number} frames
 * @returns {{element: HTMLElement, range: HTMLInputElement, show: (n: number) => void}}
 */
export function makeTimeline(lanes, frames) {
  const last = Math.max(1, frames - 1);
  const range = /** @type {HTMLInputElement} */ (html("input", { type: "range", class: "lk-range", min: 0, max: Math.max(0, frames - 1), value: 0, "aria-label": "frame" }));
  const cursor = html("div", { class: "lk-cursor", "aria-hidden": "true" });
  const names = lanes.map((lane, i) => html("div", { class: `lk-lane-name lk-hue-${i % HUES}` }, name(lane.who)));
  const rows = lanes.map((lane, i) => row(lane, i % HUES, last, frames > DENSE));
  const track = html("div", { class: "lk-track" }, html("div", { class: "lk-rows", "aria-hidden": "true" }, ...rows), cursor, range);
  const element = html("div", { class: "lk-lanes" }, html("div", { class: "lk-names", "aria-hidden": "true" }, ...names), track);
  element.style.setProperty("--lk-n", String(Math.max(1, lanes.length)));
  element.style.setProperty("--lk-frames", String(last));
  return {
    element,
    range,
    show: (n) => cursor.style.setProperty("--lk-at", String(n / last)),
  };
}

/** Of `server/child 2` the end matters more than the beginning. @param {string} who */
function name(who) {
  const letters = [...clean(who)];
  return letters.length <= LONGEST ? letters.join("") : "…" + letters.slice(1 - LONGEST).join("");
}

/** @param {Lane} lane @param {number} hue @param {number} last @param {boolean} dense */
function row(lane, hue, last, dense) {
  const at = (/** @type {number} */ n) => `${((100 * n) / last).toFixed(3)}%`;
  const drawn = [
    svg("line", { x1: "0%", x2: "100%", y1: "50%", y2: "50%", class: "lk-lane-line" }),
    svg("line", { x1: at(lane.born), x2: at(lane.ended ?? last), y1: "50%", y2: "50%", class: "lk-lane-life" }),
    ...lane.waits.map((w) => svg("rect", { x: at(w.from), width: at(Math.min(w.to, last) - w.from), y: "32%", height: "36%", rx: 3, class: `lk-lane-wait ${w.dead ? "lk-dead" : ""}` })),
    ...(dense ? strokes(lane.marks, last) : lane.marks.map((m) => mark(m, at(m.n)))),
  ];
  return svg("svg", { class: `lk-row lk-hue-${hue}`, "data-who": clean(lane.who) }, ...drawn);
}

/** A dot for a call, a square where a wait begins, a cross for one that failed, a stroke for the end. @param {Mark} m @param {string} x */
function mark(m, x) {
  if (m.kind === "call") return svg("circle", { cx: x, cy: "50%", class: "lk-mark" });
  return svg("svg", { x, y: "50%", overflow: "visible" }, shape(m.kind));
}

/** @param {Mark["kind"]} kind */
function shape(kind) {
  if (kind === "waits") return svg("rect", { class: "lk-mark-waits", rx: 1 });
  if (kind === "ends") return svg("rect", { class: "lk-mark-ends" });
  if (kind === "signal") return svg("path", { d: "M0 -7 L7 0 L0 7 L-7 0Z", class: "lk-mark-signal" });
  return svg("path", { d: "M-4.5 -4.5 L4.5 4.5 M-4.5 4.5 L4.5 -4.5", class: "lk-mark-failed" });
}

/** @param {Mark[]} marks @param {number} last */
function strokes(marks, last) {
  const inside = (/** @type {(m: Mark) => boolean} */ some, /** @type {string} */ kind) =>
    svg("path", { d: marks.filter(some).map((m) => `M${m.n} 2v6`).join(""), class: kind, "vector-effect": "non-scaling-stroke" });
  const bad = (/** @type {Mark} */ m) => m.kind === "failed" || m.kind === "killed";
  return [svg("svg", { viewBox: `0 0 ${last} 10`, preserveAspectRatio: "none", width: "100%", height: "100%", overflow: "visible" },
    inside((m) => !bad(m), "lk-strokes"), inside(bad, "lk-strokes lk-failed"))];
}
