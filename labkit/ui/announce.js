// Says, for those who do not see it, what each process now does; at most once in a while.

import { clean, count, doing } from "./words.js";

/** @typedef {import("./scene.js").Scene} Scene */

const EVERY_MS = 2000;

/** @param {HTMLElement} region  an aria-live region */
export function announcer(region) {
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;
  /** @type {Map<number, string>} */
  let last = new Map();
  /** @type {Scene | null} */
  let next = null;

  const speak = () => {
    timer = undefined;
    if (!next || !region.isConnected) return;
    const now = new Map(next.processes.map((p) => [p.pid, `${clean(p.name)}: ${doing(p)}`]));
    const news = [...now].filter(([pid, words]) => last.get(pid) !== words).map(([, words]) => words);
    last = now;
    if (news.length) region.textContent = summary(news);
  };
  const say = (/** @type {Scene} */ scene) => {
    next = scene;
    timer ??= setTimeout(speak, EVERY_MS);
  };
  say.end = () => clearTimeout(timer);
  return say;
}

/** @param {string[]} news */
function summary(news) {
  const shown = news.slice(0, 4).join(". ");
  return news.length > 4 ? `${shown}, and ${count(news.length - 4, "more change")}` : shown;
}
