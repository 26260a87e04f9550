// The lines of a picture: who holds which end, who waits for whom. Pure.

import { curve, corners } from "./routes.js";
import { semaphoreOf } from "./scene.js";
import { OBJECT, PROCESS, SEMAPHORE, THREADS_SHOWN } from "./sizes.js";

/** @typedef {import("./scene.js").Scene} Scene */
/** @typedef {import("./scene.js").Link} Link */
/** @typedef {import("./layout.js").ProcessBox} ProcessBox */
/** @typedef {import("./layout.js").ObjectBox} ObjectBox */
/** @typedef {import("./words.js").Thing} Thing */
/**
 * @typedef {{key: string, pid: number, object: string|null, role: string, path: string, back: string,
 *   pathShort: string, backShort: string, bothShort: string,
 *   waits: ""|"waits"|"awaited"|"both", dead: boolean, level?: number, at?: number}} Line
 * `level`: of a line that runs under everything, how deep.
 * `path` runs from the process to the object, `back` the other way; the short ones leave room for an arrowhead,
 * `bothShort` for one at each end: who waits at a socket may be waited for there, too.
 */

/** @param {Scene} scene @param {Link[]} links @param {ProcessBox[]} processes @param {ObjectBox[]} objects @returns {Line[]} */
export function connect(scene, links, processes, objects) {
  const boxOf = new Map(objects.flatMap((b) => b.objects.map((o) => /** @type {[string, ObjectBox]} */ ([o.id, b]))));
  const anchors = makeAnchors(links, processes, boxOf);
  makePorts(links, processes, anchors);
  const lines = links.map((l) => makeLine(l, processes, anchors, boxOf)).filter((l) => l != null);
  markWaits(scene, lines);
  return [...lines, ...waitsWithoutObject(scene, processes, objects)];
}

/** @typedef {{x: number, y: number, side: "left"|"right", under: boolean, rank: number, top: number}} Anchor  `top`: of its box */

/** @param {Link} link */
function keyOf(link) {
  return `${link.pid} ${link.object} ${link.role} ${link.at ?? ""}`;
}

/** Where each link meets its object. @param {Link[]} links @param {ProcessBox[]} processes @param {Map<string, ObjectBox>} boxOf */
function makeAnchors(links, processes, boxOf) {
  /** @type {Map<string, Anchor>} */
  const anchors = new Map();
  /** @type {Map<string, {link: Link, from: ProcessBox}[]>} */
  const meeting = new Map();
  for (const link of links) {
    const box = boxOf.get(link.object);
    const from = processes.find((p) => p.pid === link.pid);
    if (!box || !from) continue;
    const key = `${box.key} ${sideOf(link, box, from)}`;
    meeting.set(key, [...(meeting.get(key) ?? []), { link, from }]);
  }
  /** @type {Map<string, string[]>} */
  const tracks = new Map();
  for (const group of meeting.values()) spread(group, boxOf, anchors, tracks);
  return anchors;
}

/** The side of the object at which a link ends. @param {Link} link @param {ObjectBox} box @param {ProcessBox} from @returns {"left"|"right"} */
function sideOf(link, box, from) {
  const other = box.flow === "right" ? "left" : "right";
  if (kind(box) === "pipe" || kind(box) === "fifo") {
    if (link.role === "write") return other;
    if (link.role === "read") return box.flow;
  }
  if (box.objects.length === 2) return box.objects[0].id === link.object ? "left" : "right";
  return from.side;
}

/** Between lines that run under everything. */
export const LEVEL = 11;
/** Room for an arrowhead at the end of a thick line. */
const HEAD = 15;
/** Half of a port's dot: a thin arrow ends at its edge. */
const DOT = 5;
const TUBE_MIDDLE = 20;

/** @param {ObjectBox} box */
function kind(box) {
  return box.objects[0].kind;
}

