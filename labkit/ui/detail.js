// All that is known of one process or object, as a table beside the picture.

import { dump, FORMS, formInWords } from "./cells.js";
import { html, set } from "./svg.js";
import { clean, doing, fromBase64, kindInWords, number, tokens } from "./words.js";

/** @typedef {import("./scene.js").Scene} Scene */
/** @typedef {import("./words.js").Thing} Thing */

const SKIP = new Set(["kind", "name", "id", "head", "notes", "threads", "descriptors", "mappings", "signals", "blocked", "messages", "views", "lines", "lastNames", "holderNames", "form"]);
/** What only some have, or is asked for only while somebody waits: nothing is said where it is not known. */
const FOR_SOME = new Set(["others", "in_transit"]);

/** Of fields whose names do not say what is meant. @type {Record<string, string>} */
const LABELS = { others: "held by others too", last: "last used by", creator: "made by", destroyed: "marked for destruction" };

/** @param {Scene} scene @param {string} key @returns {HTMLElement[] | null}  null when it is no longer there */
export function detail(scene, key) {
  const process = scene.processes.find((p) => `p${p.pid}` === key);
  if (process) return ofProcess(process, scene);
  const object = scene.objects.find((o) => o.id === key);
  return object ? ofObject(object, scene) : null;
}

/** @param {Thing} p @param {Scene} scene */
function ofProcess(p, scene) {
  return [
    html("p", { class: "lk-heading" }, `${clean(p.name)}, pid ${p.pid}`),
    html("p", {}, `${doing(p)}${p.command ? " — " : ""}`, p.command ? html("code", {}, clean(p.command)) : null),
    descriptorTable(p, scene),
    ...(p.mappings?.length ? [mappingTable(p, scene)] : []),
    ...signalList(p.signals),
  ];
}

/** @param {Thing} p @param {Scene} scene */
function descriptorTable(p, scene) {
  if (!p.descriptors) return html("p", {}, "Its descriptor table is not visible here.");
  const rows = p.descriptors.map((/** @type {Thing} */ d) => {
    const object = scene.objects.find((o) => o.id === d.object);
    const others = sharers(d, p, scene);
    return [d.fd, d.mode ?? "?", object ? clean(object.name) : "?", d.flags?.join(" ") ?? "", d.offset ?? "", d.description == null ? "?" : `${d.description}${others}`];
  });
  return table("Descriptor table", ["fd", "mode", "leads to", "flags", "offset", "open file description"], rows);
}

/** @param {Thing} d @param {Thing} p @param {Scene} scene */
function sharers(d, p, scene) {
  if (d.description == null) return "";
  const names = scene.processes.flatMap((other) => (other.descriptors ?? [])
    .filter((/** @type {Thing} */ x) => x.description === d.description && !(other.pid === p.pid && x.fd === d.fd))
    .map((/** @type {Thing} */ x) => `${other.pid === p.pid ? "" : clean(other.name) + " "}fd ${x.fd}`));
  return names.length ? `, shared with ${names.join(", ")}` : "";
}

/** @param {Thing} p @param {Scene} scene */
function mappingTable(p, scene) {
  const rows = p.mappings.map((/** @type {Thing} */ m) => [clean(scene.objects.find((o) => o.id === m.object)?.name ?? m.object), ...mapped(m)]);
  return table("Memory", ["object", ...MAPPED], rows);
}

const MAPPED = ["at", "size", "rights", "kind", "pages"];

/** Where it is in a process's memory, and how. @param {Thing} m @returns {string[]} */
function mapped(m) {
  const pages = m.pages?.map((/** @type {[number, string]} */ [n, kind]) => `${n} ${kind}`).join(", ") ?? "not visible here";
  return [m.start == null ? "not visible here" : `0x${m.start.toString(16)}`, `${number(m.size)} bytes`, clean(m.prot), m.shared ? "shared" : "private", pages];
}

/** Who has it, through which descriptors, and in memory where. @param {Thing} o @param {Scene} scene @returns {HTMLElement[]} */
function heldBy(o, scene) {
  /** @param {string} list @param {(x: Thing) => any[]} row */
  const rows = (list, row) => scene.processes.flatMap((p) => (p[list] ?? [])
    .filter((/** @type {Thing} */ x) => x.object === o.id).map((/** @type {Thing} */ x) => [clean(p.name), ...row(x)]));
  const open = o.readers ? [] : rows("descriptors", (d) => [d.fd, d.mode ?? "?"]);
  const memory = rows("mappings", mapped);
  return [
    ...(open.length ? [table("Who has it open", ["process", "fd", "mode"], open)] : []),
    ...(memory.length ? [table("Who has it in memory", ["process", ...MAPPED], memory)] : []),
  ];
}

