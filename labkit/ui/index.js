// The widget: what anywidget calls, for each view of a model.

import { follow } from "./feed.js";
import { live } from "./live.js";
import { outcomes } from "./outcomes.js";
import { player } from "./player.js";
import css from "./style.css";

/** @typedef {{get: (name: string) => any, set?: Function, save_changes?: Function, on: Function, off: Function, send: Function}} Model */

/** One style sheet for a page, however many views. @param {Document} page */
function addStyle(page) {
  if (page.querySelector("style[data-labkit]")) return;
  const style = page.createElement("style");
  style.dataset.labkit = "";
  style.textContent = css;
  page.head.append(style);
}

/** Once for each model, however many views it has. @param {{model: Model}} widget */
function initialize({ model }) {
  return follow(model);
}

/** @param {{model: Model, el: HTMLElement}} view */
function render({ model, el }) {
  addStyle(el.ownerDocument);
  if (model.get("film")?.frames) return player(model.get("film"), el);
  if (model.get("outcomes")?.outcomes) return outcomes(model, el);
  return live(model, el);
}

/** Plays a film on a page of its own. @param {Record<string, any>} film @param {HTMLElement} el */
export function play(film, el) {
  addStyle(el.ownerDocument);
  return player(film, el);
}

export { layout } from "./layout.js";
export default { initialize, render };