/** @param {{link: Link, from: ProcessBox}[]} group @param {Map<string, ObjectBox>} boxOf @param {Map<string, Anchor>} anchors @param {Map<string, string[]>} tracks  around each box, one for the lines to each of its sides */
function spread(group, boxOf, anchors, tracks) {
  group.sort((a, b) => a.from.y - b.from.y);
  const straight = group.filter((g) => sideOf(g.link, /** @type {ObjectBox} */ (boxOf.get(g.link.object)), g.from) === g.from.side);
  const slots = straight.length + (straight.length < group.length ? 1 : 0);
  group.forEach(({ link, from }) => {
    const box = /** @type {ObjectBox} */ (boxOf.get(link.object));
    const side = sideOf(link, box, from);
    const under = side !== from.side;
    const known = tracks.get(box.key) ?? [];
    if (under && !known.includes(side)) known.push(side);
    tracks.set(box.key, known);
    const rank = Math.max(0, known.indexOf(side));
    const body = box.height - OBJECT.title - (box.objects[0].notes?.length ? 18 : 0);
    const isTube = kind(box) === "pipe" || kind(box) === "fifo";
    const middle = box.y + OBJECT.title + (isTube ? TUBE_MIDDLE : body / 2);
    const step = Math.min(13, (body - 16) / Math.max(1, slots));
    const n = under ? straight.length : straight.findIndex((g) => g.link === link);
    const y = rowOf(link, group, box) ?? middle + (n - (slots - 1) / 2) * step;
    anchors.set(keyOf(link), { x: side === "left" ? box.x : box.x + box.width, y, side, under, rank, top: box.y });
  });
}

/** The height of its semaphore in a set; those that meet there stand beside each other. @param {Link} link @param {{link: Link}[]} group @param {ObjectBox} box @returns {number | null} */
function rowOf(link, group, box) {
  if (link.at == null || link.at >= SEMAPHORE.shown) return null;
  const here = group.filter((g) => g.link.at === link.at).map((g) => g.link);
  return box.y + OBJECT.title + (link.at + 0.45) * SEMAPHORE.row + (here.indexOf(link) - (here.length - 1) / 2) * 14;
}

/** Ports stand on the inner edge, in the order of what they lead to. @param {Link[]} links @param {ProcessBox[]} processes @param {Map<string, Anchor>} anchors */
function makePorts(links, processes, anchors) {
  for (const p of processes) {
    const mine = links.filter((l) => l.pid === p.pid && anchors.has(keyOf(l)));
    mine.sort((a, b) => inOrder(/** @type {Anchor} */ (anchors.get(keyOf(a))), /** @type {Anchor} */ (anchors.get(keyOf(b)))));
    const top = p.y + PROCESS.header + extraRows(p.process);
    p.ports = mine.map((l, i) => ({
      fd: l.fds[0] ?? null,
      label: portLabel(l),
      role: l.role,
      object: l.object,
      at: l.at,
      x: p.side === "left" ? p.x + p.width : p.x,
      y: top + i * PROCESS.port + PROCESS.port / 2,
    }));
  }
}

/** As high as what they lead to; of two to one object, the one that goes around it is the lower: they never cross. @param {Anchor} a @param {Anchor} b */
function inOrder(a, b) {
  return a.top - b.top || Number(a.under) - Number(b.under) || a.y - b.y;
}

/** @param {Thing} process */
function extraRows(process) {
  const threads = (process.threads?.length ?? 0) > 1 ? Math.min(process.threads.length, THREADS_SHOWN + 1) : 0;
  return threads * PROCESS.thread + (process.signals?.pending?.length ? PROCESS.signal : 0);
}

const WITHOUT_FD = /** @type {Record<string, string>} */ ({
  map: "mapped", wait: "waits", last: "used it last", hold: "holds it", able: "could end it", read: "reads", write: "writes", both: "uses",
});

/** @param {Link} link */
function portLabel(link) {
  if (!link.fds.length) return WITHOUT_FD[link.role] ?? "";
  const some = link.fds.length > 3 ? [...link.fds.slice(0, 2), "…"] : link.fds;
  return some.join(", ");
}

