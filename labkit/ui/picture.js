// The picture of a Scene: draws what `layout` says, keeps elements while their box lives.

import { layout, noMemory } from "./layout.js";
import { motions } from "./motion.js";
import { drawObject, objectLabel } from "./objects.js";
import { drawProcess, processLabel } from "./process.js";
import { deadlocked } from "./scene.js";
import { set, svg } from "./svg.js";

/** @typedef {import("./scene.js").Scene} Scene */
/** @typedef {import("./layout.js").Layout} Layout */
/** @typedef {import("./words.js").Thing} Thing */
/** @typedef {{element: SVGElement, signature: string, things: Thing[]}} Box */

const calm = () => matchMedia("(prefers-reduced-motion: reduce)").matches;
let counter = 0;

/**
 * @param {{onPick: (key: string) => void, memory?: import("./layout.js").Memory}} hooks  `key`: `p12` for a process, an object's id
 * @returns {{element: SVGElement, show: (scene: Scene, who?: number) => Layout, pick: (key: string|null) => void}}
 */
export function makePicture(hooks) {
  const marks = `lk${++counter}`;
  const under = svg("g", { class: "lk-lines" });
  const boxes = svg("g", { class: "lk-boxes" });
  const over = svg("g", { class: "lk-packets", "aria-hidden": "true" });
  const element = svg("svg", { class: "lk-picture", role: "group", "aria-label": "processes and what they share" }, arrowheads(marks), under, boxes, over);
  /** @type {Map<string, Box>} */
  const known = new Map();
  /** @type {Map<string, SVGElement>} */
  const lines = new Map();
  let memory = hooks.memory ?? noMemory();

  element.addEventListener("click", (event) => pickAt(event.target, hooks));
  element.addEventListener("keydown", (event) => onKey(event, element, hooks));

  /** @param {Scene} scene @param {number} [who]  whose call came before it */
  function show(scene, who) {
    const plan = layout(scene, memory);
    memory = plan.memory;
    const width = Math.max(plan.width, 420);
    set(element, { viewBox: `0 0 ${width} ${plan.height}` });
    element.style.setProperty("--lk-width", `${width}px`);
    element.style.setProperty("--lk-shape", `${width / Math.max(1, plan.height)}`);
    const before = new Map([...known.values()].flatMap((b) => b.things).map((o) => [o.id, o]));
    showBoxes(plan, deadlocked(scene), boxes, known);
    showLines(plan, under, lines, marks);
    if (!calm()) for (const moved of allMotions(plan, before, who)) packet(over, moved);
    return plan;
  }

  return {
    element,
    show,
    pick: (key) => boxes.querySelectorAll(".lk-hit").forEach((b) => set(b, { "aria-pressed": keyOf(b) === key })),
  };
}

/** @param {string} marks */
function arrowheads(marks) {
  const head = (/** @type {string} */ kind, /** @type {number} */ size) =>
    svg("marker", { id: `${marks}-${kind}`, viewBox: "0 0 10 10", refX: kind === "data" ? 9 : 2, refY: 5, markerWidth: size, markerHeight: size, markerUnits: "userSpaceOnUse", orient: "auto-start-reverse" },
      svg("path", { d: "M0 0 L10 5 L0 10 z", class: `lk-head lk-${kind}` }));
  return svg("defs", {}, head("data", 9), head("waits", 18), head("dead", 18));
}

/** @param {Layout} plan @param {Set<number>} dead @param {Element} parent @param {Map<string, Box>} known */
function showBoxes(plan, dead, parent, known) {
  const seen = new Set();
  for (const at of plan.processes) {
    const isDead = dead.has(at.pid);
    const key = `p${at.pid}`;
    seen.add(key);
    const signature = JSON.stringify([at.process, at.ports, at.height, at.side, isDead]);
    showBox(key, at, [], signature, parent, known, () => drawProcess(at, isDead), processLabel(at.process, isDead));
  }
  for (const at of plan.objects) {
    seen.add(at.key);
    const before = known.get(at.key)?.things[0];
    const signature = JSON.stringify([at.objects, at.flow, at.height]);
    showBox(at.key, at, at.objects, signature, parent, known, () => drawObject(at, before), objectLabel(at.objects));
  }
  for (const [key, box] of known) if (!seen.has(key)) leave(key, box, known);
  const first = parent.querySelector('[tabindex="0"]') ?? parent.querySelector(".lk-hit");
  if (first) set(first, { tabindex: 0 });
}

