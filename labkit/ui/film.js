// A Film as data: unpacking, lanes, where somebody begins to wait. Pure.

import { apply, emptyScene } from "./scene.js";

/** @typedef {import("./words.js").Thing} Thing */
/** @typedef {import("./scene.js").Scene} Scene */
/** @typedef {{n: number, kind: "call"|"waits"|"failed"|"signal"|"ends"|"killed"}} Mark */
/** @typedef {{who: string, marks: Mark[], waits: {from: number, to: number, dead: boolean}[], born: number, ended: number|null}} Lane  `born`, `ended`: frames */

/**
 * The scenes of a film: the first is whole, each other one is what changed since, null for nothing.
 * What stays the same is the same JavaScript object, so a long film takes little memory.
 * @param {(Thing|null)[]} packed @returns {Scene[]}
 */
export function unpack(packed) {
  /** @type {Scene[]} */
  const scenes = [];
  for (const part of packed) {
    const last = scenes[scenes.length - 1] ?? emptyScene();
    scenes.push(part === null ? last : part.version ? { ...emptyScene(), .../** @type {any} */ (part) } : apply(last, part));
  }
  return scenes;
}

const FORKS = new Set(["fork", "vfork", "clone", "clone3"]);

/**
 * One lane for each process, in the order in which they first act.
 * @param {Thing[]} frames @param {boolean} [stuck]  nobody could go on: the waits that stay open are for ever
 * @returns {Lane[]}
 */
export function lanes(frames, stuck = false) {
  /** @type {Map<string, Lane>} */
  const found = new Map();
  /** @type {Map<string, number>} */
  const forks = new Map();
  frames.forEach((frame, n) => {
    const lane = found.get(frame.who) ?? { who: frame.who, marks: [], waits: [], born: found.size ? forks.get(frame.who) ?? n : 0, ended: null };
    found.set(frame.who, lane);
    const open = lane.waits[lane.waits.length - 1];
    if (open && open.to === Infinity) open.to = n;
    const kind = markOf(frame);
    lane.marks.push({ n, kind });
    lane.ended = kind === "ends" || kind === "killed" ? n : null;
    if (frame.blocked) lane.waits.push({ from: n, to: Infinity, dead: false });
    if (FORKS.has(frame.call)) forks.set(String(frame.text).split("= ").pop() ?? "", n);
  });
  for (const lane of found.values())
    for (const w of lane.waits) {
      w.dead = stuck && w.to === Infinity;
      w.to = Math.min(w.to, frames.length);
    }
  return [...found.values()];
}

/** @param {Thing} frame @returns {Mark["kind"]} */
function markOf(frame) {
  if (frame.blocked) return "waits";
  if ((frame.result ?? 0) < 0) return "failed";
  if (frame.call !== null) return "call";
  const words = String(frame.text).slice(String(frame.who).length + 2);
  if (words.startsWith("gets ")) return "signal";
  return words.startsWith("is ended by ") ? "killed" : "ends";
}

/** Could nobody go on at its end? @param {Thing} film */
export function isStuck(film) {
  return (film.limits ?? []).some((/** @type {Thing} */ l) => l.what === "deadlock");
}

/** The next frame after `n` (before it, for step -1) in which somebody begins to wait; -1 for none. @param {Thing[]} frames @param {number} n @param {1|-1} step */
export function nextWait(frames, n, step = 1) {
  for (let at = n + step; at >= 0 && at < frames.length; at += step) if (frames[at].blocked) return at;
  return -1;
}

/** What had been written to outputs and errors when frame `n` was over. @param {Thing} film @param {number} n @returns {Thing[]} */
export function outputUpTo(film, n) {
  const last = n >= film.frames.length - 1;
  return (film.output ?? []).filter((/** @type {Thing} */ o) => last || o.frame <= n + 1);
}

const WAYS = /** @type {Record<string, import("./scene.js").Role>} */ ({ write: "write", writev: "write", read: "read", readv: "read" });

/** Who wrote into what and read from it, as links. @param {Thing[]} frames @param {Scene[]} scenes @returns {import("./scene.js").Link[]} */
export function uses(frames, scenes) {
  return frames.flatMap((frame) => {
    const role = WAYS[frame.call];
    const fd = Number(/\((\d+)/.exec(frame.text)?.[1]);
    const held = scenes[frame.scene]?.processes.find((p) => p.pid === frame.pid)?.descriptors?.find((/** @type {Thing} */ d) => d.fd === fd);
    return role && held?.object ? [{ pid: frame.pid, object: held.object, role, fds: [fd] }] : [];
  });
}

/** All that is ever in the film, as if at one time: a layout of it has a place for everything. @param {Scene[]} scenes @returns {Scene} */
export function union(scenes) {
  const processes = new Map();
  const objects = new Map();
  for (const scene of new Set(scenes)) {
    for (const p of scene.processes) processes.set(p.pid, together(processes.get(p.pid), p));
    for (const o of scene.objects) objects.set(o.id, largest(objects.get(o.id), o));
  }
  return { ...emptyScene(), processes: [...processes.values()], objects: [...objects.values()], waits: scenes.flatMap((s) => s.waits) };
}

/** @param {Thing | undefined} a @param {Thing} b */
function together(a, b) {
  if (!a || a === b) return b;
  const held = [...(a.descriptors ?? []), ...(b.descriptors ?? [])];
  const descriptors = [...new Map(held.map((d) => [`${d.fd} ${d.object} ${d.mode}`, d])).values()];
  const mapped = [...new Map([...(a.mappings ?? []), ...(b.mappings ?? [])].map((m) => [m.object, m])).values()];
  const threads = (a.threads?.length ?? 0) > (b.threads?.length ?? 0) ? a.threads : b.threads;
  return { ...b, descriptors, mappings: mapped, threads };
}

/** @param {Thing | undefined} a @param {Thing} b */
function largest(a, b) {
  if (!a || a === b) return b;
  const head = (a.head?.length ?? 0) > (b.head?.length ?? 0) ? a.head : b.head;
  return { ...b, peer: b.peer ?? a.peer, head, notes: (a.notes?.length ?? 0) > (b.notes?.length ?? 0) ? a.notes : b.notes };
}
