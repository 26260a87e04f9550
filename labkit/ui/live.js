// A live view: follows a model's scene, draws only while it can be seen, ends without a trace.

import { detail } from "./detail.js";
import { makePicture } from "./picture.js";
import { emptyScene } from "./scene.js";
import { html, set } from "./svg.js";
import { clean, count, doing } from "./words.js";

/** @typedef {import("./index.js").Model} Model */
/** @typedef {import("./scene.js").Scene} Scene */

const SAID_EVERY_MS = 2000;

/** @param {Model} model @param {HTMLElement} el */
export function live(model, el) {
  const ended = new AbortController();
  const shell = makeShell();
  el.replaceChildren(shell.root);
  let scene = emptyScene();
  let visible = true;
  let stale = true;
  /** @type {string | null} */
  let picked = null;
  const picture = makePicture({ onPick: pick });
  shell.stage.append(picture.element);
  const say = announcer(shell.said);

  function draw() {
    if (!visible) return void (stale = true);
    stale = false;
    picture.show(scene);
    showBanner(shell.banner, scene);
    showLimits(shell.limits, scene);
    showState();
    if (picked) showDetail();
    say(scene);
  }

  function showState() {
    const status = model.get("status") ?? "still";
    set(shell.root, { "data-status": status });
    shell.state.textContent = STATUS[/** @type {keyof typeof STATUS} */ (status)] ?? "";
    const nothing = !scene.processes.length;
    shell.nothing.hidden = !nothing;
    shell.nothing.textContent = nothing ? NOTHING[/** @type {keyof typeof NOTHING} */ (status)] ?? "No process." : "";
  }

  /** @param {string | null} key */
  function pick(key) {
    picked = key === picked ? null : key;
    showDetail();
  }

  function showDetail() {
    const parts = picked ? detail(scene, picked) : null;
    shell.panel.hidden = !parts;
    if (!parts) picked = null;
    else shell.inside.replaceChildren(...parts);
    picture.pick(picked);
  }

  function onFeed() {
    scene = { ...emptyScene(), ...model.get("feed")?.scene };
    draw();
  }

  const page = `${Date.now().toString(36)}${Math.random().toString(36).slice(2)}`;
  const watcher = new IntersectionObserver((entries) => {
    visible = entries[entries.length - 1].isIntersecting;
    tell(visible ? "shown" : "hidden");
    if (visible && stale) draw();
  }, { rootMargin: "200px" });
  const tell = (/** @type {string} */ is) => model.send({ do: "page", page, is });
  watcher.observe(shell.root);
  model.on("change:feed", onFeed);
  model.on("change:status", showState);
  shell.close.addEventListener("click", () => pick(null), { signal: ended.signal });
  shell.root.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && picked) pick(null);
  }, { signal: ended.signal });
  onFeed();

  return () => {
    ended.abort();
    watcher.disconnect();
    model.off("change:feed", onFeed);
    model.off("change:status", showState);
    tell("gone");
    el.replaceChildren();
  };
}

const STATUS = { live: "live", waiting: "waiting for a program", ended: "ended: the last picture", still: "still", stale: "stale: its kernel has gone" };
const NOTHING = { live: "No program runs.", waiting: "No program is running yet. This picture moves as soon as one does.", ended: "No program ran.", still: "No process." };

function makeShell() {
  const state = html("span", { class: "lk-state" });
  const bar = html("div", { class: "lk-bar" }, state);
  const banner = html("div", { class: "lk-banner", role: "alert", hidden: true });
  const nothing = html("p", { class: "lk-nothing", hidden: true });
  const stage = html("div", { class: "lk-stage" }, nothing);
  const inside = html("div", { class: "lk-inside", tabindex: 0, role: "region", "aria-label": "details" });
  const close = html("button", { type: "button", class: "lk-close", "aria-label": "close details" }, "×");
  const panel = html("div", { class: "lk-panel", hidden: true }, close, inside);
  const limits = html("p", { class: "lk-limits", hidden: true });
  const said = html("div", { class: "lk-said", "aria-live": "polite" });
  const root = html("section", { class: "labkit", "aria-label": "picture of processes", "data-lm-suppress-shortcuts": "true" }, bar, banner, stage, panel, limits, said);
  return { root, bar, state, banner, nothing, stage, panel, inside, close, limits, said };
}

/** @param {HTMLElement} banner @param {Scene} scene */
function showBanner(banner, scene) {
  const words = scene.deadlocks.map((d) => clean(d.because));
  if (banner.textContent === words.join("")) return;
  banner.hidden = !words.length;
  banner.replaceChildren(...words.map((w) => html("p", {}, w)));
}

/** @param {HTMLElement} element @param {Scene} scene */
function showLimits(element, scene) {
  const words = scene.limits.map((l) => `Not visible here: ${clean(l.what)}, because ${clean(l.because)}`).join(" ");
  element.hidden = !words;
  if (element.textContent !== words) element.textContent = words;
}

/** Says, for those who do not see it, what each process now does; at most once in a while. @param {HTMLElement} region */
function announcer(region) {
  /** @type {ReturnType<typeof setTimeout> | null} */
  let timer = null;
  /** @type {Map<number, string>} */
  let last = new Map();
  /** @type {Scene | null} */
  let next = null;
  const speak = () => {
    timer = null;
    if (!next || !region.isConnected) return;
    const now = new Map(next.processes.map((p) => [p.pid, `${clean(p.name)}: ${doing(p)}`]));
    const news = [...now].filter(([pid, words]) => last.get(pid) !== words).map(([, words]) => words);
    last = now;
    if (news.length) region.textContent = news.length > 4 ? `${news.slice(0, 4).join(". ")}, and ${count(news.length - 4, "more change")}` : news.join(". ");
  };
  return (/** @type {Scene} */ scene) => {
    next = scene;
    timer ??= setTimeout(speak, SAID_EVERY_MS);
  };
}
