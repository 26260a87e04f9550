// Where everything stands: a Scene -> boxes and lines. Pure.
//
// Processes stand left and right, the kernel's objects between them. Whoever talks through an object
// stands on opposite sides of it where that can be, writers left first, so data mostly flows to the
// right. What has once been given a place keeps it: pass the `memory` of the last layout.

import { allLinks, drawnObjects } from "./scene.js";
import { GAP, OBJECT, PROCESS, objectHeight, processHeight } from "./sizes.js";
import { LEVEL, connect } from "./lines.js";
import { enrich } from "./enrich.js";

/** @typedef {import("./scene.js").Scene} Scene */
/** @typedef {import("./scene.js").Link} Link */
/** @typedef {import("./words.js").Thing} Thing */
/** @typedef {"left"|"right"} Side */
/** @typedef {{x: number, y: number, width: number, height: number}} Rect */
/** @typedef {Rect & {pid: number, side: Side, process: Thing, ports: Port[]}} ProcessBox */
/** @typedef {{fd: number|null, label: string, role: string, object: string, x: number, y: number}} Port */
/** @typedef {Rect & {key: string, objects: Thing[], flow: Side}} ObjectBox  `flow`: the side its data runs to */
/** @typedef {{y: number, height: number, column: string}} Place */
/** @typedef {{sides: Map<number, Side>, places: Map<string, Place>, fixed?: {below: number}, pairs: Map<string, string[]>, flows: Map<string, Side>}} Memory */
/** @typedef {{width: number, height: number, processes: ProcessBox[], objects: ObjectBox[], lines: import("./lines.js").Line[], memory: Memory}} Layout */

/** @returns {Memory} */
export function noMemory() {
  return { sides: new Map(), places: new Map(), pairs: new Map(), flows: new Map() };
}

/**
 * @param {Scene} scene
 * @param {Memory} [memory]  of an earlier layout of the same programs
 * @returns {Layout}
 */
export function layout(scene, memory = noMemory()) {
  const objects = drawnObjects(scene).map((o) => enrich(o, scene));
  const shown = new Set(objects.map((o) => o.id));
  const links = allLinks(scene).filter((l) => shown.has(l.object));
  const units = inUnits(objects, memory);
  const sides = chooseSides(scene, links, units, memory);
  const columns = measure(scene, links, units, sides);
  const places = place(columns, links, memory);
  return build(scene, links, columns, places, sides, memory);
}

/** @typedef {{key: string, objects: Thing[], height: number}} Unit */

/** The two ends of a connection are one box. @param {Thing[]} objects @param {Memory} memory @returns {Unit[]} */
function inUnits(objects, memory) {
  const byId = new Map(objects.map((o) => [o.id, o]));
  const done = new Set();
  const units = [];
  for (const o of objects) {
    if (done.has(o.id)) continue;
    const peer = o.peer && o.peer !== o.id && !done.has(o.peer) ? byId.get(o.peer) : undefined;
    const members = peer ? [o, peer] : [o];
    for (const m of members) done.add(m.id);
    const key = memory.pairs.get(o.id)?.[0] ?? o.id;
    units.push({ key, objects: members, height: Math.max(...members.map(objectHeight)) });
  }
  return units;
}

/** @param {Scene} scene @param {Link[]} links @param {Unit[]} units @param {Memory} memory @returns {Map<number, Side>} */
function chooseSides(scene, links, units, memory) {
  /** @type {Map<number, Side>} */
  const sides = new Map();
  for (const p of scene.processes) {
    const known = memory.sides.get(p.pid);
    if (known) sides.set(p.pid, known);
  }
  const unitOf = new Map(units.flatMap((u) => u.objects.map((o) => [o.id, u.key])));
  for (const pid of walk(scene, links, unitOf)) {
    if (!sides.has(pid)) sides.set(pid, vote(pid, links, unitOf, sides));
  }
  return sides;
}

