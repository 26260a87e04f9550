import assert from "node:assert/strict";
import test from "node:test";

import { clean, doing, ending, levels, line, sentence, tokens, waiting } from "../../labkit/ui/words.js";
import { fit, fitEnd, fitOne, inTwo, width } from "../../labkit/ui/widths.js";
import { scenes } from "./scenes.js";

const bytes = (/** @type {string} */ text) => new TextEncoder().encode(text);

test("text is shown as text and other bytes as hex", () => {
  assert.deepEqual(tokens(bytes("a b\n")).map((t) => t.text), ["a", "␣", "b", "↵"]);
  assert.deepEqual(tokens(Uint8Array.of(0xff, 0x01)).map((t) => [t.text, t.hex]), [["ff", true], ["01", true]]);
});

test("a letter of several bytes is one token that knows its size", () => {
  assert.deepEqual(tokens(bytes("ü你")).map((t) => [t.text, t.bytes]), [["ü", 2], ["你", 3]]);
});

test("half a letter at the end is shown as the byte it is", () => {
  assert.deepEqual(tokens(bytes("ü").slice(0, 1)).map((t) => t.text), ["c3"]);
});

test("signs that turn the direction of writing never come from bytes", () => {
  for (const token of tokens(bytes("\u202e\u200f\u2066\ufeff"))) assert.ok(token.hex);
});

test("a name cannot hold control characters or turn the direction of writing", () => {
  assert.equal(clean("\x1b[31m\u202eabc\x00\x7f\u2067"), "␛[31m\ufffdabc␀\ufffd\ufffd");
});

test("a cut text is no wider than it may be and says that it is cut", () => {
  assert.equal(fit("abc", 50, 10), "abc");
  assert.equal(fit("abcdefghij", 50, 10, "mono"), "abcdefg…");
  assert.equal(fitEnd("/a/long/path.txt", 50, 10, "mono"), "…ath.txt");
  for (const words of ["iiiiiiiiiiiiiiiiiiii", "mmmmmmmmmm", "漢字漢字漢字漢字", "ЖЖЖЖЖЖЖЖ", "😀😀😀😀😀😀"]) {
    assert.ok(width(fit(words, 50, 10, "bold"), 10, "bold") <= 50, words);
    assert.match(fit(words, 50, 10), /…$/u);
  }
  assert.equal(fit("漢字漢字", 50, 10), "漢字漢字", "a wide letter is as wide as the font is high");
});

test("of several wordings the longest that has room is taken, and a long one stands in two lines", () => {
  assert.equal(fitOne(["waiting in wait4 for a child", "waiting in wait4"], 120, 10), "waiting in wait4");
  assert.equal(fitOne(["waiting in wait4 for a child", "waiting in wait4"], 200, 10), "waiting in wait4 for a child");
  assert.deepEqual(inTwo("ended with status 3, not yet waited for", 120, 10), ["ended with status 3,", "not yet waited for"]);
  assert.equal(inTwo("x".repeat(99), 120, 10).length, 1);
});

test("mostly binary content is one line of hex, text one line of text", () => {
  assert.equal(line(Uint8Array.of(1, 2, 255), 40), "01 02 ff");
  assert.equal(line(bytes("hello\n"), 40), "hello↵");
});

test("what a process does is said in words", () => {
  assert.equal(doing(scenes.crossed.processes[0]), "waiting in read(3)");
  assert.equal(waiting({ call: "poll", on: [{ fd: 4 }, { fd: 7 }], timed: true }), "waiting in poll(4, 7), with a time limit");
  assert.equal(waiting({ call: "clock_nanosleep", timed: true }), "sleeping in clock_nanosleep");
  assert.equal(waiting({ call: "wait4" }), "waiting in wait4 for a child");
  assert.equal(doing({ state: "zombie", exit: 3 }), "ended with status 3, not yet waited for");
  assert.equal(ending(-9), "ended by signal SIGKILL");
});

test("what is not known is said to be not visible, never 0", () => {
  for (const o of scenes.unknown.objects) assert.match(levels(o), /not visible|not known/, o.kind);
});

test("every kind of object is told to a screen reader by kind, name and level", () => {
  for (const scene of Object.values(scenes))
    for (const o of scene.objects) assert.ok(sentence(o).includes(clean(o.name)), o.kind);
  assert.equal(sentence(scenes.pipe.objects[0]), "pipe 1: 11 of 65,536 bytes, begins with hello world");
});
