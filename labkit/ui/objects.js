// A kernel object's box: its title, and the drawing of its kind.

import { box, text } from "./svg.js";
import { OBJECT } from "./sizes.js";
import { clean, kindInWords, levels, sentence } from "./words.js";
import { fit, fitEnd, fitOne, width as wide } from "./widths.js";
import { drawMemory } from "./memory.js";
import { drawPipe, isFull, levelChoices } from "./pipe.js";
import { drawQueue } from "./queue.js";
import { drawSemaphores } from "./semaphore.js";
import { drawSmall } from "./small.js";
import { drawSockets, socketTitle } from "./socket.js";

/** @typedef {import("./words.js").Thing} Thing */
/** @typedef {import("./layout.js").ObjectBox} ObjectBox */

const BARE = new Set(["pipe", "fifo"]);

/** Everything inside the box; its corner is 0, 0. @param {ObjectBox} at @param {Thing} [before]  the same object in the last picture @returns {SVGElement[]} */
export function drawObject(at, before) {
  const { objects } = at;
  const [o] = objects;
  const frame = box(0, 0, at.width, at.height, BARE.has(o.kind) ? "lk-bare" : "lk-object", 8);
  return [frame, ...title(objects, at.width), ...body(at, objects, before), ...note(o, at)];
}

/** @param {ObjectBox} at @param {Thing[]} objects @param {Thing} [before] @returns {SVGElement[]} */
function body(at, objects, before) {
  const [o] = objects;
  if (BARE.has(o.kind)) return drawPipe(o, at.width, at.flow, before);
  if (/shm|memfd/.test(o.kind)) return drawMemory(o, at.width, before);
  if (/sem$/.test(o.kind)) return drawSemaphores(o, at.width);
  if (/msg|mq/.test(o.kind)) return drawQueue(o, at.width);
  if (/socket/.test(o.kind)) return drawSockets(objects, at.width);
  return drawSmall(o, at.width);
}

/** @param {Thing[]} objects @param {number} width @returns {SVGElement[]} */
function title(objects, width) {
  const both = /socket/.test(objects[0].kind) ? socketTitle(objects, width) : null;
  if (both) return both;
  const [o] = objects;
  const name = titleOf(o);
  const bold = BARE.has(o.kind) && isFull(o);
  const face = bold ? "bold" : "plain";
  const left = Math.min(110, wide(clean(name), 14, "bold"));
  const right = fitOne(BARE.has(o.kind) ? levelChoices(o) : [beside(o)], width - 34 - left, 12, face);
  const room = width - 34 - wide(right, 12, face);
  return [
    text((name.startsWith("/") ? fitEnd : fit)(name, room, 14, "bold"), BARE.has(o.kind) ? 4 : 14, 17, "lk-title"),
    text(right, width - (BARE.has(o.kind) ? 4 : 12), 17, `lk-quiet lk-end ${BARE.has(o.kind) && isFull(o) ? "lk-full" : ""}`),
  ];
}

const SYSV = /** @type {Record<string, string>} */ ({ "sysv-sem": "System V semaphores, ", "sysv-msg": "System V queue, ", "sysv-shm": "" });

/** What stands right of the title: its kind where the name does not say it, or its size. @param {Thing} o */
function beside(o) {
  if (o.kind in SYSV) return `${SYSV[o.kind]}${o.name}${o.kind === "sysv-shm" ? `, ${levels(o)}` : ""}`;
  if (o.kind === "group") return "";
  const kind = kindInWords(o.kind);
  const said = o.name.toLowerCase().includes(kind.toLowerCase().split(" (")[0]);
  const counted = /shm|memfd|eventfd/.test(o.kind) ? levels(o) : "";
  return counted || (said ? "" : kind);
}

/** What it is called in calls and sentences, and its own name. @param {Thing} o */
export function titleOf(o) {
  return /^sysv-/.test(o.kind) ? o.id.replace(/^sysv-/, "") : o.name;
}

/** @param {Thing} o @param {ObjectBox} at */
function note(o, at) {
  if (!o.notes?.length) return [];
  return [text(fit(o.notes.join("; "), at.width - 20, 11.5), at.width / 2, at.height - 7, "lk-note lk-middle")];
}

/** @param {Thing[]} objects */
export function objectLabel(objects) {
  return objects.map(sentence).join("; joined to ");
}
