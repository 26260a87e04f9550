// Along which lines something has just gone, as far as that is certain. Pure.

/** @typedef {import("./words.js").Thing} Thing */
/** @typedef {import("./lines.js").Line} Line */
/** @typedef {{line: Line, way: "in"|"out"}} Motion  into the object, or out of it */

/**
 * What moved between two pictures of an object. Who moved it is known when it is the film's `who`, or when
 * only one line leads there: a line of somebody else never carries anything.
 * @param {Thing} before @param {Thing} now @param {Line[]} lines @param {number} [who]
 * @returns {Motion[]}
 */
export function motions(before, now, lines, who) {
  const [had, has] = [held(before), held(now)];
  if (had == null || has == null || had === has) return [];
  const way = has > had ? "in" : "out";
  const able = lines.filter((l) => leads(l, now, way) && (who == null || l.pid === who));
  return able.length === 1 ? [{ line: able[0], way }] : [];
}

/** @param {Thing} o */
function held(o) {
  return o.queued ?? o.receive_queue ?? null;
}

/** Can something go along this line into the object, or out of it? What goes into a socket comes through the other end. @param {Line} line @param {Thing} o @param {"in"|"out"} way */
function leads(line, o, way) {
  if (o.kind === "pipe" || o.kind === "fifo") return line.object === o.id && line.role === (way === "in" ? "write" : "read");
  if (/socket/.test(o.kind)) return line.object === (way === "in" ? o.peer : o.id) && line.role === "both" && o.peer != null;
  return o.kind === "posix-mq" && line.object === o.id && line.role === "both";
}
