// Lines between boxes: pure geometry to SVG path data.

/** @typedef {{x: number, y: number}} Point */

/** A smooth line that leaves and arrives horizontally. @param {Point} a @param {Point} b @param {number} leave  +1 to the right @param {number} arrive  +1 when it comes from the left */
export function curve(a, b, leave, arrive) {
  const reach = Math.max(28, Math.abs(b.x - a.x) * 0.5);
  return `M${r(a.x)} ${r(a.y)} C${r(a.x + leave * reach)} ${r(a.y)} ${r(b.x - arrive * reach)} ${r(b.y)} ${r(b.x)} ${r(b.y)}`;
}

/** Straight pieces with round corners. @param {Point[]} points @param {number} [radius] */
export function corners(points, radius = 10) {
  const parts = [`M${r(points[0].x)} ${r(points[0].y)}`];
  for (let i = 1; i < points.length - 1; i++) {
    const [before, at, after] = [points[i - 1], points[i], points[i + 1]];
    const size = Math.min(radius, distance(before, at) / 2, distance(at, after) / 2);
    const into = toward(at, before, size);
    const out = toward(at, after, size);
    parts.push(`L${r(into.x)} ${r(into.y)} Q${r(at.x)} ${r(at.y)} ${r(out.x)} ${r(out.y)}`);
  }
  const last = points[points.length - 1];
  return [...parts, `L${r(last.x)} ${r(last.y)}`].join(" ");
}

/** @param {Point} a @param {Point} b */
function distance(a, b) {
  return Math.hypot(a.x - b.x, a.y - b.y);
}

/** @param {Point} from @param {Point} to @param {number} length @returns {Point} */
function toward(from, to, length) {
  const whole = distance(from, to) || 1;
  return { x: from.x + ((to.x - from.x) * length) / whole, y: from.y + ((to.y - from.y) * length) / whole };
}

/** @param {number} n */
function r(n) {
  return Math.round(n * 10) / 10;
}
