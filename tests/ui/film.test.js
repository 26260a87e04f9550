import assert from "node:assert/strict";
import test from "node:test";

import { lanes, nextWait, outputUpTo, unpack, uses } from "../../labkit/ui/film.js";
import { motions } from "../../labkit/ui/motion.js";
import { kept } from "../../labkit/ui/pipe.js";
import { apply, emptyScene } from "../../labkit/ui/scene.js";
import { tableLayout } from "../../labkit/ui/tables.js";
import { scenes } from "./scenes.js";

const frames = [
  { who: "parent", blocked: false, call: "clone", text: "parent: fork() = child" }, { who: "parent", blocked: true, call: "read" },
  { who: "child", blocked: false, call: "write", result: -9 }, { who: "parent", blocked: false, call: "read" }, { who: "child", blocked: true, call: "read" },
];

test("a lane for each process, with its waits from begin to end", () => {
  const [parent, child] = lanes(frames, true);
  assert.deepEqual([parent.who, parent.marks.map((m) => m.n), parent.waits], ["parent", [0, 1, 3], [{ from: 1, to: 3, dead: false }]]);
  assert.deepEqual([child.marks.map((m) => m.kind), child.waits], [["failed", "waits"], [{ from: 4, to: 5, dead: true }]]);
  assert.equal(lanes(frames)[1].waits[0].dead, false);
});

test("a lane begins with the fork that made it, and ends with the process", () => {
  const end = (/** @type {string} */ who, /** @type {string} */ text) => ({ who, call: null, result: null, blocked: false, text: `${who}: ${text}` });
  const all = lanes([...frames, end("parent", "gets SIGCHLD, handler runs"), end("child", "is ended by SIGKILL"), end("parent", "exits 0")]);
  assert.deepEqual(all.map((l) => [l.who, l.born, l.ended]), [["parent", 0, 7], ["child", 0, 6]]);
  assert.deepEqual(all.map((l) => l.marks.slice(-2).map((m) => m.kind)), [["signal", "ends"], ["waits", "killed"]]);
});

test("something is seen to go along a line only where it is certain whose it was", () => {
  const line = (/** @type {number} */ pid, /** @type {string} */ object, /** @type {string} */ role) => ({ pid, object, role });
  const lines = [line(1, "pipe-1", "write"), line(2, "pipe-1", "read"), line(3, "pipe-1", "write"), line(1, "s-1", "both"), line(2, "s-2", "both")];
  const pipe = (/** @type {number | null} */ queued) => ({ id: "pipe-1", kind: "pipe", queued });
  const moved = (/** @type {any} */ a, /** @type {any} */ b, /** @type {number} */ who) => motions(a, b, /** @type {any} */ (lines), who).map((m) => [m.line.pid, m.way]);
  assert.deepEqual(moved(pipe(0), pipe(5)), [], "two could have written");
  assert.deepEqual(moved(pipe(0), pipe(5), 3), [[3, "in"]]);
  assert.deepEqual(moved(pipe(0), pipe(5), 2), [], "who made the call cannot write");
  assert.deepEqual(moved(pipe(5), pipe(0)), [[2, "out"]]);
  assert.deepEqual(moved(pipe(5), pipe(5)), []);
  assert.deepEqual(moved(pipe(null), pipe(5)), []);
  const socket = (/** @type {number} */ queued) => ({ id: "s-2", kind: "unix-socket", peer: "s-1", queued });
  assert.deepEqual(moved(socket(0), socket(5)), [[1, "in"]], "through the other end");
  assert.deepEqual(moved(socket(5), socket(0)), [[2, "out"]]);
});

test("bytes that have just come are known from those that were there", () => {
  const pipe = (/** @type {string} */ text) => ({ queued: text.length, head: btoa(text) });
  const after = (/** @type {string} */ before, /** @type {string} */ now) => kept(pipe(before), new TextEncoder().encode(now));
  assert.deepEqual([after("hello", "hello!"), after("hello", "lo and"), after("", "abc"), after("xyz", "abc"), after("abc", "bc")], [5, 2, 0, 0, 2]);
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