/** Pids so that those who share something follow each other, data's sources first. @param {Scene} scene @param {Link[]} links @param {Map<string, string>} unitOf */
function walk(scene, links, unitOf) {
  /** @param {number} pid */
  const source = (pid) =>
    links.reduce((n, l) => n + (l.pid !== pid ? 0 : l.role === "write" ? 1 : l.role === "read" ? -1 : 0), 0);
  const order = scene.processes.map((p) => p.pid).sort((a, b) => Math.sign(source(b)) - Math.sign(source(a)));
  /** @type {number[]} */
  const found = [];
  for (const start of order) {
    const queue = [start];
    while (queue.length) {
      const pid = /** @type {number} */ (queue.shift());
      if (found.includes(pid)) continue;
      found.push(pid);
      const mine = new Set(links.filter((l) => l.pid === pid).map((l) => unitOf.get(l.object)));
      for (const l of links) if (mine.has(unitOf.get(l.object)) && !found.includes(l.pid)) queue.push(l.pid);
    }
  }
  return found;
}

/** Across from those it shares things with; then wherever there is more room. @param {number} pid @param {Link[]} links @param {Map<string, string>} unitOf @param {Map<number, Side>} sides @returns {Side} */
function vote(pid, links, unitOf, sides) {
  let right = 0;
  for (const mine of links.filter((l) => l.pid === pid))
    for (const l of links) {
      if (l.pid === pid || unitOf.get(l.object) !== unitOf.get(mine.object)) continue;
      const weight = opposite(mine, l) ? 3 : 1;
      const side = sides.get(l.pid);
      if (side) right += side === "left" ? weight : -weight;
    }
  if (right) return right > 0 ? "right" : "left";
  const lefts = [...sides.values()].filter((s) => s === "left").length;
  return lefts > sides.size - lefts ? "right" : "left";
}

/** @param {Link} a @param {Link} b */
function opposite(a, b) {
  return (a.role === "write" && b.role === "read") || (a.role === "read" && b.role === "write") || a.object !== b.object;
}

/** @typedef {{key: string, height: number, column: "left"|"middle"|"right", pid?: number, unit?: Unit}} Item */

/** @param {Scene} scene @param {Link[]} links @param {Unit[]} units @param {Map<number, Side>} sides @returns {Item[]} */
function measure(scene, links, units, sides) {
  /** @type {Item[]} */
  const people = scene.processes.map((p) => ({
    key: `p${p.pid}`,
    pid: p.pid,
    column: /** @type {Side} */ (sides.get(p.pid)),
    height: processHeight(p, portsOf(p.pid, links).length),
  }));
  return [...people, ...units.map((unit) => ({ key: unit.key, unit, column: /** @type {const} */ ("middle"), height: unit.height }))];
}

/** One port for each link; a port without a number is a hold that needs no descriptor. @param {number} pid @param {Link[]} links */
function portsOf(pid, links) {
  return links.filter((l) => l.pid === pid);
}

/**
 * Heights for all: what has a place keeps it, what is new goes near what it is joined to.
 * @param {Item[]} items @param {Link[]} links @param {Memory} memory @returns {Map<string, Place>}
 */
function place(items, links, memory) {
  /** @type {Map<string, Place>} */
  const places = new Map();
  for (const item of items) {
    const known = memory.places.get(item.key);
    if (known) places.set(item.key, { ...known, height: Math.max(item.height, known.height) });
  }
  if (!places.size && !memory.places.size) return fresh(items, links);
  for (const column of ["left", "middle", "right"]) makeRoom(items.filter((i) => i.column === column && places.has(i.key)), places);
  for (const item of items) if (!places.has(item.key)) settle(item, items, links, places);
  return places;
}

/** The first picture: every column in the order of its neighbours, centred on them. @param {Item[]} items @param {Link[]} links */
function fresh(items, links) {
  /** @type {Map<string, Place>} */
  const places = new Map();
  const columns = ["middle", "left", "right"].map((c) => items.filter((i) => i.column === c));
  for (const column of columns) stack(column, column.map((_, i) => i), places);
  for (let pass = 0; pass < 3; pass++)
    for (const column of [columns[1], columns[2], columns[0]]) stack(column, column.map((i) => wish(i, items, links, places)), places);
  const top = Math.min(...[...places.values()].map((p) => p.y));
  for (const p of places.values()) p.y = Math.round(p.y + GAP.top - top);
  return places;
}

/** The mean height of what an item is joined to. @param {Item} item @param {Item[]} items @param {Link[]} links @param {Map<string, Place>} places */
function wish(item, items, links, places) {
  const keys = neighbours(item, items, links);
  const centres = keys.map((k) => places.get(k)).filter((p) => p != null).map((p) => p.y + p.height / 2);
  const own = places.get(item.key);
  if (!centres.length) return own ? own.y + own.height / 2 : 1e6;
  return centres.reduce((a, b) => a + b, 0) / centres.length;
}

