// More than can be read at a time is folded: children of one program, objects of one kind. Pure.

import { drawnObjects } from "./scene.js";
import { clean, count, kindInWords } from "./words.js";

/** @typedef {import("./scene.js").Scene} Scene */
/** @typedef {import("./words.js").Thing} Thing */

export const MOST = { processes: 15, objects: 30 };
const ALONE = 3;

/**
 * The scene with groups where it is too large. A group has a negative pid, or an id that begins with
 * `group-`; nobody who is in a deadlock is ever folded away.
 * @param {Scene} scene
 * @param {Set<string>} opened  groups not to make: pids and ids as text
 * @returns {Scene}
 */
export function fold(scene, opened = new Set()) {
  const fewer = scene.processes.length > MOST.processes ? foldProcesses(scene, opened) : scene;
  return drawnObjects(fewer).length > MOST.objects ? foldObjects(fewer, opened) : fewer;
}

/** @param {Scene} scene @param {Set<string>} opened @returns {Scene} */
function foldProcesses(scene, opened) {
  const stuck = new Set(scene.deadlocks.flatMap((d) => d.processes));
  /** @type {Map<string, Thing[]>} */
  const families = new Map();
  for (const p of scene.processes) families.set(programOf(p), [...(families.get(programOf(p)) ?? []), p]);
  /** @type {Map<number, number>} */
  const into = new Map();
  /** @type {Thing[]} */
  const shown = [];
  let number = 0;
  for (const [name, family] of families) {
    const pid = -++number;
    const folded = family.slice(1).filter((p) => !stuck.has(p.pid));
    if (folded.length < ALONE || opened.has(String(pid))) shown.push(...family);
    else {
      shown.push(...family.filter((p) => !folded.includes(p)), group(pid, name, folded));
      for (const p of folded) into.set(p.pid, pid);
    }
  }
  return regroup(scene, rest(shown, stuck, into, opened), into);
}

/** Still too many: the last of them become one. @param {Thing[]} shown @param {Set<number>} stuck @param {Map<number, number>} into @param {Set<string>} opened */
function rest(shown, stuck, into, opened) {
  const pid = -1000;
  const tail = shown.slice(MOST.processes - 1).filter((p) => p.pid > 0 && !stuck.has(p.pid));
  if (shown.length <= MOST.processes || tail.length < 2 || opened.has(String(pid)) || opened.size) return shown;
  for (const p of tail) into.set(p.pid, pid);
  return [...shown.filter((p) => !tail.includes(p)), group(pid, "others", tail)];
}

/** @param {Thing} p */
function programOf(p) {
  return String(p.name).split("/")[0];
}

/** One box for many. @param {number} pid @param {string} name @param {Thing[]} members @returns {Thing} */
function group(pid, name, members) {
  const descriptors = members.flatMap((p) => (p.descriptors ?? []).map((/** @type {Thing} */ d) => ({ ...d, description: null })));
  return {
    pid, ppid: null, name: `${name}: ${members.length} more`, members: members.length, words: states(members),
    state: "sleeping", blocked: null, threads: [], descriptors, mappings: members.flatMap((p) => p.mappings ?? []), signals: null,
  };
}

/** `38 waiting, 1 running`. @param {Thing[]} members */
function states(members) {
  /** @type {Map<string, number>} */
  const found = new Map();
  for (const p of members) {
    const word = p.blocked ? `in ${clean(p.blocked.call)}` : clean(p.state);
    found.set(word, (found.get(word) ?? 0) + 1);
  }
  return [...found].sort((a, b) => b[1] - a[1]).map(([word, n]) => `${n} ${word}`).join(", ");
}

/** @param {Scene} scene @param {Thing[]} processes @param {Map<number, number>} into @returns {Scene} */
function regroup(scene, processes, into) {
  const to = (/** @type {number} */ pid) => into.get(pid) ?? pid;
  const ends = (/** @type {Thing[] | undefined} */ list) => list?.map((e) => ({ ...e, pid: to(e.pid) }));
  const objects = scene.objects.map((o) => (o.readers || o.writers ? { ...o, readers: ends(o.readers), writers: ends(o.writers) } : o));
  const waits = new Map(scene.waits.map((w) => {
    const wait = { ...w, pid: to(w.pid), tid: to(w.tid), for: [...new Set((w.for ?? []).map(to))] };
    return [`${wait.pid} ${wait.object} ${wait.for}`, wait];
  }));
  return { ...scene, processes, objects, waits: [...waits.values()] };
}

/** Objects of one kind that nobody waits on become one. @param {Scene} scene @param {Set<string>} opened @returns {Scene} */
function foldObjects(scene, opened) {
  const busy = new Set([...scene.waits.map((w) => w.object), ...scene.processes.map((p) => p.blocked?.object)]);
  const drawn = drawnObjects(scene);
  /** @type {Map<string, Thing[]>} */
  const kinds = new Map();
  for (const o of drawn) if (!busy.has(o.id)) kinds.set(o.kind, [...(kinds.get(o.kind) ?? []), o]);
  /** @type {Map<string, string>} */
  const into = new Map();
  /** @type {Thing[]} */
  const groups = [];
  for (const [kind, members] of [...kinds].sort((a, b) => b[1].length - a[1].length)) {
    const id = `group-${kind}`;
    if (members.length <= ALONE || opened.has(id) || drawn.length - into.size <= MOST.objects) continue;
    const kept = Math.max(0, MOST.objects - (drawn.length - members.length) - 1);
    const folded = members.slice(Math.min(kept, 12));
    for (const o of folded) into.set(o.id, id);
    groups.push({ id, kind: "group", name: count(folded.length, `more ${kindInWords(kind)}`), notes: [], lines: summary(folded) });
  }
  return moved(scene, groups, into);
}

/** @param {Thing[]} members */
function summary(members) {
  const held = members.filter((o) => o.queued).length;
  const names = members.slice(0, 3).map((o) => clean(o.name)).join(", ");
  return [`${names}…`, ...(members.some((o) => "queued" in o) ? [`${count(held, "of them holds", "of them hold")} something`] : []), "click to unfold"];
}

/** @param {Scene} scene @param {Thing[]} groups @param {Map<string, string>} into @returns {Scene} */
function moved(scene, groups, into) {
  const to = (/** @type {string | null} */ id) => (id == null ? id : into.get(id) ?? id);
  const processes = scene.processes.map((p) => ({
    ...p,
    descriptors: p.descriptors?.map((/** @type {Thing} */ d) => ({ ...d, object: to(d.object) })),
    mappings: p.mappings?.map((/** @type {Thing} */ m) => ({ ...m, object: to(m.object) })),
  }));
  return { ...scene, processes, objects: [...scene.objects.filter((o) => !into.has(o.id)), ...groups] };
}
