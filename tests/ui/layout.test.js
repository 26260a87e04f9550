import assert from "node:assert/strict";
import test from "node:test";

import { layout, settledMemory } from "../../labkit/ui/layout.js";
import { union } from "../../labkit/ui/film.js";
import { fold } from "../../labkit/ui/fold.js";
import { emptyScene } from "../../labkit/ui/scene.js";
import { scenes } from "./scenes.js";

/** @param {any} a @param {any} b */
const apart = (a, b) => a.x + a.width <= b.x || b.x + b.width <= a.x || a.y + a.height <= b.y || b.y + b.height <= a.y;

for (const [name, scene] of Object.entries(scenes))
  test(`no two boxes of "${name}" overlap, and all lie inside the picture`, () => {
    const plan = layout(fold(scene));
    const boxes = [...plan.processes, ...plan.objects];
    for (const [i, a] of boxes.entries()) {
      for (const b of boxes.slice(i + 1)) assert.ok(apart(a, b), `${JSON.stringify(a).slice(0, 80)} overlaps`);
      assert.ok(a.x >= 0 && a.y >= 0 && a.x + a.width <= plan.width && a.y + a.height <= plan.height);
    }
  });

for (const [name, scene] of Object.entries(scenes))
  test(`the same scene of "${name}" stands where it stood`, () => {
    const first = layout(scene);
    const again = layout(scene, first.memory);
    assert.deepEqual(again.processes, first.processes);
    assert.deepEqual(again.objects, first.objects);
  });

test("writer and reader stand on opposite sides, and data runs from one to the other", () => {
  const plan = layout(scenes.pipe);
  const [parent, child] = plan.processes;
  assert.deepEqual([parent.side, child.side, plan.objects[0].flow], ["left", "right", "right"]);
});

test("the answer's pipe runs the other way", () => {
  const plan = layout(scenes.crossed);
  assert.deepEqual(plan.objects.map((o) => [o.key, o.flow]).sort(), [["pipe-1", "right"], ["pipe-2", "left"]]);
});

test("a deadlock's waits are a closed loop of lines", () => {
  const lines = layout(scenes.crossed).lines.filter((l) => l.dead);
  assert.deepEqual(lines.map((l) => [l.pid, l.object, l.waits]).sort(), [
    [12, "pipe-1", "awaited"], [12, "pipe-2", "waits"], [13, "pipe-1", "waits"], [13, "pipe-2", "awaited"]]);
});

test("three at a table of three forks wait in a circle, each at the fork that the next one took", () => {
  const set = { id: "s", kind: "sysv-sem", name: "forks", notes: [], values: [0, 0, 0], waiting: [1, 1, 1], waiting_zero: [0, 0, 0], last: [1, 2, 3] };
  const one = (/** @type {number} */ pid) => ({ ...scenes.pipe.processes[0], pid, threads: [], descriptors: [], blocked: { call: "semop", fd: null, object: "s", on: [], operations: [[pid % 3, -1]] } });
  const waits = [1, 2, 3].map((pid) => ({ pid, tid: pid, object: "s", for: [(pid % 3) + 1] }));
  const { lines, processes, objects } = layout({ ...emptyScene(), processes: [1, 2, 3].map(one), objects: [set], waits, deadlocks: [{ processes: [1, 2, 3], because: "" }] });
  assert.deepEqual(lines.map((l) => `${l.pid} ${l.waits} at ${l.at}`).sort(),
    ["1 awaited at 0", "1 waits at 1", "2 awaited at 1", "2 waits at 2", "3 awaited at 2", "3 waits at 0"]);
  assert.ok(lines.every((l) => l.dead));
  assert.ok(processes.every((p) => p.ports.length === 2));
  const ends = lines.map((l) => [l.at ?? 0, Number(l.path.split(" ").at(-1)) - objects[0].y]);
  for (const [at, y] of ends) assert.ok(y > 26 + at * 34 && y < 26 + (at + 1) * 34, `${y} is not beside row ${at}`);
});

test("two at the ends of a connection who wait for each other are joined by arrows both ways", () => {
  const one = (/** @type {number} */ pid) => ({ ...scenes.pipe.processes[0], pid, threads: [], descriptors: [{ fd: 3, object: `s-${pid}`, mode: "rw", flags: [] }], blocked: { call: "recv", fd: 3, object: `s-${pid}`, on: [] } });
  const socket = (/** @type {string} */ id, /** @type {string} */ peer) => ({ id, peer, kind: "unix-socket", name: id, notes: [] });
  const waits = [{ pid: 1, tid: 1, object: "s-1", for: [2] }, { pid: 2, tid: 2, object: "s-2", for: [1] }];
  const { lines } = layout({ ...emptyScene(), processes: [one(1), one(2)], objects: [socket("s-1", "s-2"), socket("s-2", "s-1")], waits });
  assert.deepEqual(lines.map((l) => `${l.pid} ${l.waits}`), ["1 both", "2 both"]);
});

test("a reader that holds the only write end waits for itself", () => {
  const lines = layout(scenes.forgotten).lines;
  assert.deepEqual(lines.map((l) => [l.role, l.waits, l.dead]).sort(), [["read", "waits", true], ["write", "awaited", true]]);
});

test("waiting for a child is a line of its own", () => {
  const line = layout(scenes.pipe).lines.find((l) => l.object === null);
  assert.equal(line?.waits, "waits");
});

