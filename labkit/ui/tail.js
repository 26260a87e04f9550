// The end of what a program has written: asked for while its process's panel is open.

import { html } from "./svg.js";
import { clean } from "./words.js";

/** @typedef {import("./index.js").Model} Model */
/** @typedef {import("./words.js").Thing} Thing */

const EVERY_MS = 1000;

/** Asks at once, and again every second once it was answered: a kernel that is busy is not asked twice. @param {Thing} process @param {Model} model @param {AbortSignal} signal @returns {HTMLElement} */
export function outputTail(process, model, signal) {
  const program = process.name.split("/")[0];
  const words = html("pre", { tabindex: 0, role: "region", "aria-label": `end of the output of ${clean(program)}` });
  const element = html("div", { class: "lk-tail", hidden: true }, html("p", { class: "lk-quiet-html" }, `what ${clean(program)} has written, the end of it`), words);
  const asked = Math.floor(Math.random() * 1e9);
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;
  const ask = () => model.send({ do: "output", name: program, asked });
  const end = () => {
    clearTimeout(timer);
    model.off("msg:custom", onMessage);
  };
  /** @param {any} message */
  function onMessage(message) {
    if (message?.kind !== "output" || message.asked !== asked) return;
    if (!element.isConnected) return end();
    element.hidden = !message.words;
    const text = String(message.words).split("\n").map(clean).join("\n");
    if (words.textContent !== text) {
      words.textContent = text;
      words.scrollTop = words.scrollHeight;
    }
    timer = setTimeout(() => (element.isConnected ? ask() : end()), EVERY_MS);
  }
  model.on("msg:custom", onMessage);
  signal.addEventListener("abort", end);
  ask();
  return element;
}
