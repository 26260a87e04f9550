// What can be done with a live picture: freeze it, slow it down, step; stop a program, send a signal.

import { html, set } from "./svg.js";
import { outputTail } from "./tail.js";
import { clean, count } from "./words.js";

/** @typedef {import("./index.js").Model} Model */
/** @typedef {import("./scene.js").Scene} Scene */
/** @typedef {import("./words.js").Thing} Thing */

const SLOW_MS = 400;
const KEPT = 600;
const PATIENCE_MS = 500;
const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP", "SIGUSR1", "SIGUSR2", "SIGALRM", "SIGCHLD", "SIGPIPE", "SIGSTOP", "SIGCONT", "SIGQUIT", "SIGKILL"];

/**
 * Pictures come in by `add` and go out by `next`: at once, slowly, or one by one. Only the picture is
 * held back; the programs run on.
 * @param {Model} model @param {AbortSignal} signal @param {() => void} draw
 */
export function makeControls(model, signal, draw) {
  /** @type {Scene[]} */
  let waiting = [];
  /** @type {Scene | null} */
  let shown = null;
  let mode = "now";
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;
  const state = html("span", { class: "lk-state", role: "status" });
  const freeze = html("button", { type: "button", "aria-pressed": false, title: "hold the picture; the programs run on" }, "freeze");
  const slow = html("button", { type: "button", "aria-pressed": false, title: "show every picture, slowly; the programs run on" }, "slow motion");
  const step = html("button", { type: "button", hidden: true, title: "the next picture" }, "step ▸");
  const behind = html("span", { class: "lk-behind" });
  const element = html("div", { class: "lk-buttons", role: "toolbar", "aria-label": "picture" }, freeze, slow, step, behind);

  /** @param {string} next */
  function become(next) {
    mode = mode === next ? "now" : next;
    set(freeze, { "aria-pressed": mode === "frozen" });
    set(slow, { "aria-pressed": mode === "slow" });
    step.hidden = mode !== "frozen";
    clearTimeout(timer);
    timer = undefined;
    if (mode === "now" && waiting.length) shown = waiting[waiting.length - 1];
    if (mode === "now") waiting = [];
    pace();
    draw();
  }

  function pace() {
    behind.textContent = waiting.length ? `${count(waiting.length, "picture")} behind` : "";
    if (mode === "slow" && waiting.length) timer ??= setTimeout(onward, SLOW_MS);
  }

  function onward() {
    timer = undefined;
    shown = waiting.shift() ?? shown;
    pace();
    draw();
  }

  freeze.addEventListener("click", () => become("frozen"), { signal });
  slow.addEventListener("click", () => become("slow"), { signal });
  step.addEventListener("click", onward, { signal });
  signal.addEventListener("abort", () => clearTimeout(timer));
  return {
    element,
    state,
    isBehind: () => mode !== "now" && waiting.length > 0,
    next: () => shown,
    add: (/** @type {Scene} */ scene) => {
      if (mode === "now" || !shown) shown = scene;
      else waiting = [...waiting.slice(1 - KEPT), scene];
      pace();
    },
  };
}

/** What can be done to one process; in its panel. @param {Thing} process @param {Model} model @param {AbortSignal} signal @returns {HTMLElement[]} */
export function processControls(process, model, signal) {
  if (process.name === "notebook") return [];
  const menu = /** @type {HTMLSelectElement} */ (html("select", { "aria-label": `signal for ${clean(process.name)}` }, ...SIGNALS.map((s) => html("option", { value: s }, s))));
  const send = html("button", { type: "button" }, "send");
  const stop = html("button", { type: "button" }, `stop ${clean(process.name.split("/")[0])}`);
  const answer = html("span", { class: "lk-asked", role: "status" });
  const ask = asker(model, answer, signal);
  send.addEventListener("click", () => ask({ do: "signal", pid: process.pid, signal: menu.value }), { signal });
  stop.addEventListener("click", () => ask({ do: "stop", name: process.name }), { signal });
  return [html("div", { class: "lk-buttons" }, menu, send, stop, answer), outputTail(process, model, signal)];
}

/** Sends a wish, and says when it has to wait for the cell that runs. @param {Model} model @param {HTMLElement} answer @param {AbortSignal} signal */
function asker(model, answer, signal) {
  let asked = 0;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;
  /** @param {any} message */
  const onMessage = (message) => {
    if (message?.kind !== "answer" || message.asked !== asked) return;
    clearTimeout(timer);
    answer.textContent = clean(message.words);
  };
  model.on("msg:custom", onMessage);
  signal.addEventListener("abort", () => {
    clearTimeout(timer);
    model.off("msg:custom", onMessage);
  });
  return (/** @type {Thing} */ wish) => {
    asked = Math.floor(Math.random() * 1e9);
    answer.textContent = "";
    timer = setTimeout(() => (answer.textContent = "This waits until the running cell has ended."), PATIENCE_MS);
    model.send({ ...wish, asked });
  };
}