/** @param {Link} link @param {ProcessBox[]} processes @param {Map<string, Anchor>} anchors @param {Map<string, ObjectBox>} boxOf @returns {Line | null} */
function makeLine(link, processes, anchors, boxOf) {
  const anchor = anchors.get(keyOf(link));
  const process = processes.find((p) => p.pid === link.pid);
  const port = process?.ports.find((p) => p.object === link.object && p.role === link.role && p.at === link.at);
  const box = boxOf.get(link.object);
  if (!anchor || !process || !port || !box) return null;
  const leave = process.side === "left" ? 1 : -1;
  const around = anchor.under ? aroundBelow(port, anchor, box, leave) : null;
  const into = anchor.side === "left" ? -HEAD : HEAD;
  const home = { x: port.x + leave * (HEAD + 6), y: port.y };
  const short = { x: anchor.x + into, y: anchor.y };
  /** @param {import("./routes.js").Point} a @param {import("./routes.js").Point} b @param {number} way */
  const route = (a, b, way) => {
    if (!around) return curve(a, b, way, way);
    const points = way === leave ? [a, ...around, b] : [a, ...around.toReversed(), b];
    return corners(points);
  };
  return {
    key: keyOf(link), pid: link.pid, object: link.object, role: link.role, waits: "", dead: false, at: link.at,
    path: route(port, anchor, leave), back: route(anchor, { x: port.x + leave * DOT, y: port.y }, -leave),
    pathShort: route(port, short, leave), backShort: route(anchor, home, -leave), bothShort: route(home, short, leave),
  };
}

/** To the far end of an object: along its lower edge, and in from behind. @param {{x: number, y: number}} port @param {Anchor} anchor @param {ObjectBox} box @param {number} leave */
function aroundBelow(port, anchor, box, leave) {
  const near = leave > 0 ? box.x - 26 - anchor.rank * 9 : box.x + box.width + 26 + anchor.rank * 9;
  const far = leave > 0 ? box.x + box.width + 26 + anchor.rank * 9 : box.x - 26 - anchor.rank * 9;
  const below = box.y + box.height + 8 + anchor.rank * 9;
  return [{ x: near, y: port.y }, { x: near, y: below }, { x: far, y: below }, { x: far, y: anchor.y }];
}

/** Waits run along the lines that are there: out to the object, and on to whoever could end them, at the other end of a connection. @param {Scene} scene @param {Line[]} lines */
function markWaits(scene, lines) {
  for (const wait of scene.waits) {
    if (!wait.object) continue;
    const out = waiterLine(wait, scene, lines);
    const peer = scene.objects.find((o) => o.id === wait.object)?.peer;
    if (out) mark(out, "waits", isDead(scene, wait.pid, wait.pid));
    for (const pid of wait.for ?? []) {
      const able = (/** @type {string | null | undefined} */ id) => lines.find((l) => l.pid === pid && l.object === id && l !== out && fits(l, out));
      const line = (peer && able(peer)) || able(wait.object);
      if (line) mark(line, "awaited", isDead(scene, wait.pid, pid));
    }
  }
}

/** @param {Thing} wait @param {Scene} scene @param {Line[]} lines */
function waiterLine(wait, scene, lines) {
  const process = scene.processes.find((p) => p.pid === wait.pid);
  const thread = process?.threads?.find((/** @type {Thing} */ t) => t.tid === wait.tid);
  const call = thread?.blocked?.call ?? process?.blocked?.call ?? "";
  const writes = /^(write|send|splice|vmsplice|tee|open)/.test(call);
  const mine = lines.filter((l) => l.pid === wait.pid && l.object === wait.object);
  const sleeper = mine.find((l) => l.role === "wait" && l.at === semaphoreOf(scene, wait));
  if (sleeper) return sleeper;
  return mine.find((l) => l.role === (writes ? "write" : "read")) ?? mine[0];
}

/** A reader waits for a write end, a writer for a read end, and who waits for a semaphore for who used that one last. @param {Line} line @param {Line | undefined} out */
function fits(line, out) {
  if (out?.role === "read") return line.role === "write";
  if (out?.role === "write") return line.role === "read";
  if (out?.at != null) return line.role !== "wait" && (line.at == null || line.at === out.at);
  return true;
}

