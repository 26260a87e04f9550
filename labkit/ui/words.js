// Kernel facts as words and characters. Pure: no DOM.

/** @typedef {Record<string, any>} Thing  a process or an object of a Scene, as in JSON */
/** @typedef {{text: string, bytes: number, hex: boolean}} Token  one character, or one byte as hex */

const SHOWN = new Map([[9, "⇥"], [10, "↵"], [13, "␍"], [32, "␣"], [0, "␀"], [27, "␛"]]);

/**
 * Text that cannot disturb what stands around it: no control character, nothing that turns the
 * direction of writing. Names and messages come from programs, and a program may be hostile.
 * @param {unknown} value
 */
export function clean(value) {
  return String(value ?? "").replace(
    /[\u0000-\u001f\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb]/g,
    (c) => {
      const code = c.charCodeAt(0);
      return code < 32 ? String.fromCharCode(0x2400 + code) : "\ufffd";
    },
  );
}

/** @param {string | null | undefined} base64 @returns {Uint8Array} */
export function fromBase64(base64) {
  if (!base64) return new Uint8Array();
  return Uint8Array.from(atob(base64), (c) => c.charCodeAt(0));
}

/**
 * Bytes as characters where they are text, as hex where not. UTF-8 characters of several bytes are one token.
 * @param {Uint8Array} bytes
 * @returns {Token[]}
 */
export function tokens(bytes) {
  /** @type {Token[]} */
  const found = [];
  for (let i = 0; i < bytes.length; ) {
    const token = character(bytes, i);
    found.push(token);
    i += token.bytes;
  }
  return found;
}

/** @param {Uint8Array} bytes @param {number} at @returns {Token} */
function character(bytes, at) {
  const byte = bytes[at];
  if (byte > 32 && byte < 127) return { text: String.fromCharCode(byte), bytes: 1, hex: false };
  if (SHOWN.has(byte)) return { text: /** @type {string} */ (SHOWN.get(byte)), bytes: 1, hex: false };
  const size = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : byte >= 0xc2 ? 2 : 1;
  if (size > 1) {
    try {
      const text = new TextDecoder("utf-8", { fatal: true }).decode(bytes.slice(at, at + size));
      if (/^[\p{L}\p{N}\p{P}\p{S}]$/u.test(text)) return { text, bytes: size, hex: false };
    } catch {
      // Not UTF-8: it is shown as the byte it is.
    }
  }
  return { text: byte.toString(16).padStart(2, "0"), bytes: 1, hex: true };
}

/** Bytes as one short line: `hello↵`, or hex with blanks. @param {Uint8Array} bytes @param {number} most */
export function line(bytes, most = 40) {
  const all = tokens(bytes);
  const hex = all.filter((t) => t.hex).length * 2 > all.length;
  const parts = hex ? [...bytes].map((b) => b.toString(16).padStart(2, "0") + " ") : all.map(plain);
  let text = "";
  for (const part of parts) {
    if (text.length + part.length > most) return text + "…";
    text += part;
  }
  return text.trimEnd();
}

/** @param {Token} token */
function plain(token) {
  if (token.hex) return `\\x${token.text}`;
  return token.text === "␣" ? " " : token.text;
}

/** @param {number | null | undefined} n */
export function number(n) {
  return n == null ? "?" : String(n).replace(/\B(?=(\d{3})+(?!\d))/g, ",");
}

/** `1 byte`, `5 bytes`. @param {number} n @param {string} noun @param {string} [many] */
export function count(n, noun, many = noun + "s") {
  return `${number(n)} ${n === 1 ? noun : many}`;
}

/** A size in the unit people use for it: `512 bytes`, `64 KiB`. @param {number | null | undefined} n */
export function size(n) {
  if (n == null) return "size not known";
  if (n >= 1 << 20 && n % (1 << 20) === 0) return `${number(n / (1 << 20))} MiB`;
  if (n >= 1024 && n % 1024 === 0) return `${number(n / 1024)} KiB`;
  return count(n, "byte");
}

/** `60 of 100 bytes`; what is not known is said to be not known. @param {number|null} some @param {number|null} all @param {string} unit */
export function share(some, all, unit) {
  if (some == null && all == null) return `${unit}: not visible here`;
  if (some == null) return `? of ${number(all)} ${unit}`;
  if (all == null) return count(some, unit.replace(/s$/, ""), unit);
  return `${number(some)} of ${number(all)} ${unit}`;
}

const SLEEPS = new Set(["nanosleep", "clock_nanosleep", "sleep", "usleep"]);
const FOR = /** @type {Record<string, string>} */ ({
  accept: "a connection", accept4: "a connection", connect: "the other side", msgrcv: "a message", mq_receive: "a message",
  mq_timedreceive: "a message", msgsnd: "room", mq_send: "room", mq_timedsend: "room", wait4: "a child", waitid: "a child",
  waitpid: "a child", vfork: "the child", pause: "a signal", rt_sigsuspend: "a signal", rt_sigtimedwait: "a signal",
});

/** A blocked call as a learner would say it: `waiting in read(3)`. @param {Thing | null} blocked */
export function waiting(blocked) {
  return blocked ? waitingChoices(blocked)[0] : "";
}

