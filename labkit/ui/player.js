// Plays a film: one system call a frame, forwards and backwards.

import { isStuck, lanes, nextWait, outputUpTo, union, unpack, uses } from "./film.js";
import { settledMemory } from "./layout.js";
import { icon } from "./icons.js";
import { html, set } from "./svg.js";
import { makeStage } from "./stage.js";
import { makeTimeline } from "./timeline.js";
import { clean, count, ending } from "./words.js";

/** @typedef {import("./words.js").Thing} Thing */

const SPEEDS = [["slow", 2000], ["normal", 900], ["fast", 300]];
/** Only a step forward shows what moves, and that it was this frame's call. */
const NOBODY = -1;
const STABLE = { processes: 14, objects: 20 };

/**
 * @param {Thing} film  with packed scenes
 * @param {HTMLElement} el
 * @param {{back?: () => void}} [more]  `back`: leads to where the film was chosen
 * @returns {() => void}
 */
export function player(film, el, more = {}) {
  const ended = new AbortController();
  const on = { signal: ended.signal };
  const scenes = unpack(film.scenes);
  const all = union(scenes);
  const stage = makeStage("film", settled(all, scenes, uses(film.frames, scenes)));
  const timeline = makeTimeline(lanes(film.frames, isStuck(film)), film.frames.length);
  const bar = makeBar(timeline.range, more);
  const output = html("div", { class: "lk-output" });
  const ends = html("p", { class: "lk-ends", hidden: true });
  stage.bar.append(bar.element);
  stage.top.append(bar.call, timeline.element);
  stage.below.append(output, ends);
  el.replaceChildren(stage.root);
  let now = 0;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let playing;

  /** @param {number} n */
  function go(n) {
    if (!film.frames.length) return;
    const next = Math.max(0, Math.min(film.frames.length - 1, n));
    const frame = film.frames[next];
    stage.show(scenes[frame.scene], next === now + 1 ? frame.pid : NOBODY);
    now = next;
    stage.nothing.hidden = scenes[frame.scene].processes.length > 0;
    showFrame(bar, frame, now, film.frames.length);
    timeline.show(now);
    showOutput(output, outputUpTo(film, now));
    showEnds(ends, film, now);
  }

  /** @param {boolean} run */
  function play(run) {
    clearTimeout(playing);
    playing = undefined;
    if (run && now >= film.frames.length - 1) go(0);
    set(bar.play, { "aria-label": run ? "pause" : "play", "aria-pressed": run });
    bar.play.replaceChildren(icon(run ? "pause" : "play"));
    if (run) playing = setTimeout(tick, Number(bar.speed.value));
  }

  function tick() {
    if (!stage.root.isConnected || now >= film.frames.length - 1) return play(false);
    go(now + 1);
    playing = setTimeout(tick, Number(bar.speed.value));
  }

  /** @param {number} n */
  const jump = (n) => {
    play(false);
    go(n);
  };
  /** @param {1|-1} step */
  const wait = (step) => {
    const n = nextWait(film.frames, now, step);
    if (n >= 0) jump(n);
  };
  const actions = { first: () => jump(0), back: () => jump(now - 1), next: () => jump(now + 1), last: () => jump(film.frames.length - 1), wait: () => wait(1), earlier: () => wait(-1), play: () => play(!playing) };
  for (const button of bar.element.querySelectorAll("button[data-do]"))
    button.addEventListener("click", () => actions[/** @type {keyof typeof actions} */ (button.getAttribute("data-do"))]?.(), on);
  bar.range.addEventListener("input", () => jump(Number(bar.range.value)), on);
  stage.root.addEventListener("keydown", (event) => onKey(event, actions), on);
  more.back && bar.home?.addEventListener("click", more.back, on);
  stage.nothing.textContent = "No process is left.";
  go(0);

  return () => {
    ended.abort();
    clearTimeout(playing);
    stage.destroy();
    el.replaceChildren();
  };
}

const KEYS = /** @type {Record<string, string>} */ ({ ArrowRight: "next", ArrowLeft: "back", Home: "first", End: "last", n: "wait", p: "earlier", PageDown: "wait", PageUp: "earlier" });

/** @param {KeyboardEvent} event @param {Record<string, () => void>} actions */
function onKey(event, actions) {
  if (event.altKey || event.ctrlKey || event.metaKey || event.defaultPrevented) return;
  const target = /** @type {Element} */ (event.target);
  if (target.matches("select")) return;
  const isButton = target.matches("button, [role=button]");
  const action = event.key === " " && !isButton ? "play" : KEYS[event.key];
  if (!action) return;
  event.preventDefault();
  actions[action]();
}

