// A Scene as it travels and as it is read: changes, and who touches what. Pure: no DOM.

/** @typedef {import("./words.js").Thing} Thing */
/** @typedef {{processes: Thing[], objects: Thing[], waits: Thing[], deadlocks: Thing[], limits: Thing[]}} Scene */
/** @typedef {"write"|"read"|"both"|"map"|"wait"|"last"|"hold"|"able"} Role */
/** @typedef {{pid: number, object: string, role: Role, fds: number[], at?: number}} Link  `at`: which semaphore of a set */

/** @returns {Scene} */
export function emptyScene() {
  return { processes: [], objects: [], waits: [], deadlocks: [], limits: [] };
}

/**
 * The scene after a change. What did not change stays the same JavaScript object, so that
 * whoever draws can tell by `===`.
 * @param {Scene} scene
 * @param {Thing} change  `{processes: {pid: {...}|null}, objects: {id: {...}|null}, order, waits, deadlocks, limits}`
 * @returns {Scene}
 */
export function apply(scene, change) {
  return {
    processes: merge(scene.processes, change.processes, "pid", change.order?.processes),
    objects: merge(scene.objects, change.objects, "id", change.order?.objects),
    waits: change.waits ?? scene.waits,
    deadlocks: change.deadlocks ?? scene.deadlocks,
    limits: change.limits ?? scene.limits,
  };
}

/**
 * @param {Thing[]} old @param {Record<string, Thing | null> | undefined} changes @param {string} key
 * @param {(string|number)[] | undefined} order
 */
function merge(old, changes, key, order) {
  if (!changes && !order) return old;
  const all = new Map(old.map((thing) => [String(thing[key]), thing]));
  for (const [name, part] of Object.entries(changes ?? {})) {
    if (part === null) all.delete(name);
    else all.set(name, { ...all.get(name), ...part });
  }
  const names = order ? order.map(String) : [...all.keys()];
  return names.filter((name) => all.has(name)).map((name) => /** @type {Thing} */ (all.get(name)));
}

const QUIET = new Set(["terminal", "other"]);

/**
 * Is this object drawn as a box of its own? Terminals, and files that are only somebody's standard
 * input, output or error, would be on every picture and say nothing: the descriptor table has them.
 * @param {Scene} scene
 */
export function drawnObjects(scene) {
  const links = allLinks(scene);
  const busy = new Set(scene.waits.map((w) => w.object));
  return scene.objects.filter((o) => {
    if (busy.has(o.id)) return true;
    if (o.kind === "file" && /^\/dev\/(null|zero|u?random|full)$/.test(o.path ?? "")) return false;
    if (o.kind === "file") return links.some((l) => l.object === o.id && l.fds.some((fd) => fd > 2)) || isLocked(scene, o);
    return !QUIET.has(o.kind);
  });
}

/** @param {Scene} scene @param {Thing} file */
function isLocked(scene, file) {
  return scene.objects.some((o) => o.kind === "lock" && o.file === file.id);
}

/** Every hold of a process on an object, one for each direction. @param {Scene} scene @returns {Link[]} */
export function allLinks(scene) {
  /** @type {Map<string, Link>} */
  const found = new Map();
  const kinds = new Map(scene.objects.map((o) => [o.id, o]));
  /** @param {number} pid @param {string|null|undefined} object @param {Role} role @param {number} [fd] @param {number} [at] */
  const add = (pid, object, role, fd, at) => {
    if (object == null || !kinds.has(object)) return;
    const key = `${pid} ${object} ${role} ${at ?? ""}`;
    const link = found.get(key) ?? { pid, object, role, fds: [], ...(at == null ? {} : { at }) };
    if (fd != null && !link.fds.includes(fd)) link.fds.push(fd);
    found.set(key, link);
  };
  for (const p of scene.processes) linksOfProcess(p, add, kinds);
  for (const o of scene.objects) linksOfObject(o, scene, add);
  linksOfSemaphores(scene, add, found);
  linksOfWaits(scene, add, found);
  return [...found.values()].filter((l) => scene.processes.some((p) => p.pid === l.pid));
}

/** @typedef {(pid: number, object: string|null|undefined, role: Role, fd?: number, at?: number) => void} Add */