/** @param {Line} line @param {"waits"|"awaited"} how @param {boolean} dead */
function mark(line, how, dead) {
  line.waits = line.waits && line.waits !== how ? "both" : how;
  line.dead ||= dead;
}

/** @param {Scene} scene @param {number} a @param {number} b */
function isDead(scene, a, b) {
  return scene.deadlocks.some((d) => d.processes.includes(a) && d.processes.includes(b));
}

/** Waiting for a child: straight from box to box, or around the picture. @param {Scene} scene @param {ProcessBox[]} processes @param {ObjectBox[]} objects @returns {Line[]} */
function waitsWithoutObject(scene, processes, objects) {
  /** @type {Line[]} */
  const lines = [];
  const deepest = Math.max(0, ...[...processes, ...objects].map((b) => b.y + b.height));
  /** Those who wait for somebody on the other side, each with a level of its own under everything. @type {number[]} */
  const levels = [];
  for (const wait of scene.waits) {
    if (wait.object) continue;
    for (const pid of wait.for ?? []) {
      const from = processes.find((p) => p.pid === wait.pid);
      const to = processes.find((p) => p.pid === pid);
      if (!from || !to || from === to) continue;
      const overhead = from.side !== to.side;
      if (overhead && !levels.includes(wait.pid)) levels.push(wait.pid);
      const level = levels.indexOf(wait.pid);
      const points = overhead ? beneath(from, to, deepest + 18 + level * LEVEL, processes) : besides(from, to, processes);
      const dead = isDead(scene, wait.pid, pid);
      const last = points[points.length - 1];
      const before = points[points.length - 2];
      const back = (/** @type {number} */ d) => Math.sign(d) * (HEAD + 2);
      const short = corners([...points.slice(0, -1), { x: last.x + back(before.x - last.x), y: last.y + back(before.y - last.y) }]);
      const key = `${wait.pid} for ${pid} ${wait.tid}`;
      lines.push({ key, pid: wait.pid, object: null, role: "child", path: short, back: short, pathShort: short, backShort: short, bothShort: short, waits: "waits", dead, ...(overhead ? { level } : {}) });
    }
  }
  return lines;
}

/** Down (or up) the column; around what stands between. @param {ProcessBox} from @param {ProcessBox} to @param {ProcessBox[]} all */
function besides(from, to, all) {
  const down = from.y < to.y;
  const between = all.some((p) => p.side === from.side && p !== from && p !== to && (down ? p.y > from.y && p.y < to.y : p.y < from.y && p.y > to.y));
  if (between) {
    const edge = outer(from);
    return [{ x: edge.x, y: from.y + 30 }, { x: edge.lane, y: from.y + 30 }, { x: edge.lane, y: to.y + 30 }, { x: edge.x, y: to.y + 30 }];
  }
  const x = from.x + 40;
  return [{ x, y: down ? from.y + from.height : from.y }, { x, y: down ? to.y : to.y + to.height }];
}

/** Under everything. @param {ProcessBox} from @param {ProcessBox} to @param {number} level @param {ProcessBox[]} all */
function beneath(from, to, level, all) {
  const [a, b] = [from, to].map((p) => {
    const free = !all.some((o) => o.side === p.side && o.y > p.y);
    if (free) return [{ x: p.x + p.width / 2, y: p.y + p.height }, { x: p.x + p.width / 2, y: level }];
    const edge = outer(p);
    return [{ x: edge.x, y: p.y + 30 }, { x: edge.lane, y: p.y + 30 }, { x: edge.lane, y: level }];
  });
  return [...a, ...b.reverse()];
}

/** The edge of a box that no object stands at, and the lane beside it. @param {ProcessBox} p */
function outer(p) {
  return p.side === "left" ? { x: p.x, lane: p.x - 24 } : { x: p.x + p.width, lane: p.x + p.width + 24 };
}