/** @param {Item} item @param {Item[]} items @param {Link[]} links */
function neighbours(item, items, links) {
  if (item.unit) {
    const ids = new Set(item.unit.objects.map((o) => o.id));
    return links.filter((l) => ids.has(l.object)).map((l) => `p${l.pid}`);
  }
  const held = new Set(links.filter((l) => l.pid === item.pid).map((l) => l.object));
  return items.filter((i) => i.unit?.objects.some((o) => held.has(o.id))).map((i) => i.key);
}

/** Stack a column in the order of wishes, as near to them as boxes allow. @param {Item[]} column @param {number[]} wishes @param {Map<string, Place>} places */
function stack(column, wishes, places) {
  const order = column.map((_, i) => i).sort((a, b) => wishes[a] - wishes[b] || a - b);
  const total = order.reduce((n, i) => n + column[i].height + GAP.row, -GAP.row);
  const centre = wishes.length ? wishes.reduce((a, b) => a + b, 0) / wishes.length : 0;
  let floor = -Infinity;
  const ys = order.map((i) => {
    const y = Math.max(wishes[i] - column[i].height / 2, floor);
    floor = y + column[i].height + GAP.row;
    return y;
  });
  const drift = order.length ? (ys[0] + floor - GAP.row) / 2 - centre : 0;
  const spread = floor - GAP.row - ys[0] > total + 0.5;
  order.forEach((i, n) => places.set(column[i].key, { y: ys[n] - (spread ? 0 : drift), height: column[i].height, column: column[i].column }));
}

/** A box that grew pushes down those below it. @param {Item[]} column @param {Map<string, Place>} places */
function makeRoom(column, places) {
  const boxes = column.map((i) => /** @type {Place} */ (places.get(i.key))).sort((a, b) => a.y - b.y);
  for (let i = 1; i < boxes.length; i++) boxes[i].y = Math.max(boxes[i].y, boxes[i - 1].y + boxes[i - 1].height + GAP.row);
}

/** The free place in its column that is nearest to its wish. @param {Item} item @param {Item[]} items @param {Link[]} links @param {Map<string, Place>} places */
function settle(item, items, links, places) {
  const taken = items
    .filter((i) => i.column === item.column && places.has(i.key))
    .map((i) => /** @type {Place} */ (places.get(i.key)))
    .sort((a, b) => a.y - b.y);
  const wished = wish(item, items, links, places) - item.height / 2;
  const starts = [GAP.top, wished, ...taken.map((t) => t.y + t.height + GAP.row), ...taken.map((t) => t.y - GAP.row - item.height)];
  const free = starts.filter(
    (y) => y >= GAP.top && y < 1e5 && taken.every((t) => y + item.height + GAP.row <= t.y + 0.1 || y >= t.y + t.height + GAP.row - 0.1),
  );
  const best = free.sort((a, b) => Math.abs(a - wished) - Math.abs(b - wished))[0];
  places.set(item.key, { y: best, height: item.height, column: item.column });
}

/**
 * @param {Scene} scene @param {Link[]} links @param {Item[]} items
 * @param {Map<string, Place>} places @param {Map<number, Side>} sides @param {Memory} memory
 * @returns {Layout}
 */
function build(scene, links, items, places, sides, memory) {
  const x = columnsAt(memory.fixed ? [...items, ...memory.places.values()] : items);
  const processes = items.filter((i) => i.pid != null).map((i) => processBox(i, scene, places, x));
  const boxes = items.filter((i) => i.unit).map((i) => objectBox(i, links, places, x, sides, memory));
  const lines = connect(scene, links, processes, boxes);
  const remembered = stillFree(memory, places);
  const bottom = Math.max(0, ...[...(memory.fixed ? remembered : places).values()].map((p) => p.y + p.height));
  const overhead = memory.fixed?.below ?? below(lines);
  const kept = {
    sides: new Map([...memory.sides, ...sides]),
    fixed: memory.fixed,
    places: remembered,
    pairs: new Map([...memory.pairs, ...boxes.flatMap((b) => b.objects.map((o) => /** @type {[string, string[]]} */ ([o.id, [b.key]])))]),
    flows: new Map([...memory.flows, ...boxes.filter((b) => flowScore(b.objects[0].id, links, sides)).map((b) => /** @type {[string, Side]} */ ([b.key, b.flow]))]),
  };
  return { width: x.width, height: bottom + 26 + overhead, processes, objects: boxes, lines, memory: kept };
}