/** @param {Thing} p @param {Add} add @param {Map<string, Thing>} kinds */
function linksOfProcess(p, add, kinds) {
  for (const d of p.descriptors ?? []) {
    const kind = kinds.get(d.object)?.kind;
    const directed = kind === "pipe" || kind === "fifo";
    if (directed && d.mode === "rw") {
      add(p.pid, d.object, "write", d.fd);
      add(p.pid, d.object, "read", d.fd);
    } else add(p.pid, d.object, directed ? (d.mode === "w" ? "write" : "read") : "both", d.fd);
  }
  for (const m of p.mappings ?? []) add(p.pid, m.object, "map");
}

/** @param {Thing} o @param {Scene} scene @param {Add} add */
function linksOfObject(o, scene, add) {
  const held = new Set(scene.processes.filter((p) => p.descriptors?.length).map((p) => p.pid));
  for (const end of o.writers ?? []) if (!held.has(end.pid)) add(end.pid, o.id, "write", end.fd);
  for (const end of o.readers ?? []) if (!held.has(end.pid)) add(end.pid, o.id, "read", end.fd);
  for (const pid of o.holders ?? []) add(pid, o.id, "hold");
  if (o.kind === "lock") for (const pid of o.waiting ?? []) add(pid, o.id, "wait");
}

/** Of a set: who waits for which semaphore, and who used that one last. Each is a line of its own: with one line between a process and a set, a circle of waits could not be seen. @param {Scene} scene @param {Add} add @param {Map<string, Link>} found */
function linksOfSemaphores(scene, add, found) {
  const sets = new Map(scene.objects.filter((o) => o.kind === "sysv-sem").map((o) => [o.id, o]));
  for (const wait of scene.waits) {
    const set = sets.get(wait.object);
    if (!set) continue;
    const at = semaphoreOf(scene, wait);
    add(wait.pid, set.id, "wait", undefined, at);
    for (const pid of wait.for ?? []) {
      const used = set.last?.[at ?? 0] === pid;
      add(pid, set.id, used ? "last" : "able", undefined, used ? at : undefined);
    }
  }
  const linked = new Set([...found.values()].map((l) => `${l.pid} ${l.object}`));
  for (const [id, set] of sets) for (const pid of set.last ?? []) if (pid && !linked.has(`${pid} ${id}`)) add(pid, id, "last");
}

/** Which semaphore of a set a thread sleeps on: the first of its operations that is not possible. @param {Scene} scene @param {Thing} wait @returns {number | undefined} */
export function semaphoreOf(scene, wait) {
  const process = scene.processes.find((p) => p.pid === wait.pid);
  const blocked = process?.threads?.find((/** @type {Thing} */ t) => t.tid === wait.tid)?.blocked ?? process?.blocked;
  const values = scene.objects.find((o) => o.id === wait.object)?.values ?? [];
  const operations = blocked?.operations ?? [];
  const stuck = operations.find((/** @type {number[]} */ [n, by]) => (by === 0 ? values[n] > 0 : by < 0 && values[n] + by < 0));
  return (stuck ?? operations[0])?.[0];
}

/** @param {Scene} scene @param {Add} add @param {Map<string, Link>} found */
function linksOfWaits(scene, add, found) {
  const linked = new Set([...found.values()].map((l) => `${l.pid} ${l.object}`));
  const peers = new Map(scene.objects.map((o) => [o.id, o.peer]));
  for (const w of scene.waits)
    for (const pid of [w.pid, ...(w.for ?? [])]) {
      const ends = [w.object, peers.get(w.object)].filter(Boolean);
      if (w.object && !ends.some((id) => linked.has(`${pid} ${id}`))) add(pid, w.object, pid === w.pid ? "wait" : "able");
    }
  for (const p of scene.processes)
    for (const b of [p.blocked, ...(p.threads ?? []).map((/** @type {Thing} */ t) => t.blocked)])
      if (b?.object && !linked.has(`${p.pid} ${b.object}`)) add(p.pid, b.object, "wait");
}

/** Pids that are in some wait that can never end. @param {Scene} scene @returns {Set<number>} */
export function deadlocked(scene) {
  return new Set(scene.deadlocks.flatMap((d) => d.processes));
}
