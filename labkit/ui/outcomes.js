// What Explore found: every outcome with how often it came about; each can be played as a film.

import { html } from "./svg.js";
import { player } from "./player.js";
import { fullButton, quoted, toggleFull } from "./stage.js";
import { clean, count, ending, number } from "./words.js";

/** @typedef {import("./words.js").Thing} Thing */
/** @typedef {import("./index.js").Model} Model */

/** At least so much of an output is seen without scrolling. */
const LINES = 5;
const LETTERS = 12;

/** @param {Model} model @param {HTMLElement} el */
export function outcomes(model, el) {
  const ended = new AbortController();
  const found = model.get("outcomes");
  const rows = found.outcomes ?? [];
  const all = rows.reduce((/** @type {number} */ n, /** @type {Thing} */ o) => n + (o.count ?? 0), 0) || 1;
  const most = Math.max(1, ...rows.map((/** @type {Thing} */ o) => o.count ?? 0));
  const status = html("p", { class: "lk-asked", role: "status" });
  const table = html("table", { class: "lk-outcomes" },
    html("caption", {}, heading(found, rows)),
    html("thead", {}, html("tr", {}, ...["how often", "output", "how it ended", "film"].map((h) => html("th", { scope: "col" }, h)))),
    html("tbody", {}, ...rows.map((/** @type {Thing} */ o, /** @type {number} */ i) => row(o, i, all, most))));
  const full = fullButton();
  const list = html("div", { class: "lk-list" }, html("div", { class: "lk-tools lk-corner" }, full), table, status);
  const film = html("div", { class: "lk-film" });
  // Both stand in one section, which may be the whole screen: from outcome to film and back it stays so.
  const root = html("section", { class: "labkit", "aria-label": "outcomes", "data-lm-suppress-shortcuts": "true" }, list);
  /** @type {(() => void) | null} */
  let stop = null;
  let played = 0;

  const back = () => {
    stop?.();
    stop = null;
    root.replaceChildren(list);
    /** @type {HTMLElement | null} */ (list.querySelector(`button[data-n="${played}"]`))?.focus();
  };
  /** @param {any} message */
  const onMessage = (message) => {
    if (message?.kind === "film") {
      status.textContent = "";
      stop?.();
      stop = player(message.film, film, { back });
      root.replaceChildren(film);
      /** @type {HTMLElement | null} */ (film.querySelector(".lk-range"))?.focus({ preventScroll: true });
    }
    if (message?.kind === "sorry") status.textContent = clean(message.words);
  };
  list.addEventListener("click", (event) => {
    const button = /** @type {Element} */ (event.target).closest("button[data-n]");
    if (!button) return;
    const n = (played = Number(button.getAttribute("data-n")));
    if (rows[n].film) return onMessage({ kind: "film", film: rows[n].film });
    status.textContent = "Asked the kernel for this film. It is made as soon as no cell runs.";
    model.send({ do: "replay", n });
  }, { signal: ended.signal });
  full.addEventListener("click", () => toggleFull(root), { signal: ended.signal });
  list.addEventListener("keydown", (event) => {
    if (event.key === "f" && !event.ctrlKey && !event.metaKey && !event.altKey) toggleFull(root);
  }, { signal: ended.signal });
  model.on("msg:custom", onMessage);
  el.replaceChildren(root);
  return () => {
    ended.abort();
    stop?.();
    model.off("msg:custom", onMessage);
    el.replaceChildren();
  };
}

/** @param {Thing} found @param {Thing[]} rows */
function heading(found, rows) {
  const orders = count(found.schedules ?? 0, "order");
  const all = found.exhaustive ? `Every order was tried: ${orders}` : `${orders}; any other comes to the same as one of these`;
  const whole = found.complete ? all : `${orders} tried, not all there are`;
  return `${whole}. ${count(rows.length, "outcome")}.`;
}

/** @param {Thing} o @param {number} i @param {number} all @param {number} most */
function row(o, i, all, most) {
  const percent = (100 * (o.count ?? 0)) / all;
  const bar = html("span", { class: `lk-bar-of ${o.deadlock ? "lk-bad" : ""}`, "aria-hidden": "true" });
  bar.style.width = `${Math.max(2, (100 * (o.count ?? 0)) / most)}%`;
  return html("tr", {},
    html("td", { class: "lk-often" }, html("span", { class: "lk-number" }, `${number(o.count)} (${percent < 1 && percent > 0 ? "under 1" : Math.round(percent)} %)`), bar),
    html("td", {}, output(outputOf(o) || "(nothing)", i)),
    html("td", {}, ...endOf(o).map((words) => html("p", {}, ...quoted(words)))),
    html("td", {}, html("button", { type: "button", "data-n": i, "aria-label": `play outcome ${i + 1}` }, "▶ play")));
}

/** What has more lines or longer ones than are shown is scrolled, with the keyboard too. @param {string} words @param {number} i */
function output(words, i) {
  const lines = words.split("\n");
  const long = lines.length > LINES || lines.some((l) => l.length > LETTERS);
  return html("pre", long ? { tabindex: 0, role: "region", "aria-label": `output of outcome ${i + 1}` } : {}, words);
}

/** @param {Thing} o */
function outputOf(o) {
  const text = typeof o.output === "string" ? o.output : Array.isArray(o.output) ? o.output.map((/** @type {any} */ w) => (typeof w === "string" ? w : w.text)).join("") : Object.values(o.output ?? {}).join("");
  return text.split("\n").map(clean).join("\n").trimEnd();
}

/** How it ended, a line each. @param {Thing} o */
function endOf(o) {
  const parts = [];
  if (o.deadlock) parts.push(`⚠ deadlock${typeof o.deadlock === "string" ? `: ${clean(o.deadlock)}` : ""}`);
  const exits = Array.isArray(o.exits) ? o.exits.map((/** @type {any} */ e) => (Array.isArray(e) ? e : [e.who, e.exit])) : Object.entries(o.exits ?? {});
  for (const [who, exit] of exits) if (exit !== 0 && exit != null) parts.push(`${clean(who)} ${ending(Number(exit))}`);
  if (o.ending) parts.push(clean(o.ending));
  for (const left of o.left_behind ?? []) parts.push(`left behind: ${clean(left)}`);
  return parts.length ? parts : ["all ended well"];
}