test("boxes keep their place when others come and go", () => {
  const first = layout(scenes.pipe);
  const more = { ...scenes.pipe, processes: [...scenes.pipe.processes, { ...scenes.pipe.processes[1], pid: 99, name: "late" }] };
  const second = layout(more, first.memory);
  const third = layout(scenes.pipe, second.memory);
  for (const plan of [second, third])
    for (const p of first.processes) {
      const same = plan.processes.find((q) => q.pid === p.pid);
      assert.deepEqual([same?.x, same?.y], [p.x, p.y]);
    }
});

test("one that comes back finds its place again", () => {
  const both = layout(scenes.pipe);
  const one = layout({ ...scenes.pipe, processes: scenes.pipe.processes.slice(0, 1) }, both.memory);
  const back = layout(scenes.pipe, one.memory);
  assert.deepEqual(back.processes.map((p) => p.y), both.processes.map((p) => p.y));
});

test("a pipe whose ends are on both sides is turned once it is known which way it runs", () => {
  const [parent, child] = scenes.crossed.processes;
  const ends = (/** @type {any[]} */ list) => list.map(([fd, object, mode]) => ({ fd, object, mode, flags: [], offset: null, description: null }));
  const all = [[3, "pipe-2", "r"], [4, "pipe-1", "w"], [5, "pipe-2", "w"], [6, "pipe-1", "r"]];
  const forked = { ...emptyScene(), objects: scenes.crossed.objects, processes: [{ ...parent, descriptors: ends(all) }, { ...child, descriptors: ends(all) }] };
  const first = layout(forked);
  const second = layout(scenes.crossed, first.memory);
  assert.equal(second.objects.find((o) => o.key === "pipe-2")?.flow, "left");
});

test("who waits at one end of a connection waits for the other end, also of those who hold both; what goes around shares a track", () => {
  const ends = [{ fd: 3, object: "s-1", mode: "rw", flags: [] }, { fd: 4, object: "s-2", mode: "rw", flags: [] }];
  const one = (/** @type {number} */ pid) => ({ ...scenes.pipe.processes[0], pid, descriptors: ends, blocked: pid === 1 ? { call: "recv", fd: 3, object: "s-1", on: [] } : null });
  const socket = (/** @type {string} */ id, /** @type {string} */ peer) => ({ id, peer, kind: "unix-socket", name: id, notes: [] });
  const scene = { ...emptyScene(), processes: [1, 2, 3, 4, 5].map(one), objects: [socket("s-1", "s-2"), socket("s-2", "s-1")], waits: [{ pid: 1, tid: 1, object: "s-1", for: [1, 2, 3, 4, 5] }] };
  const { lines, objects } = layout(scene);
  assert.deepEqual(lines.filter((l) => l.waits).map((l) => `${l.pid} ${l.object} ${l.waits}`).sort(),
    ["1 s-1 waits", "1 s-2 awaited", "2 s-2 awaited", "3 s-2 awaited", "4 s-2 awaited", "5 s-2 awaited"]);
  const [box] = objects;
  const runs = lines.flatMap((l) => [...l.path.matchAll(/(\S+) (\S+) L(\S+) (\S+)/g)].filter((m) => m[2] === m[4] && Math.abs(Number(m[3]) - Number(m[1])) > box.width / 2));
  const deepest = Math.max(...runs.map((m) => Number(m[4]) - box.y - box.height));
  assert.equal(deepest, 17, "two tracks, clear of what stands below");
});

test("in a film everything has its place from the first frame", () => {
  const a = { ...scenes.pipe, processes: scenes.pipe.processes.slice(0, 1) };
  const memory = settledMemory(union([a, scenes.pipe]), [a, scenes.pipe]);
  assert.equal(layout(a, memory).height, layout(scenes.pipe, memory).height);
  assert.equal(layout(a, memory).processes[0].y, layout(scenes.pipe, memory).processes[0].y);
});

test("terminals and other standard output are not drawn, and files that are only that are not", () => {
  assert.deepEqual(layout(scenes.pipe).objects.map((o) => o.key), ["pipe-1"]);
});

test("forty workers fold into one box that says what they do", () => {
  const folded = fold(scenes.multitude);
  assert.equal(folded.processes.length, 2);
  assert.match(folded.processes[1].words, /40 in accept4/);
  assert.equal(fold(scenes.multitude, new Set([String(folded.processes[1].pid)])).processes.length, 41);
});

test("whoever is in a deadlock is never folded away", () => {
  const deadlocks = [{ processes: [217], because: "" }];
  assert.ok(fold({ ...scenes.multitude, deadlocks }).processes.some((p) => p.pid === 217));
});

test("fifteen processes and thirty objects are not folded", () => {
  assert.equal(fold(scenes.crowd), scenes.crowd);
});

test("a hundred pipes fold, and those that somebody waits on stay", () => {
  const objects = Array.from({ length: 100 }, (_, i) => ({ id: `pipe-${i}`, kind: "pipe", name: `pipe ${i}`, notes: [], readers: [], writers: [], queued: 0, capacity: 65536 }));
  const process = { ...scenes.pipe.processes[0], descriptors: objects.map((o, i) => ({ fd: 3 + i, object: o.id, mode: "w", flags: [] })), blocked: { call: "write", fd: 80, object: "pipe-77", on: [] } };
  const folded = fold({ ...emptyScene(), processes: [process], objects });
  assert.ok(folded.objects.length <= 30);
  assert.ok(folded.objects.some((o) => o.id === "pipe-77"));
  assert.ok(folded.objects.some((o) => o.kind === "group" && /more pipes/.test(o.name)));
});

test("lines never contain what is not a number", () => {
  for (const scene of Object.values(scenes))
    for (const line of layout(scene).lines) assert.doesNotMatch(line.path + line.back + line.pathShort, /NaN|undefined|Infinity/);
});