/** The same, from all there is to say to the shortest. @param {Thing} blocked @returns {string[]} */
export function waitingChoices(blocked) {
  const name = clean(blocked.call);
  if (SLEEPS.has(name)) return [`sleeping in ${name}`, `asleep in ${name}`];
  const inside = blocked.on?.length ? blocked.on.map((/** @type {Thing} */ w) => w.fd).join(", ") : blocked.fd ?? "";
  const call = `waiting in ${name}${inside === "" ? "" : `(${inside})`}`;
  const why = FOR[name] ? ` for ${FOR[name]}` : "";
  const until = blocked.timed ? ", with a time limit" : "";
  return [...new Set([call + why + until, call + until, call + why, call, call.replace("waiting ", "")])];
}

/** How a process ended. @param {number | null | undefined} exit */
export function ending(exit) {
  if (exit == null) return "ended";
  return exit < 0 ? `ended by signal ${signalName(-exit)}` : `ended with status ${exit}`;
}

const SIGNALS = (
  "HUP INT QUIT ILL TRAP ABRT BUS FPE KILL USR1 SEGV USR2 PIPE ALRM TERM STKFLT CHLD CONT STOP TSTP TTIN TTOU"
).split(" ");

/** @param {number} n */
export function signalName(n) {
  return SIGNALS[n - 1] ? `SIG${SIGNALS[n - 1]}` : String(n);
}

/** What a process does right now, in words. @param {Thing} process */
export function doing(process) {
  if (process.members) return process.words;
  if (process.state === "dead") return ending(process.exit);
  if (process.state === "zombie") return `${ending(process.exit)}, not yet waited for`;
  if (process.state === "stopped") return "stopped by a signal";
  if (process.blocked) return waiting(process.blocked);
  return process.state === "running" ? "running" : "sleeping";
}

/** The same in the words that have room. @param {Thing} process @returns {string[]} */
export function doingChoices(process) {
  const awake = process.members || ["dead", "zombie", "stopped"].includes(process.state) || !process.blocked;
  return awake ? [doing(process)] : waitingChoices(process.blocked);
}

const KINDS = {
  pipe: "pipe", fifo: "FIFO", "unix-socket": "Unix socket", "inet-socket": "network socket",
  "sysv-shm": "shared memory (System V)", "sysv-sem": "semaphores (System V)",
  "sysv-msg": "message queue (System V)", "posix-shm": "shared memory (POSIX)",
  memfd: "memory file", "posix-sem": "semaphore (POSIX)", "posix-mq": "message queue (POSIX)",
  file: "file", eventfd: "event counter", epoll: "epoll set", signalfd: "signal descriptor",
  timerfd: "timer", lock: "file lock", terminal: "terminal", other: "kernel object", group: "group",
};

/** @param {string} kind */
export function kindInWords(kind) {
  return /** @type {Record<string, string>} */ (KINDS)[kind] ?? clean(kind);
}

/** The whole of an object in one sentence, for a screen reader. @param {Thing} o */
export function sentence(o) {
  const [kind, name] = [kindInWords(o.kind), clean(o.name)];
  const what = name.toLowerCase().startsWith(kind.toLowerCase()) ? name : `${kind} ${name}`; // not “pipe pipe 1”
  const level = levels(o);
  const head = o.head ? `, begins with ${line(fromBase64(o.head), 30)}` : "";
  return [what, level].filter(Boolean).join(": ") + head;
}

/** How full, how many: one short phrase, the same in the picture and to a screen reader. @param {Thing} o */
export function levels(o) {
  switch (o.kind) {
    case "pipe":
    case "fifo":
      return (o.queued != null && o.queued === o.capacity ? "full: " : "") + share(o.queued, o.capacity, "bytes");
    case "unix-socket":
      return o.state === "listening" ? lineBeforeAccept(o) : o.queued == null ? clean(o.state) : count(o.queued, "byte") + " to receive";
    case "inet-socket":
      return o.state && /listen/i.test(o.state) ? lineBeforeAccept(o) : clean(o.state);
    case "sysv-shm":
      return size(o.size) + (o.attached == null ? "" : `, ${o.attached} attached`);
    case "posix-shm":
    case "memfd":
      return size(o.size);
    case "sysv-sem":
      return o.values ? (o.values.length === 1 ? "value " : "values ") + o.values.join(", ") : "values not visible here";
    case "posix-sem":
      return o.value == null ? "value not visible here" : `value ${o.value}`;
    case "sysv-msg":
      return o.messages ? count(o.messages.length, "message") : share(o.bytes, o.capacity, "bytes");
    case "posix-mq":
      return share(o.queued, o.capacity, "messages");
    case "eventfd":
      return o.count == null ? "count not visible here" : `count ${number(o.count)}`;
    case "file":
      return o.size == null ? "" : size(o.size);
    case "timerfd":
      return timerInWords(o);
    default:
      return "";
  }
}

/** @param {Thing} o */
function lineBeforeAccept(o) {
  const some = o.waiting == null ? "?" : o.waiting;
  return `listening, ${some} waiting for accept` + (o.backlog == null ? "" : ` (room for ${number(o.backlog)})`);
}

/** @param {Thing} o */
function timerInWords(o) {
  if (o.remaining_ns == null && o.interval_ns == null) return "";
  const every = o.interval_ns ? `, every ${seconds(o.interval_ns)}` : "";
  return o.remaining_ns ? `fires in ${seconds(o.remaining_ns)}${every}` : `not set${every}`;
}

/** @param {number} ns */
export function seconds(ns) {
  return ns >= 1e9 ? `${(ns / 1e9).toFixed(1)} s` : `${Math.round(ns / 1e6)} ms`;
}
