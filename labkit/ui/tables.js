// Descriptor tables: number -> open file description -> object. Arrows that meet are shared.

import { box, svg, text } from "./svg.js";
import { curve } from "./routes.js";
import { clean, kindInWords, levels, number } from "./words.js";
import { fit } from "./widths.js";

/** @typedef {import("./scene.js").Scene} Scene */
/** @typedef {import("./words.js").Thing} Thing */
/** @typedef {{process: Thing, y: number, rows: {d: Thing, y: number}[]}} Table */

const AT = { table: 18, description: 330, object: 652 };
const WIDE = { table: 200, description: 210, object: 266 };
const ROW = 24;
const HEAD = 34;

/** Where everything stands; pure. @param {Scene} scene */
export function tableLayout(scene) {
  let y = 34;
  /** @type {Table[]} */
  const tables = [];
  for (const process of scene.processes.filter((p) => p.descriptors?.length)) {
    const rows = process.descriptors.map((/** @type {Thing} */ d, /** @type {number} */ i) => ({ d, y: y + HEAD + i * ROW + ROW / 2 }));
    tables.push({ process, y, rows });
    y += HEAD + rows.length * ROW + 20;
  }
  const descriptions = column(groups(tables, (d, pid) => (d.description == null ? `?${pid} ${d.fd}` : String(d.description))), 46);
  const objects = column(groups(tables, (d) => d.object ?? "?"), 46);
  const bottom = Math.max(y, ...[...descriptions.values(), ...objects.values()].map((b) => b.y + 46));
  return { tables, descriptions, objects, height: bottom + 10, width: AT.object + WIDE.object + 18 };
}

/** @param {Table[]} tables @param {(d: Thing, pid: number) => string} key @returns {Map<string, {d: Thing, ys: number[]}>} */
function groups(tables, key) {
  const found = new Map();
  for (const table of tables)
    for (const { d, y } of table.rows) {
      const k = key(d, table.process.pid);
      const group = found.get(k) ?? { d, ys: [] };
      group.ys.push(y);
      found.set(k, group);
    }
  return found;
}

/** Stacked in the order of the mean of what leads there. @param {Map<string, {d: Thing, ys: number[]}>} groups @param {number} height */
function column(groups, height) {
  const mean = (/** @type {number[]} */ ys) => ys.reduce((a, b) => a + b, 0) / ys.length;
  const sorted = [...groups].sort((a, b) => mean(a[1].ys) - mean(b[1].ys));
  let floor = 34;
  /** @type {Map<string, {d: Thing, y: number}>} */
  const placed = new Map();
  for (const [key, { d, ys }] of sorted) {
    const y = Math.max(floor, mean(ys) - height / 2);
    placed.set(key, { d, y });
    floor = y + height + 10;
  }
  return placed;
}

/** @param {Scene} scene @returns {SVGElement} */
export function drawTables(scene) {
  const plan = tableLayout(scene);
  const lines = svg("g", { class: "lk-lines" });
  const boxes = svg("g", {});
  for (const table of plan.tables) boxes.append(drawTable(table));
  for (const [key, { d, y }] of plan.descriptions) {
    boxes.append(drawDescription(d, y, key));
    const object = plan.objects.get(d.object ?? "?");
    if (object) lines.append(line({ x: AT.description + WIDE.description, y: y + 23 }, { x: AT.object, y: object.y + 23 }));
  }
  for (const [id, { y }] of plan.objects) boxes.append(drawTarget(scene.objects.find((o) => o.id === id), y));
  for (const table of plan.tables)
    for (const { d, y } of table.rows) {
      const to = plan.descriptions.get(d.description == null ? `?${table.process.pid} ${d.fd}` : String(d.description));
      if (to) lines.append(line({ x: AT.table + WIDE.table, y }, { x: AT.description, y: to.y + 23 }));
    }
  const heads = [["descriptor tables", AT.table], ["open file descriptions", AT.description], ["what they lead to", AT.object]];
  const element = svg("svg", { class: "lk-picture", viewBox: `0 0 ${plan.width} ${plan.height}`, role: "img", "aria-label": inWords(scene) },
    lines, boxes, ...heads.map(([words, x]) => text(String(words), Number(x), 18, "lk-title")));
  element.style.setProperty("--lk-width", `${plan.width}px`);
  return element;
}

/** @param {{x: number, y: number}} a @param {{x: number, y: number}} b */
function line(a, b) {
  return svg("path", { d: curve(a, b, 1, 1), class: "lk-thin" });
}

/** @param {Table} table */
function drawTable({ process, y, rows }) {
  const height = HEAD + rows.length * ROW + 4;
  return svg("g", {},
    box(AT.table, y, WIDE.table, height, "lk-process", 8),
    text(fit(process.name, 130, 14, "bold"), AT.table + 12, y + 21, "lk-title"),
    text(`pid ${process.pid}`, AT.table + WIDE.table - 10, y + 21, "lk-quiet lk-end"),
    ...rows.flatMap(({ d, y: at }) => [
      svg("path", { d: `M${AT.table} ${at - ROW / 2} h${WIDE.table}`, class: "lk-rule" }),
      text(String(d.fd), AT.table + 34, at + 5, "lk-mono lk-end"),
      text(d.flags?.includes("O_CLOEXEC") ? "closes on exec" : "", AT.table + 48, at + 4, "lk-quiet"),
      svg("circle", { cx: AT.table + WIDE.table, cy: at, r: 4, class: "lk-dot" }),
    ]));
}

const MODES = /** @type {Record<string, string>} */ ({ r: "read", w: "write", rw: "read, write" });

/** @param {Thing} d @param {number} y @param {string} key */
function drawDescription(d, y, key) {
  const flags = (d.flags ?? []).filter((/** @type {string} */ f) => f !== "O_CLOEXEC").join(" ");
  const words = key.startsWith("?") ? "which one: not visible here" : d.offset == null ? flags : `offset ${number(d.offset)} ${flags}`;
  return svg("g", {},
    box(AT.description, y, WIDE.description, 46, "lk-object", 8),
    text(MODES[d.mode] ?? "mode not visible", AT.description + 12, y + (words ? 19 : 28), ""),
    text(fit(words, WIDE.description - 20, 12), AT.description + 12, y + 36, "lk-quiet"));
}

/** @param {Thing | undefined} o @param {number} y */
function drawTarget(o, y) {
  return svg("g", {},
    box(AT.object, y, WIDE.object, 46, "lk-object", 8),
    text(o ? fit(o.name, WIDE.object - 24, 13, "bold") : "not visible here", AT.object + 12, y + 19, "lk-title"),
    text(o ? fit([kindInWords(o.kind), levels(o)].filter((words) => words && words !== o.name).join(", "), WIDE.object - 24, 12) : "", AT.object + 12, y + 36, "lk-quiet"));
}

/** The same for a screen reader. @param {Scene} scene */
function inWords(scene) {
  return scene.processes.map((p) => `${clean(p.name)}: ${(p.descriptors ?? []).map((/** @type {Thing} */ d) => {
    const o = scene.objects.find((x) => x.id === d.object);
    return `${d.fd} ${d.mode ?? ""} ${o ? clean(o.name) : "not visible"}${d.description == null ? "" : ` through description ${d.description}`}`;
  }).join(", ")}`).join(". ") || "No process has anything open.";
}
