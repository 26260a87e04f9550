// What Explore found: every outcome with how often it came about; each can be played as a film.

import { html } from "./svg.js";
import { player } from "./player.js";
import { clean, count, ending, number } from "./words.js";

/** @typedef {import("./words.js").Thing} Thing */
/** @typedef {import("./index.js").Model} Model */

/** @param {Model} model @param {HTMLElement} el @param {Element[]} tools */
export function outcomes(model, el, tools = []) {
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
  const list = html("section", { class: "labkit", "aria-label": "outcomes", "data-lm-suppress-shortcuts": "true" }, ...tools, table, status);
  /** @type {(() => void) | null} */
  let stop = null;

  const back = () => {
    stop?.();
    stop = null;
    el.replaceChildren(list);
  };
  /** @param {any} message */
  const onMessage = (message) => {
    if (message?.kind === "film") {
      status.textContent = "";
      stop?.();
      stop = player(message.film, el, { back });
    }
    if (message?.kind === "sorry") status.textContent = clean(message.words);
  };
  list.addEventListener("click", (event) => {
    const button = /** @type {Element} */ (event.target).closest("button[data-n]");
    if (!button) return;
    const n = Number(button.getAttribute("data-n"));
    if (rows[n].film) return onMessage({ kind: "film", film: rows[n].film });
    status.textContent = "Asked the kernel for this film. It is made as soon as no cell runs.";
    model.send({ do: "replay", n });
  }, { signal: ended.signal });
  model.on("msg:custom", onMessage);
  el.replaceChildren(list);
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
    html("td", {}, html("pre", {}, outputOf(o) || "(nothing)")),
    html("td", {}, endOf(o)),
    html("td", {}, html("button", { type: "button", "data-n": i, "aria-label": `play outcome ${i + 1}` }, "▶ play")));
}

/** @param {Thing} o */
function outputOf(o) {
  const text = typeof o.output === "string" ? o.output : Array.isArray(o.output) ? o.output.map((/** @type {any} */ w) => (typeof w === "string" ? w : w.text)).join("") : Object.values(o.output ?? {}).join("");
  return text.split("\n").map(clean).join("\n").trimEnd();
}

/** @param {Thing} o */
function endOf(o) {
  const parts = [];
  if (o.deadlock) parts.push(`⚠ deadlock${typeof o.deadlock === "string" ? `: ${clean(o.deadlock)}` : ""}`);
  const exits = Array.isArray(o.exits) ? o.exits.map((/** @type {any} */ e) => (Array.isArray(e) ? e : [e.who, e.exit])) : Object.entries(o.exits ?? {});
  for (const [who, exit] of exits) if (exit !== 0 && exit != null) parts.push(`${clean(who)} ${ending(Number(exit))}`);
  if (o.ending) parts.push(clean(o.ending));
  if (o.left_behind?.length) parts.push(`left behind: ${o.left_behind.map(clean).join(", ")}`);
  return parts.join("; ") || "all ended well";
}
