// A live view: follows a model's scene, draws only while it can be seen, ends without a trace.

import { makeControls, processControls } from "./controls.js";
import { makeStage } from "./stage.js";
import { emptyScene } from "./scene.js";
import { set } from "./svg.js";
import { announcer } from "./announce.js";
import { watchKernel } from "./stale.js";

/** @typedef {import("./index.js").Model} Model */
/** @typedef {import("./scene.js").Scene} Scene */

const STATUS = /** @type {Record<string, string>} */ ({
  live: "live", waiting: "waiting for a program", ended: "ended: this is the last picture", still: "",
  stale: "stale: the kernel that drew this has gone",
});
const NOTHING = /** @type {Record<string, string>} */ ({
  live: "No program runs.", waiting: "No program is running yet. This picture moves as soon as one does.",
  ended: "No program ran.", still: "No process.", stale: "No program ran.",
});

/** @param {Model} model @param {HTMLElement} el */
export function live(model, el) {
  const ended = new AbortController();
  const first = model.get("status");
  const stage = makeStage(first === "still" ? "still" : "live");
  const say = announcer(stage.said);
  const controls = makeControls(model, ended.signal, () => draw());
  stage.bar.append(controls.state);
  if (first !== "still") {
    stage.bar.append(controls.element);
    stage.setControls((process) => processControls(process, model, ended.signal));
  }
  el.replaceChildren(stage.root);
  let visible = true;
  let late = true;
  let gone = false;
  /** @type {string} */
  let page = "";

  function draw() {
    if (!visible) return void (late = true);
    late = false;
    const scene = controls.next() ?? emptyScene();
    stage.show(scene);
    showState(scene);
    if (first !== "still") say(scene);
  }

  /** @param {Scene} [scene] */
  function showState(scene) {
    const given = model.get("status") ?? "still";
    const status = gone && (given === "live" || given === "waiting") ? "stale" : given;
    set(stage.root, { "data-status": status });
    const words = STATUS[status] ?? "";
    if (controls.state.textContent !== words) controls.state.textContent = words;
    controls.element.hidden = status !== "live" && !controls.isBehind();
    if (!scene) return;
    stage.nothing.hidden = scene.processes.length > 0;
    stage.nothing.textContent = scene.processes.length ? "" : NOTHING[status] ?? "";
  }

  function onFeed() {
    controls.add({ ...emptyScene(), ...model.get("feed")?.scene });
    draw();
  }
  const onStatus = () => draw();
  const tell = (/** @type {string} */ is) => model.send({ do: "page", page, is });
  const watcher = new IntersectionObserver((entries) => {
    visible = entries[entries.length - 1].isIntersecting;
    tell(visible ? "shown" : "hidden");
    if (visible && late) draw();
  }, { rootMargin: "200px" });
  page = `${Date.now().toString(36)}${Math.random().toString(36).slice(2)}`;
  const still = first === "still";
  if (!still) watcher.observe(stage.root);
  model.on("change:feed", onFeed);
  model.on("change:status", onStatus);
  const forget = still ? () => {} : watchKernel(model, (isGone) => {
    gone = isGone;
    showState();
  });
  onFeed();

  return () => {
    ended.abort();
    watcher.disconnect();
    forget();
    model.off("change:feed", onFeed);
    model.off("change:status", onStatus);
    if (!still && !gone) tell("gone");
    stage.destroy();
    say.end();
    el.replaceChildren();
  };
}