/** @param {Thing | null} signals */
function signalList(signals) {
  if (!signals) return [];
  const parts = ["pending", "blocked", "caught", "ignored"].filter((k) => signals[k]?.length).map((k) => `${k}: ${signals[k].join(", ")}`);
  return [html("p", {}, parts.length ? `Signals ${parts.join("; ")}.` : "No signal is pending, blocked, caught or ignored.")];
}

/** @param {Thing} o @param {Scene} scene */
function ofObject(o, scene) {
  return [
    html("p", { class: "lk-heading" }, clean(o.name)),
    html("p", {}, `${kindInWords(o.kind)}${o.notes?.length ? `: ${clean(o.notes.join("; "))}` : ""}`),
    table("What the kernel says", ["what", "value"], fields(o, scene)),
    ...heldBy(o, scene),
    ...(o.messages ? [messageTable(o)] : []),
    ...(o.head ? [bytesTable(fromBase64(o.head), o.form)] : []),
  ];
}

/** @param {Thing} o @param {Scene} scene */
function fields(o, scene) {
  return Object.entries(o).filter(([k, v]) => !SKIP.has(k) && !(v == null && (FOR_SOME.has(k) || isNone(o, k)))).map(([k, v]) => [LABELS[k] ?? k.replaceAll("_", " "), value(k, v, scene)]);
}

/** Of a pipe or a socket: it has no name, and nobody waits in line before one that does not listen. @param {Thing} o @param {string} name */
function isNone(o, name) {
  if (o.kind === "pipe" && name === "path") return true;
  return /socket/.test(o.kind) && (name === "path" || (o.state !== "listening" && (name === "backlog" || name === "waiting")));
}

/** @param {string} name @param {any} v @param {Scene} scene @returns {string} */
function value(name, v, scene) {
  if (v === null || v === undefined) return "not visible here";
  if (v === true || v === false) return v ? "yes" : "no";
  if (name === "holders" || name === "last" || name === "creator") return [v].flat().map((pid) => who(pid, scene)).join(", ") || "nobody";
  if (typeof v === "number") return name === "mode" ? `0${v.toString(8)}` : name === "key" ? `0x${(v >>> 0).toString(16).padStart(8, "0")}` : number(v);
  if (name === "readers" || name === "writers") return v.map((/** @type {Thing} */ e) => `${who(e.pid, scene)} fd ${e.fd}`).join(", ") || "nobody";
  if (name === "watching") return v.map((/** @type {Thing} */ w) => `fd ${w.fd} (${clean(w.events)})`).join(", ") || "nothing";
  if (Array.isArray(v)) return v.map(clean).join(", ") || "none";
  return clean(scene.objects.find((o) => o.id === v)?.name ?? v);
}

/** @param {number} pid @param {Scene} scene */
function who(pid, scene) {
  return clean(scene.processes.find((p) => p.pid === pid)?.name ?? `pid ${pid}`);
}

/** @param {Thing} o */
function messageTable(o) {
  const rows = o.messages.map((/** @type {Thing} */ m, /** @type {number} */ i) =>
    [i + 1, number(m.type), number(m.size), m.head == null ? "not visible here" : tokens(fromBase64(m.head)).map((t) => (t.hex ? `\\x${t.text}` : t.text)).join("")]);
  return table("Messages, the next one first", ["", "type", "bytes", "begins with"], rows);
}

/** Bytes by sixteens. @param {Uint8Array} bytes @param {import("./cells.js").Form} [form] */
function bytesTable(bytes, form) {
  return table("First bytes", ["at", formInWords(form), "text"], dump(bytes, form), "lk-dump");
}

/** As what the bytes of shared memory are shown: a row of buttons. @param {import("./cells.js").Form} now @param {(form: import("./cells.js").Form) => void} choose */
export function formButtons(now, choose) {
  const buttons = FORMS.map(([form, label, title]) => html("button", { type: "button", title, "aria-label": title, "aria-pressed": form === now }, label));
  buttons.forEach((button, i) => button.addEventListener("click", () => {
    for (const other of buttons) set(other, { "aria-pressed": String(other === button) });
    choose(FORMS[i][0]);
  }));
  return html("div", { class: "lk-buttons", role: "group", "aria-label": "bytes as" }, html("span", { class: "lk-quiet-html" }, "bytes as"), buttons[0], buttons[1], html("span", { class: "lk-quiet-html" }, "integers of"), ...buttons.slice(2), html("span", { class: "lk-quiet-html" }, "bytes"));
}

/** @param {string} caption @param {string[]} heads @param {any[][]} rows @param {string} [kind] */
function table(caption, heads, rows, kind = "") {
  return html("table", { class: kind },
    html("caption", {}, caption),
    html("thead", {}, html("tr", {}, ...heads.map((h) => html("th", { scope: "col" }, h || "no.")))),
    html("tbody", {}, ...rows.map((cells) => html("tr", {}, ...cells.map((c) => html("td", {}, clean(c)))))));
}
