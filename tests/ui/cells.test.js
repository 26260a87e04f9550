import assert from "node:assert/strict";
import test from "node:test";

import { cells, dump, FORMS } from "../../labkit/ui/cells.js";

const texts = (/** @type {number[]} */ bytes, /** @type {any} */ form) => cells(Uint8Array.from(bytes), form).map((c) => c.text);

test("text is letters, and hex where it is none", () => {
  assert.deepEqual(texts([104, 105, 32, 0, 255, 10], "text"), ["h", "i", "␣", "·", "ff", "0a"]);
});

test("hex is hex, also where it could be text", () => {
  assert.deepEqual(texts([104, 0, 255], "hex"), ["68", "00", "ff"]);
});

test("integers are little-endian; of one byte unsigned, of more signed", () => {
  const bytes = [1, 2, 0, 0, 0xfe, 0xff, 0xff, 0xff];
  assert.deepEqual(texts(bytes, "1"), ["1", "2", "0", "0", "254", "255", "255", "255"]);
  assert.deepEqual(texts(bytes, "2"), ["513", "0", "−2", "−1"]);
  assert.deepEqual(texts(bytes, "4"), ["513", "−2"]);
  assert.deepEqual(texts(bytes, "8"), ["−8589934079"]);
});

test("the largest and the smallest are exact", () => {
  assert.deepEqual(texts([0, 0, 0, 0, 0, 0, 0, 0x80], "8"), ["−9223372036854775808"]);
  assert.deepEqual(texts([255, 255, 255, 255, 255, 255, 255, 0x7f], "8"), ["9223372036854775807"]);
});

test("what is too short for an integer is shown byte by byte, and no byte is lost", () => {
  for (const [form] of FORMS)
    for (let length = 0; length < 20; length++) {
      const found = cells(new Uint8Array(length).fill(7), form);
      assert.equal(found.reduce((sum, c) => sum + c.bytes, 0), length);
      found.reduce((at, c) => (assert.equal(c.at, at), at + c.bytes), 0);
    }
  assert.deepEqual(texts([1, 0, 0, 0, 9], "4"), ["1", "09"]);
});

test("a part of a larger buffer is read where it lies", () => {
  assert.deepEqual(cells(Uint8Array.of(9, 9, 5, 0).subarray(2), "2").map((c) => c.text), ["5"]);
});

test("a table has an address, the bytes in the form, and text", () => {
  const bytes = Uint8Array.from([...Array(17).keys()].map((n) => n + 60));
  assert.deepEqual(dump(bytes, "8").map((row) => row[0]), ["0000", "0010"]);
  assert.equal(dump(bytes, "hex")[1][1], "4c");
  assert.equal(dump(bytes, "text")[0][1].slice(0, 5), "3c 3d");
  assert.equal(dump(bytes, "1")[0][2], "<=>?@ABCDEFGHIJK");
});
