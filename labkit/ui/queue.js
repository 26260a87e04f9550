// Message queues: the messages in order, each with its type or priority and its first bytes.

import { box, svg, text } from "./svg.js";
import { MESSAGES_SHOWN, OBJECT } from "./sizes.js";
import { count, fromBase64, line, number, share } from "./words.js";
import { fit } from "./widths.js";

/** @typedef {import("./words.js").Thing} Thing */

const ENVELOPE = { width: 72, height: 40 };

/** @param {Thing} o @param {number} width @returns {SVGElement[]} */
export function drawQueue(o, width) {
  const y = OBJECT.title + 2;
  const drawn = [box(0, y - 1, width, ENVELOPE.height + 8, "lk-rail", 0)];
  if (o.kind === "posix-mq") return [...drawn, ...counted(o, width, y), foot(o, width)];
  if (!o.messages) return [...drawn, text("messages not visible here", width / 2, y + 26, "lk-quiet lk-middle"), foot(o, width)];
  if (!o.messages.length) drawn.push(text("no message", width / 2, y + 26, "lk-quiet lk-middle"));
  const rest = o.messages.length - MESSAGES_SHOWN;
  const shown = o.messages.slice(0, rest > 0 ? MESSAGES_SHOWN - 1 : MESSAGES_SHOWN);
  shown.forEach((/** @type {Thing} */ m, /** @type {number} */ i) => drawn.push(envelope(m, 8 + i * (ENVELOPE.width + 6), y + 3)));
  if (rest > 0) drawn.push(text(`+ ${rest + 1} more`, 8 + shown.length * (ENVELOPE.width + 6) + 6, y + 27, "lk-more"));
  return [...drawn, foot(o, width)];
}

/** @param {Thing} m @param {number} x @param {number} y */
function envelope(m, x, y) {
  return svg("g", { class: "lk-message" },
    box(x, y, ENVELOPE.width, ENVELOPE.height, "lk-envelope", 4),
    text(fit(`type ${number(m.type)}`, ENVELOPE.width - 12, 11, "bold"), x + 6, y + 14, "lk-type"),
    text(m.head == null ? "?" : fit(line(fromBase64(m.head), 24), ENVELOPE.width - 12, 12, "mono"), x + 6, y + 31, "lk-mono"));
}

/** POSIX queues cannot be looked into: how many, and no more than that. @param {Thing} o @param {number} width @param {number} y */
function counted(o, width, y) {
  if (o.queued == null) return [text("messages not visible here", width / 2, y + 26, "lk-quiet lk-middle")];
  if (!o.queued) return [text("no message", width / 2, y + 26, "lk-quiet lk-middle")];
  const shown = Math.min(o.queued, 10);
  const drawn = Array.from({ length: shown }, (_, i) => svg("g", { class: "lk-message" },
    box(10 + i * 26, y + 9, 22, 28, "lk-envelope", 3),
    svg("path", { d: `M${10 + i * 26} ${y + 12} l11 9 l11 -9`, class: "lk-flow" })));
  if (o.queued > shown) drawn.push(text(`+${o.queued - shown}`, 14 + shown * 26, y + 27, "lk-more"));
  return drawn;
}

/** @param {Thing} o @param {number} width */
function foot(o, width) {
  if (o.kind === "posix-mq" ? o.queued == null : o.bytes == null) return text("", 0, 0, "lk-level");
  const words = o.kind === "posix-mq"
    ? `${share(o.queued, o.capacity, "messages")}${o.bytes == null ? "" : `, ${count(o.bytes, "byte")}`}, contents not visible`
    : share(o.bytes, o.capacity, "bytes");
  return text(fit(words, width - 16, 12), width / 2, OBJECT.title + ENVELOPE.height + 22, "lk-level lk-middle");
}
