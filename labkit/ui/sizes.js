// How large each kind of box is. Pure: `layout` and the drawing of each kind both read it from here.

/** @typedef {import("./words.js").Thing} Thing */

export const PROCESS = { width: 232, header: 52, port: 22, foot: 10, thread: 17, signal: 20, least: 72 };
export const OBJECT = { width: 326, title: 26 };
export const GAP = { row: 26, top: 14, gutter: 80, margin: 32 };
export const CELL = { width: 17, height: 24, across: 16 };
export const MESSAGES_SHOWN = 4;
export const THREADS_SHOWN = 4;
export const SEMAPHORE = { row: 34, shown: 6 };

/** Rows of a memory grid that are drawn in the picture; the panel has the rest. */
export const GRID_ROWS = 4;

/** @param {Thing} p @param {number} ports */
export function processHeight(p, ports) {
  const threads = (p.threads?.length ?? 0) > 1 ? Math.min(p.threads.length, THREADS_SHOWN + 1) : 0;
  const signals = p.signals?.pending?.length ? 1 : 0;
  return Math.max(PROCESS.least, PROCESS.header + threads * PROCESS.thread + signals * PROCESS.signal + ports * PROCESS.port + PROCESS.foot);
}

/** Height of an object's body, under its title. */
const BODY = /** @type {Record<string, (o: Thing) => number>} */ ({
  pipe: () => 42,
  fifo: () => 42,
  "unix-socket": (o) => (o.peer ? 84 : 60),
  "inet-socket": (o) => (o.peer ? 84 : 60),
  "sysv-shm": memoryBody,
  "posix-shm": memoryBody,
  memfd: memoryBody,
  "sysv-sem": (o) => 8 + SEMAPHORE.row * Math.max(1, Math.min(o.values?.length ?? 1, SEMAPHORE.shown)),
  "posix-sem": () => 44,
  "sysv-msg": () => 66,
  "posix-mq": () => 66,
  eventfd: () => 34,
  timerfd: () => 34,
  file: () => 34,
  lock: () => 36,
  signalfd: () => 34,
  epoll: (o) => 4 + 20 * Math.max(1, Math.min(o.watching?.length ?? 1, 5)),
  group: (o) => 14 + 18 * Math.min(o.lines?.length ?? 1, 6),
});

/** @param {Thing} o */
function memoryBody(o) {
  const bytes = o.head ? Math.floor((o.head.replace(/=+$/, "").length * 3) / 4) : 0;
  const rows = Math.max(1, Math.min(GRID_ROWS, Math.ceil(bytes / CELL.across)));
  return 12 + rows * 20 + (o.views?.length ? 6 : 0) + 20 * Math.min(o.views?.length ?? 0, 4);
}

/** @param {Thing} o */
export function objectHeight(o) {
  const body = BODY[o.kind] ?? (() => 24);
  return OBJECT.title + body(o) + (o.notes?.length ? 18 : 0);
}
