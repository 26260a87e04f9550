import assert from "node:assert/strict";
import test from "node:test";

import { lanes, nextWait, outputUpTo, unpack, uses } from "../../labkit/ui/film.js";
import { apply, emptyScene } from "../../labkit/ui/scene.js";
import { tableLayout } from "../../labkit/ui/tables.js";
import { scenes } from "./scenes.js";

const frames = [
  { who: "parent", blocked: false }, { who: "parent", blocked: true }, { who: "child", blocked: false, result: -9 },
  { who: "parent", blocked: false }, { who: "child", blocked: true },
];

test("a lane for each process, with its waits from begin to end", () => {
  const [parent, child] = lanes(frames);
  assert.deepEqual([parent.who, parent.marks.map((m) => m.n), parent.waits], ["parent", [0, 1, 3], [{ from: 1, to: 3 }]]);
  assert.deepEqual([child.marks.map((m) => m.failed), child.waits], [[true, false], [{ from: 4, to: 5 }]]);
});

test("the next wait is found forwards and backwards", () => {
  assert.deepEqual([nextWait(frames, 0), nextWait(frames, 1), nextWait(frames, 4), nextWait(frames, 4, -1)], [1, 4, -1, 1]);
});

test("output is what had been written by then, and all of it at the end", () => {
  const film = { frames, output: [{ text: "a", frame: 1 }, { text: "b", frame: 4 }, { text: "c", frame: 5 }] };
  const upTo = (/** @type {number} */ n) => outputUpTo(film, n).map((o) => o.text).join("");
  assert.deepEqual([upTo(0), upTo(2), upTo(4)], ["a", "a", "abc"]);
});

test("a change touches only what it names", () => {
  const old = scenes.pipe;
  const now = apply(old, { objects: { "pipe-1": { queued: 3 } } });
  assert.equal(now.objects[0].queued, 3);
  assert.equal(now.objects[0].head, old.objects[0].head);
  assert.equal(now.processes, old.processes);
  assert.equal(now.objects[1], old.objects[1]);
});

test("a change can take away, add and set the order", () => {
  const now = apply(scenes.pipe, { processes: { 12: null, 14: { pid: 14, name: "new" } }, order: { processes: [14, 13] } });
  assert.deepEqual(now.processes.map((p) => p.pid), [14, 13]);
});

test("packed scenes share what did not change", () => {
  const first = { version: 1, ...emptyScene(), ...scenes.pipe };
  const [a, b, c] = unpack([first, null, { objects: { "pipe-1": { queued: 1 } } }]);
  assert.equal(a, b);
  assert.equal(c.processes, b.processes);
  assert.equal(c.objects[0].queued, 1);
});

test("descriptors that share an open file description lead to one box", () => {
  const plan = tableLayout(scenes.pipe);
  assert.equal(plan.tables.length, 2);
  assert.equal(plan.descriptions.size, 3);
});

test("who wrote into what is taken from the calls", () => {
  const calls = [{ call: "write", text: 'parent: write(4, "x", 1) = 1', pid: 12, scene: 0 }, { call: "close", text: "parent: close(4) = 0", pid: 12, scene: 0 }];
  assert.deepEqual(uses(calls, [scenes.pipe]), [{ pid: 12, object: "pipe-1", role: "write", fds: [4] }]);
});
