import assert from "node:assert/strict";
import test from "node:test";

import { sign } from "../../labkit/ui/process.js";

test("each state has a sign of its own, so that colour is never alone", () => {
  const blocked = { call: "read", timed: false };
  const states = [
    sign({ state: "sleeping", blocked }, true),
    sign({ state: "zombie" }, false),
    sign({ state: "stopped" }, false),
    sign({ state: "sleeping", blocked }, false),
    sign({ state: "running" }, false),
  ];
  assert.equal(new Set(states.map((s) => s.mark)).size, states.length);
  assert.equal(new Set(states.map((s) => s.kind)).size, states.length);
});
