// Bytes of memory as cells: text, hex, or integers of 1, 2, 4, 8 bytes. Pure.

/** @typedef {"text"|"hex"|"1"|"2"|"4"|"8"} Form */
/** @typedef {{at: number, bytes: number, text: string, kind: "letter"|"hex"|"zero"|"number"}} Cell */

/** Each form, what it is called on its button, and what it is. @type {[Form, string, string][]} */
export const FORMS = [
  ["text", "text", "text; what is no text in hex"],
  ["hex", "hex", "hex: every byte"],
  ["1", "1", "integers of 1 byte, unsigned"],
  ["2", "2", "integers of 2 bytes, signed"],
  ["4", "4", "integers of 4 bytes, signed"],
  ["8", "8", "integers of 8 bytes, signed"],
];

/** Bytes in a cell of this form. @param {Form} form */
export function wide(form) {
  return form === "text" || form === "hex" ? 1 : Number(form);
}

/**
 * The bytes as cells, in order. What is left at the end and too short for an integer is shown in hex.
 * Numbers are little-endian, as on every machine that labkit runs on.
 * @param {Uint8Array} bytes @param {Form} [form] @returns {Cell[]}
 */
export function cells(bytes, form = "text") {
  const size = wide(form);
  const found = [];
  for (let at = 0; at < bytes.length; ) {
    const whole = at + size <= bytes.length;
    found.push(whole ? cell(bytes, at, form) : hex(bytes[at], at));
    at += whole ? size : 1;
  }
  return found;
}

/** @param {Uint8Array} bytes @param {number} at @param {Form} form @returns {Cell} */
function cell(bytes, at, form) {
  if (form === "hex") return hex(bytes[at], at);
  if (form === "text") return letter(bytes[at], at);
  const size = wide(form);
  const view = new DataView(bytes.buffer, bytes.byteOffset + at, size);
  const number = { 1: () => view.getUint8(0), 2: () => view.getInt16(0, true), 4: () => view.getInt32(0, true), 8: () => view.getBigInt64(0, true) }[size];
  const text = String(number?.()).replace("-", "−");
  return { at, bytes: size, text, kind: text === "0" ? "zero" : "number" };
}

/** @param {number} byte @param {number} at @returns {Cell} */
function hex(byte, at) {
  return { at, bytes: 1, text: byte.toString(16).padStart(2, "0"), kind: byte ? "hex" : "zero" };
}

/** @param {number} byte @param {number} at @returns {Cell} */
function letter(byte, at) {
  if (byte === 0) return { at, bytes: 1, text: "·", kind: "zero" };
  if (byte === 32) return { at, bytes: 1, text: "␣", kind: "letter" };
  return byte > 32 && byte < 127 ? { at, bytes: 1, text: String.fromCharCode(byte), kind: "letter" } : hex(byte, at);
}

/** Rows of sixteen bytes for a table: address, the bytes in this form, and as text. @param {Uint8Array} bytes @param {Form} [form] @returns {string[][]} */
export function dump(bytes, form = "text") {
  const shown = form === "text" ? "hex" : form;
  const digits = { hex: 2, 1: 3, 2: 6, 4: 11, 8: 20 }[shown] ?? 2;
  const rows = [];
  for (let at = 0; at < bytes.length; at += 16) {
    const part = bytes.slice(at, at + 16);
    rows.push([
      at.toString(16).padStart(4, "0"),
      cells(part, shown).map((c) => c.text.padStart(shown === "hex" ? 2 : digits)).join(" "),
      [...part].map((b) => (b > 31 && b < 127 ? String.fromCharCode(b) : "·")).join(""),
    ]);
  }
  return rows;
}

/** What the bytes of a table are shown as. @param {Form} [form] */
export function formInWords(form = "text") {
  return form === "text" || form === "hex" ? "hex" : (FORMS.find(([f]) => f === form)?.[2] ?? "");
}
