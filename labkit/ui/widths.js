// How wide words are, and words cut to a width. Pure: an estimate from the widest of the fonts that pages use.

import { clean } from "./words.js";

/** @typedef {"plain"|"bold"|"mono"} Face */

/** Letters by their width in DejaVu Sans, in hundredths of its size. @type {[number, string][]} */
const LETTERS = [
  [30, " ,.'IJijl"], [36, "-/:;\\f|"], [41, "!()[]rt\""], [52, "*_`sz"], [57, "?Lc"], [61, "FPTYaekovxy"],
  [65, "$0123456789EKSbdghnpqu{}"], [70, "ABCRVXZ"], [77, "DGHNU"], [82, "&OQw"], [86, "#+<=>M^~"], [98, "%m@W"],
];
const WIDTHS = new Map(LETTERS.flatMap(([width, letters]) => [...letters].map((l) => [l, width / 100])));
const BOLD = 1.12;
const MONO = 0.605;
const WIDE = /[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\u{1f000}-\u{1faff}\u{20000}-\u{3fffd}]/u;

/** @param {string} letter */
function widthOf(letter) {
  const known = WIDTHS.get(letter);
  if (known) return known;
  if (/\p{M}/u.test(letter)) return 0;
  return WIDE.test(letter) || letter === "…" ? 1 : 0.75;
}

/** @param {string} words @param {number} size  of the font @param {Face} [face] */
export function width(words, size, face = "plain") {
  let sum = 0;
  for (const letter of words) sum += face === "mono" ? (WIDE.test(letter) ? 2 * MONO : MONO) : widthOf(letter);
  return sum * size * (face === "bold" ? BOLD : 1);
}

/** The beginning of `text`, as much as has room. @param {unknown} text @param {number} room @param {number} size @param {Face} [face] */
export function fit(text, room, size, face = "plain") {
  const safe = clean(text);
  if (width(safe, size, face) <= room) return safe;
  return beginning([...safe], room, size, face).join("") + "…";
}

/** Like `fit`, but keeps the end: of a path, the file's name matters. @param {unknown} text @param {number} room @param {number} size @param {Face} [face] */
export function fitEnd(text, room, size, face = "plain") {
  const safe = clean(text);
  if (width(safe, size, face) <= room) return safe;
  return "…" + beginning([...safe].reverse(), room, size, face).reverse().join("");
}

/** The longest of these that has room; the last, cut, where none has. @param {string[]} choices @param {number} room @param {number} size @param {Face} [face] */
export function fitOne(choices, room, size, face = "plain") {
  return choices.map(clean).find((words) => width(words, size, face) <= room) ?? fit(choices[choices.length - 1], room, size, face);
}

/** Words over two lines where one is too short. @param {string} words @param {number} room @param {number} size @returns {string[]} */
export function inTwo(words, room, size) {
  const safe = clean(words);
  if (width(safe, size) <= room) return [safe];
  const all = safe.split(" ");
  let first = all.length;
  while (first > 1 && width(all.slice(0, first).join(" "), size) > room) first--;
  return [fit(all.slice(0, first).join(" "), room, size), fit(all.slice(first).join(" "), room, size)].filter(Boolean);
}

/** @param {string[]} letters @param {number} room @param {number} size @param {Face} face */
function beginning(letters, room, size, face) {
  let left = room - width("…", size, face);
  let n = 0;
  while (n < letters.length - 1 && (left -= width(letters[n], size, face)) >= 0) n++;
  return letters.slice(0, Math.max(n, 1));
}