/** A layout of the whole film, if it is small enough for one; else places are found as it goes. @param {import("./scene.js").Scene} all @param {import("./scene.js").Scene[]} scenes @param {import("./scene.js").Link[]} used */
function settled(all, scenes, used) {
  const small = all.processes.length <= STABLE.processes && all.objects.length <= STABLE.objects;
  return small ? settledMemory(all, [...new Set(scenes)], used) : undefined;
}

/** @param {HTMLInputElement} range @param {{back?: () => void}} more */
function makeBar(range, more) {
  const button = (/** @type {string} */ action, /** @type {string} */ sign, /** @type {string} */ label, /** @type {string} */ key) =>
    html("button", { type: "button", "data-do": action, "aria-label": label, title: `${label} (${key})` }, sign.length > 8 ? sign : icon(sign));
  const play = html("button", { type: "button", class: "lk-play", "data-do": "play", "aria-label": "play", title: "play or pause (space)" }, icon("play"));
  const speed = /** @type {HTMLSelectElement} */ (html("select", { "aria-label": "speed" }, ...SPEEDS.map(([name, ms]) => html("option", { value: ms, selected: name === "normal" }, String(name)))));
  const where = html("span", { class: "lk-where" });
  const home = more.back ? html("button", { type: "button" }, "← all outcomes") : null;
  const call = html("p", { class: "lk-call", "aria-live": "polite" });
  const element = html("div", { class: "lk-buttons", role: "toolbar", "aria-label": "film" }, home,
    button("first", "first", "first frame", "Home"), button("back", "back", "one frame back", "left arrow"), play,
    button("next", "next", "one frame on", "right arrow"), button("last", "last", "last frame", "End"),
    button("wait", "next wait", "next wait: go to where somebody waits", "n"), speed, where);
  return { element, play, speed, where, home, range, call };
}

/** @param {ReturnType<typeof makeBar>} bar @param {Thing} frame @param {number} n @param {number} all */
function showFrame(bar, frame, n, all) {
  bar.where.textContent = `frame ${n + 1} of ${all}`;
  bar.range.value = String(n);
  set(bar.range, { "aria-valuetext": `frame ${n + 1} of ${all}: ${clean(frame.text)}` });
  const words = clean(frame.text);
  const at = words.startsWith(`${clean(frame.who)}: `) ? clean(frame.who).length + 2 : 0;
  const parts = [html("b", {}, at ? words.slice(0, at) : `${clean(frame.who)}: `), html("code", {}, words.slice(at))];
  if (frame.blocked) parts.push(html("span", { class: "lk-badge" }, "◷ waits here"));
  bar.call.replaceChildren(...parts);
}

/** @param {HTMLElement} element @param {Thing[]} written */
function showOutput(element, written) {
  /** @type {Map<string, string>} */
  const said = new Map();
  for (const o of written) {
    const key = o.stream === "stderr" || o.stream === 2 ? `${o.who}, error` : o.who;
    said.set(key, (said.get(key) ?? "") + o.text);
  }
  element.hidden = !said.size;
  element.replaceChildren(...[...said].map(([who, words]) =>
    html("div", {}, html("span", { class: "lk-quiet-html" }, `output of ${clean(who)}`), html("pre", {}, words.split("\n").map(clean).join("\n")))));
}

/** At the end: how each ended, why the film ends here, what was left behind. @param {HTMLElement} element @param {Thing} film @param {number} n */
function showEnds(element, film, n) {
  element.hidden = n < film.frames.length - 1;
  const still = isStuck(film) ? "waits for ever" : "was still alive";
  const ends = (film.exits ?? []).map((/** @type {Thing} */ e) => `${clean(e.who)} ${e.exit == null ? still : ending(e.exit)}`);
  const why = (film.limits ?? []).filter((/** @type {Thing} */ l) => l.what !== "deadlock").map((/** @type {Thing} */ l) => clean(l.because));
  const left = film.left_behind?.length ? [`Left behind: ${film.left_behind.map(clean).join(", ")}.`] : [];
  const end = ends.length ? `The end: ${ends.join("; ")}.` : `The end of ${count(film.frames.length, "frame")}.`;
  element.textContent = [end, ...left, ...why].join(" ");
}
