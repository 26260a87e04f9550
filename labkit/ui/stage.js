// What every picture stands on: a bar, the deadlock's sentence, the picture or the tables, the panel.

import { detail, formButtons } from "./detail.js";
import { fold } from "./fold.js";
import { icon } from "./icons.js";
import { makePicture } from "./picture.js";
import { emptyScene } from "./scene.js";
import { html, set } from "./svg.js";
import { drawTables } from "./tables.js";
import { clean } from "./words.js";

/** @typedef {import("./scene.js").Scene} Scene */
/** @typedef {import("./words.js").Thing} Thing */

/**
 * @param {string} kind  "film", "live" or "still": what a screen reader is told this is
 * @param {import("./layout.js").Memory} [memory]  places settled beforehand
 */
export function makeStage(kind, memory) {
  const ended = new AbortController();
  const on = { signal: ended.signal };
  const parts = makeParts(kind);
  let scene = emptyScene();
  /** @type {string | null} */
  let picked = null;
  let tables = false;
  /** @type {Set<string>} */
  const opened = new Set();
  /** As what the bytes of an object are shown, where somebody chose. @type {Map<string, import("./cells.js").Form>} */
  const forms = new Map();
  /** @type {(process: Thing) => HTMLElement[]} */
  let controlsFor = () => [];
  const picture = makePicture({ onPick: pick, memory });
  parts.stage.append(picture.element);

  /** @param {Scene} next @param {number} [who]  whose call it was, where one was */
  function show(next, who) {
    scene = inForms(next, forms);
    const folded = fold(scene, opened);
    parts.refold.hidden = !opened.size;
    // Where a table is wider than the page the keyboard scrolls it; in the picture it goes from box to box.
    set(parts.stage, { class: `lk-stage ${tables ? "lk-as-tables" : ""}`, tabindex: tables ? 0 : null, role: tables ? "region" : null, "aria-label": tables ? "descriptor tables" : null });
    if (tables) parts.tables.replaceChildren(drawTables(scene));
    else picture.show(folded, who);
    showBanner(parts.banner, scene);
    showLimits(parts.limits, scene);
    if (picked) showDetail();
  }

  /** @param {string | null} key */
  function pick(key) {
    if (key?.startsWith("p-") || key?.startsWith("group-")) {
      opened.add(key.replace(/^p-/, "-"));
      return show(scene);
    }
    picked = key === picked ? null : key;
    parts.controls.replaceChildren();
    const process = scene.processes.find((p) => `p${p.pid}` === picked);
    if (process) parts.controls.append(...controlsFor(process));
    const memory = scene.objects.find((o) => o.id === picked && o.head && /shm|memfd/.test(o.kind));
    if (memory) parts.controls.append(formButtons(memory.form ?? "text", (form) => {
      forms.set(memory.id, form);
      show(scene);
    }));
    showDetail();
  }

  function showDetail() {
    const inside = picked ? detail(scene, picked) : null;
    parts.panel.hidden = !inside;
    if (!inside) picked = null;
    else keepScroll(parts.inside, () => parts.inside.replaceChildren(...inside));
    picture.pick(picked);
  }

  parts.close.addEventListener("click", () => pick(null), on);
  parts.refold.addEventListener("click", () => {
    opened.clear();
    show(scene);
  }, on);
  parts.toTables.addEventListener("click", () => {
    tables = !tables;
    set(parts.toTables, { "aria-pressed": tables });
    show(scene);
  }, on);
  parts.full.addEventListener("click", () => toggleFull(parts.root), on);
  parts.root.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && picked) pick(null);
    if (event.key === "f" && !event.ctrlKey && !event.metaKey && !event.altKey) toggleFull(parts.root);
  }, on);

  return { ...parts, show, setControls: (/** @type {typeof controlsFor} */ make) => void (controlsFor = make), destroy: () => ended.abort() };
}

/** @param {Scene} scene @param {Map<string, import("./cells.js").Form>} forms @returns {Scene} */
function inForms(scene, forms) {
  if (!forms.size) return scene;
  return { ...scene, objects: scene.objects.map((o) => (forms.has(o.id) && o.form !== forms.get(o.id) ? { ...o, form: forms.get(o.id) } : o)) };
}

/** @param {HTMLElement} root */
export function toggleFull(root) {
  if (document.fullscreenElement) document.exitFullscreen();
  else root.requestFullscreen?.()?.catch(() => {}); // a page in a frame may not have it: the view stays as it is
}

export function fullButton() {
  return html("button", { type: "button", title: "full screen (f)", "aria-label": "full screen" }, icon("full"));
}

/** @param {HTMLElement} element @param {() => void} change */
function keepScroll(element, change) {
  const top = element.scrollTop;
  change();
  element.scrollTop = top;
}

/** @param {string} kind */
function makeParts(kind) {
  const bar = html("div", { class: "lk-bar" });
  const toTables = html("button", { type: "button", "aria-pressed": false, title: "descriptor tables: number, open file description, object" }, "descriptors");
  const refold = html("button", { type: "button", hidden: true }, "fold again");
  const full = fullButton();
  const tools = html("div", { class: "lk-tools" }, refold, toTables, full);
  const banner = html("div", { class: "lk-banner", role: "alert", hidden: true });
  const top = html("div", { class: "lk-top" });
  const nothing = html("p", { class: "lk-nothing", hidden: true });
  const tables = html("div", { class: "lk-tables" });
  const stage = html("div", { class: "lk-stage" }, nothing, tables);
  const inside = html("div", { class: "lk-inside", tabindex: 0, role: "region", "aria-label": "details" });
  const controls = html("div", { class: "lk-controls" });
  const close = html("button", { type: "button", class: "lk-close", "aria-label": "close details" }, icon("close"));
  const panel = html("div", { class: "lk-panel", hidden: true }, close, controls, inside);
  const below = html("div", { class: "lk-below" });
  const limits = html("p", { class: "lk-limits", hidden: true });
  const said = html("div", { class: "lk-said", "aria-live": "polite" });
  const head = html("div", { class: "lk-headline" }, bar, tools);
  const root = html("section", { class: "labkit", "data-kind": kind, "aria-label": `${kind === "film" ? "film" : `${kind} picture`} of processes and what they share`, "data-lm-suppress-shortcuts": "true" },
    head, top, banner, stage, panel, below, limits, said);
  return { root, bar, top, banner, nothing, stage, tables, panel, controls, inside, close, below, limits, said, refold, toTables, full };
}

/** @param {HTMLElement} banner @param {Scene} scene */
function showBanner(banner, scene) {
  const words = scene.deadlocks.map((d) => clean(d.because));
  if (banner.dataset.words === words.join("\n")) return;
  banner.dataset.words = words.join("\n");
  banner.hidden = !words.length;
  banner.replaceChildren(...words.map((w) => html("p", {}, ...quoted(w))));
}

/** Words between backticks are names. @param {string} words */
export function quoted(words) {
  return words.split("`").map((part, i) => (i % 2 ? html("b", {}, part) : part));
}

/** @param {HTMLElement} element @param {Scene} scene */
function showLimits(element, scene) {
  const words = scene.limits.map((l) => `Not visible here: ${clean(l.what)}, because ${clean(l.because)}.`).join(" ");
  element.hidden = !words;
  if (element.textContent !== words) element.textContent = words;
}
