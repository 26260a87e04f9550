// The lanes of a film: one for each process, a mark for each call, a bar while it waits.

import { box, svg, text } from "./svg.js";
import { fit } from "./words.js";

/** @typedef {import("./film.js").Lane} Lane */

export const NAMES = 132;
const LANE = 24;
const WIDTH = 1000;

/**
 * @param {Lane[]} lanes @param {number} frames
 * @returns {{element: SVGElement, show: (n: number) => void, frameAt: (x: number) => number}}
 */
export function makeTimeline(lanes, frames) {
  const step = (WIDTH - NAMES - 16) / Math.max(1, frames - 1);
  const at = (/** @type {number} */ n) => NAMES + 8 + n * step;
  const height = lanes.length * LANE + 8;
  const cursor = svg("g", { class: "lk-cursor" }, svg("path", { d: `M0 0 V${height}` }), svg("path", { d: "M-6 0 h12 l-6 8z", class: "lk-cursor-head" }));
  const rows = lanes.map((lane, i) => row(lane, i * LANE + LANE / 2 + 6, at, step));
  const element = svg("svg", { class: "lk-timeline", viewBox: `0 0 ${WIDTH} ${height}`, "aria-hidden": "true" }, ...rows, cursor);
  return {
    element,
    show: (n) => cursor.setAttribute("transform", `translate(${at(n)} 0)`),
    frameAt: (x) => Math.max(0, Math.min(frames - 1, Math.round((x * WIDTH - NAMES - 8) / step))),
  };
}

/** @param {Lane} lane @param {number} y @param {(n: number) => number} at @param {number} step */
function row(lane, y, at, step) {
  const size = Math.max(1.5, Math.min(5, step * 0.42));
  return svg("g", {},
    text(fit(lane.who, NAMES - 8, 13, 0.57), 0, y + 4, "lk-lane-name"),
    svg("path", { d: `M${NAMES} ${y} H${WIDTH}`, class: "lk-lane-line" }),
    ...lane.waits.map((w) => box(at(w.from), y - 4, Math.max(2, at(Math.min(w.to, w.to)) - at(w.from)), 8, "lk-lane-wait", 4)),
    ...lane.marks.map((m) => mark(m, at(m.n), y, size)));
}

/** A dot for a call, a square where the process begins to wait, a cross for one that failed. @param {Record<string, any>} m @param {number} x @param {number} y @param {number} size */
function mark(m, x, y, size) {
  if (m.blocked) return box(x - size, y - size, size * 2, size * 2, "lk-mark lk-blocked", 1);
  if (m.failed) return svg("path", { d: `M${x - size} ${y - size} L${x + size} ${y + size} M${x - size} ${y + size} L${x + size} ${y - size}`, class: "lk-mark-failed" });
  return svg("circle", { cx: x, cy: y, r: size, class: "lk-mark" });
}