/** @param {string} key @param {import("./layout.js").Rect} at @param {Thing[]} things @param {string} signature @param {Element} parent @param {Map<string, Box>} known @param {() => SVGElement[]} draw @param {string} label */
function showBox(key, at, things, signature, parent, known, draw, label) {
  let entry = known.get(key);
  if (!entry) {
    const hit = svg("rect", { class: "lk-hit", rx: 9, role: "button", tabindex: -1, "aria-pressed": false });
    const element = svg("g", { class: "lk-box", "data-key": key }, svg("g", { "aria-hidden": "true" }), hit);
    entry = { element, signature: "", things };
    known.set(key, entry);
    parent.append(element);
    if (!calm()) element.animate([{ opacity: 0 }, { opacity: 1 }], 250);
  }
  entry.element.style.transform = `translate(${at.x}px, ${at.y}px)`;
  if (entry.signature === signature) return;
  const [drawing, hit] = entry.element.children;
  set(hit, { "aria-label": label, width: at.width, height: at.height });
  drawing.replaceChildren(...draw());
  entry.signature = signature;
  entry.things = things;
}

/** @param {string} key @param {Box} box @param {Map<string, Box>} known */
function leave(key, box, known) {
  known.delete(key);
  if (calm()) return box.element.remove();
  set(box.element, { "data-key": null });
  box.element.querySelector(".lk-hit")?.remove();
  box.element.animate([{ opacity: 1 }, { opacity: 0 }], 250).finished.then(() => box.element.remove(), () => box.element.remove());
}

/** What has just moved. @param {Layout} plan @param {Map<string, Thing>} before  the objects of the last picture @param {number} [who] */
function allMotions(plan, before, who) {
  return plan.objects.flatMap((at) => at.objects).flatMap((o) => {
    const old = before.get(o.id);
    return old && old !== o ? motions(old, o, plan.lines, who) : [];
  });
}

/** @param {Layout} plan @param {Element} parent @param {Map<string, SVGElement>} known @param {string} marks */
function showLines(plan, parent, known, marks) {
  const seen = new Set();
  for (const line of plan.lines) {
    seen.add(line.key);
    const element = known.get(line.key) ?? svg("g", {}, svg("path", { class: "lk-thick" }), svg("path"));
    if (!known.has(line.key)) parent.append(element);
    known.set(line.key, element);
    drawLine(line, element, marks);
  }
  for (const [key, element] of known) {
    if (seen.has(key)) continue;
    element.remove();
    known.delete(key);
  }
}

/** @param {import("./lines.js").Line} line @param {SVGElement} element @param {string} marks */
function drawLine(line, element, marks) {
  const [thick, thin] = element.children;
  const kind = line.dead ? "dead" : "waits";
  const path = { awaited: line.backShort, both: line.bothShort }[/** @type {string} */ (line.waits)] ?? line.pathShort;
  const head = `url(#${marks}-${kind})`;
  set(element, { class: `lk-line ${line.waits ? `lk-${kind}` : ""}` });
  set(thick, { d: path, "marker-end": line.waits ? head : null, "marker-start": line.waits === "both" ? head : null, visibility: line.waits ? null : "hidden" });
  set(thin, { d: line.role === "read" ? line.back : line.path, class: `lk-thin lk-${line.role}`, visibility: line.role === "child" || line.waits ? "hidden" : null });
  set(thin, { "marker-end": !line.waits && (line.role === "read" || line.role === "write") ? `url(#${marks}-data)` : null });
}

/** Something went along this line just now. @param {Element} parent @param {import("./motion.js").Motion} moved */
function packet(parent, { line, way }) {
  if (parent.childElementCount > 12) return;
  const dot = svg("circle", { r: 6, class: "lk-packet" });
  dot.style.offsetPath = `path("${way === "out" ? line.back : line.path}")`;
  parent.append(dot);
  const motion = dot.animate([{ offsetDistance: "0%" }, { offsetDistance: "100%" }], { duration: 350, easing: "ease-in-out" });
  motion.finished.then(() => dot.remove(), () => dot.remove());
}

/** What an element in a box belongs to. @param {Element} element */
function keyOf(element) {
  return element.closest("[data-key]")?.getAttribute("data-key") ?? null;
}

/** @param {EventTarget | null} target @param {{onPick: (key: string) => void}} hooks */
function pickAt(target, hooks) {
  const key = target instanceof Element ? keyOf(target) : null;
  if (key) hooks.onPick(key);
}

/** Arrows go from box to box, Enter opens one. @param {KeyboardEvent} event @param {Element} element @param {{onPick: (key: string) => void}} hooks */
function onKey(event, element, hooks) {
  if (event.key === "Enter" || event.key === " ") {
    event.preventDefault();
    return pickAt(event.target, hooks);
  }
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (!step) return;
  event.preventDefault();
  const all = /** @type {SVGElement[]} */ ([...element.querySelectorAll(".lk-hit")]);
  const at = all.indexOf(/** @type {SVGElement} */ (document.activeElement));
  const next = all[(at + step + all.length) % all.length];
  for (const other of all) set(other, { tabindex: other === next ? 0 : -1 });
  next.focus();
}