/** Room for the lines that run under everything. @param {import("./lines.js").Line[]} lines */
function below(lines) {
  return Math.max(0, ...lines.map((l) => (l.level ?? -1) + 1)) * LEVEL;
}

/** The places of those who are here, and of those who have gone until somebody stands there. @param {Memory} memory @param {Map<string, Place>} places */
function stillFree(memory, places) {
  const taken = [...places.values()];
  const free = [...memory.places].filter(([key, p]) => !places.has(key) &&
    taken.every((t) => t.column !== p.column || t.y >= p.y + p.height || t.y + t.height <= p.y));
  return new Map([...free, ...places]);
}

/** @param {{column: string}[]} items */
function columnsAt(items) {
  const has = (/** @type {string} */ c) => items.some((i) => i.column === c);
  const left = GAP.margin;
  const middle = left + (has("left") ? PROCESS.width + GAP.gutter : 0);
  const right = middle + (has("middle") ? OBJECT.width + GAP.gutter : has("left") ? -GAP.gutter + 40 : 0);
  const end = has("right") ? right + PROCESS.width : has("middle") ? middle + OBJECT.width + 24 : left + PROCESS.width;
  return { left, middle, right, width: end + GAP.margin };
}

/** @param {Item} item @param {Scene} scene @param {Map<string, Place>} places @param {{left: number, right: number}} x @returns {ProcessBox} */
function processBox(item, scene, places, x) {
  const at = /** @type {Place} */ (places.get(item.key));
  const side = /** @type {Side} */ (item.column);
  const process = /** @type {Thing} */ (scene.processes.find((p) => p.pid === item.pid));
  return { pid: /** @type {number} */ (item.pid), side, process, x: x[side], width: PROCESS.width, y: at.y, height: item.height, ports: [] };
}

/** @param {Item} item @param {Link[]} links @param {Map<string, Place>} places @param {{middle: number}} x @param {Map<number, Side>} sides @param {Memory} memory @returns {ObjectBox} */
function objectBox(item, links, places, x, sides, memory) {
  const at = /** @type {Place} */ (places.get(item.key));
  const unit = /** @type {Unit} */ (item.unit);
  const flow = memory.flows.get(unit.key) ?? (flowScore(unit.objects[0].id, links, sides) < 0 ? "left" : "right");
  const objects = unit.objects.length === 2 && holderSide(unit.objects[0], unit.objects[1], links, sides) ? [unit.objects[1], unit.objects[0]] : unit.objects;
  return { key: unit.key, objects, flow, x: x.middle, width: OBJECT.width, y: at.y, height: item.height };
}

/** Data runs to the side where the readers stand: positive for right, 0 while both ends are on both sides. @param {string} id @param {Link[]} links @param {Map<number, Side>} sides */
function flowScore(id, links, sides) {
  let right = 0;
  for (const l of links) {
    if (l.object !== id || (l.role !== "read" && l.role !== "write")) continue;
    const isLeft = sides.get(l.pid) === "left";
    right += (l.role === "write") === isLeft ? 1 : -1;
  }
  return right;
}

/**
 * A memory with a place for all that is ever in these scenes, and pipes that run as they mostly do.
 * @param {Scene} all  their union @param {Scene[]} scenes @param {Link[]} [used]  who truly wrote and read
 * @returns {Memory}
 */
export function settledMemory(all, scenes, used = []) {
  const { memory } = layout(all);
  const flows = new Map();
  for (const o of all.objects) {
    const held = scenes.reduce((n, s) => n + Math.sign(flowScore(o.id, allLinks(s), memory.sides)), 0);
    const score = flowScore(o.id, used, memory.sides) || held;
    if (score) flows.set(o.id, score > 0 ? "right" : "left");
  }
  const settled = { ...memory, flows };
  return { ...settled, fixed: { below: Math.max(0, ...scenes.map((s) => below(layout(s, settled).lines))) } };
}

/** Should the two ends of a connection change places? @param {Thing} a @param {Thing} b @param {Link[]} links @param {Map<number, Side>} sides */
function holderSide(a, b, links, sides) {
  /** @param {Thing} o */
  const lean = (o) => links.reduce((n, l) => n + (l.object !== o.id ? 0 : sides.get(l.pid) === "left" ? -1 : 1), 0);
  return lean(a) > lean(b);
}
