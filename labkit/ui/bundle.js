// labkit/ui/scene.js
function emptyScene() {
  return { processes: [], objects: [], waits: [], deadlocks: [], limits: [] };
}
function apply(scene, change) {
  return {
    processes: merge(scene.processes, change.processes, "pid", change.order?.processes),
    objects: merge(scene.objects, change.objects, "id", change.order?.objects),
    waits: change.waits ?? scene.waits,
    deadlocks: change.deadlocks ?? scene.deadlocks,
    limits: change.limits ?? scene.limits
  };
}
function merge(old, changes, key, order) {
  if (!changes && !order) return old;
  const all = new Map(old.map((thing) => [String(thing[key]), thing]));
  for (const [name, part] of Object.entries(changes ?? {})) {
    if (part === null) all.delete(name);
    else all.set(name, { ...all.get(name), ...part });
  }
  const names = order ? order.map(String) : [...all.keys()];
  return names.filter((name) => all.has(name)).map((name) => (
    /** @type {Thing} */
    all.get(name)
  ));
}
var QUIET = /* @__PURE__ */ new Set(["terminal", "other"]);
function drawnObjects(scene) {
  const links = allLinks(scene);
  const busy = new Set(scene.waits.map((w) => w.object));
  return scene.objects.filter((o) => {
    if (busy.has(o.id)) return true;
    if (o.kind === "file" && /^\/dev\/(null|zero|u?random|full)$/.test(o.path ?? "")) return false;
    if (o.kind === "file") return links.some((l) => l.object === o.id && l.fds.some((fd) => fd > 2)) || isLocked(scene, o);
    return !QUIET.has(o.kind);
  });
}
function isLocked(scene, file2) {
  return scene.objects.some((o) => o.kind === "lock" && o.file === file2.id);
}
function allLinks(scene) {
  const found = /* @__PURE__ */ new Map();
  const kinds = new Map(scene.objects.map((o) => [o.id, o]));
  const add = (pid, object, role, fd) => {
    if (object == null || !kinds.has(object)) return;
    const key = `${pid} ${object} ${role}`;
    const link = found.get(key) ?? { pid, object, role, fds: [] };
    if (fd != null && !link.fds.includes(fd)) link.fds.push(fd);
    found.set(key, link);
  };
  for (const p of scene.processes) linksOfProcess(p, add, kinds);
  for (const o of scene.objects) linksOfObject(o, scene, add);
  linksOfWaits(scene, add, found);
  return [...found.values()].filter((l) => scene.processes.some((p) => p.pid === l.pid));
}
function linksOfProcess(p, add, kinds) {
  for (const d of p.descriptors ?? []) {
    const kind2 = kinds.get(d.object)?.kind;
    const directed = kind2 === "pipe" || kind2 === "fifo";
    if (directed && d.mode === "rw") {
      add(p.pid, d.object, "write", d.fd);
      add(p.pid, d.object, "read", d.fd);
    } else add(p.pid, d.object, directed ? d.mode === "w" ? "write" : "read" : "both", d.fd);
  }
  for (const m of p.mappings ?? []) add(p.pid, m.object, "map");
}
function linksOfObject(o, scene, add) {
  const held = new Set(scene.processes.filter((p) => p.descriptors?.length).map((p) => p.pid));
  for (const end of o.writers ?? []) if (!held.has(end.pid)) add(end.pid, o.id, "write", end.fd);
  for (const end of o.readers ?? []) if (!held.has(end.pid)) add(end.pid, o.id, "read", end.fd);
  for (const pid of o.holders ?? []) add(pid, o.id, "hold");
  if (o.kind === "lock") for (const pid of o.waiting ?? []) add(pid, o.id, "wait");
  if (o.kind === "sysv-sem") {
    for (const pid of o.last ?? []) if (pid) add(pid, o.id, "last");
  }
}
function linksOfWaits(scene, add, found) {
  const linked = new Set([...found.values()].map((l) => `${l.pid} ${l.object}`));
  const peers = new Map(scene.objects.map((o) => [o.id, o.peer]));
  for (const w of scene.waits)
    for (const pid of [w.pid, ...w.for ?? []]) {
      const ends = [w.object, peers.get(w.object)].filter(Boolean);
      if (w.object && !ends.some((id) => linked.has(`${pid} ${id}`))) add(pid, w.object, pid === w.pid ? "wait" : "able");
    }
  for (const p of scene.processes)
    for (const b of [p.blocked, ...(p.threads ?? []).map((t) => t.blocked)])
      if (b?.object && !linked.has(`${p.pid} ${b.object}`)) add(p.pid, b.object, "wait");
}
function deadlocked(scene) {
  return new Set(scene.deadlocks.flatMap((d) => d.processes));
}

// labkit/ui/feed.js
function follow(model) {
  let asked = false;
  function onMessage(message) {
    const feed = model.get("feed");
    if (message?.kind === "whole" && message.feed.n >= feed.n) {
      asked = false;
      model.set("feed", message.feed);
    }
    if (message?.kind !== "change" || message.n <= feed.n) return;
    if (message.n === feed.n + 1) return model.set("feed", { n: message.n, scene: apply(feed.scene, message.change) });
    if (!asked) model.send({ do: "whole" });
    asked = true;
  }
  model.on("msg:custom", onMessage);
  return () => model.off("msg:custom", onMessage);
}

// labkit/ui/svg.js
var SVG = "http://www.w3.org/2000/svg";
function set(element, attributes) {
  for (const [name, value2] of Object.entries(attributes)) {
    if (value2 == null || value2 === false) element.removeAttribute(name);
    else if (element.getAttribute(name) !== String(value2)) element.setAttribute(name, String(value2));
  }
  return element;
}
function svg(name, attributes = {}, ...children) {
  const element = document.createElementNS(SVG, name);
  set(element, attributes);
  element.append(...children.filter((c) => c != null));
  return (
    /** @type {SVGElement} */
    element
  );
}
function html(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  set(element, attributes);
  element.append(...children.filter((c) => c != null));
  return element;
}
function text(content, x, y, kind2 = "", more = {}) {
  return svg("text", { x, y, class: `lk-text ${kind2}`, ...more }, content);
}
function box(x, y, width, height, kind2, rx = 6) {
  return svg("rect", { x, y, width, height, rx, class: kind2 });
}

// labkit/ui/words.js
var SHOWN = /* @__PURE__ */ new Map([[9, "\u21E5"], [10, "\u21B5"], [13, "\u240D"], [32, "\u2423"], [0, "\u2400"], [27, "\u241B"]]);
function clean(value2) {
  return String(value2 ?? "").replace(
    /[\u0000-\u001f\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb]/g,
    (c) => {
      const code = c.charCodeAt(0);
      return code < 32 ? String.fromCharCode(9216 + code) : "\uFFFD";
    }
  );
}
function fromBase64(base64) {
  if (!base64) return new Uint8Array();
  return Uint8Array.from(atob(base64), (c) => c.charCodeAt(0));
}
function tokens(bytes2) {
  const found = [];
  for (let i = 0; i < bytes2.length; ) {
    const token = character(bytes2, i);
    found.push(token);
    i += token.bytes;
  }
  return found;
}
function character(bytes2, at) {
  const byte = bytes2[at];
  if (byte > 32 && byte < 127) return { text: String.fromCharCode(byte), bytes: 1, hex: false };
  if (SHOWN.has(byte)) return { text: (
    /** @type {string} */
    SHOWN.get(byte)
  ), bytes: 1, hex: false };
  const size2 = byte >= 240 ? 4 : byte >= 224 ? 3 : byte >= 194 ? 2 : 1;
  if (size2 > 1) {
    try {
      const text2 = new TextDecoder("utf-8", { fatal: true }).decode(bytes2.slice(at, at + size2));
      if (/^[\p{L}\p{N}\p{P}\p{S}]$/u.test(text2)) return { text: text2, bytes: size2, hex: false };
    } catch {
    }
  }
  return { text: byte.toString(16).padStart(2, "0"), bytes: 1, hex: true };
}
function line(bytes2, most = 40) {
  const all = tokens(bytes2);
  const hex = all.filter((t) => t.hex).length * 2 > all.length;
  const parts = hex ? [...bytes2].map((b) => b.toString(16).padStart(2, "0") + " ") : all.map(plain);
  let text2 = "";
  for (const part of parts) {
    if (text2.length + part.length > most) return text2 + "\u2026";
    text2 += part;
  }
  return text2.trimEnd();
}
function plain(token) {
  if (token.hex) return `\\x${token.text}`;
  return token.text === "\u2423" ? " " : token.text;
}
function number(n) {
  return n == null ? "?" : String(n).replace(/\B(?=(\d{3})+(?!\d))/g, ",");
}
function count(n, noun, many = noun + "s") {
  return `${number(n)} ${n === 1 ? noun : many}`;
}
function size(n) {
  if (n == null) return "size not known";
  if (n >= 1 << 20 && n % (1 << 20) === 0) return `${number(n / (1 << 20))} MiB`;
  if (n >= 1024 && n % 1024 === 0) return `${number(n / 1024)} KiB`;
  return count(n, "byte");
}
function share(some, all, unit) {
  if (some == null && all == null) return `${unit}: not visible here`;
  if (some == null) return `? of ${number(all)} ${unit}`;
  if (all == null) return count(some, unit.replace(/s$/, ""), unit);
  return `${number(some)} of ${number(all)} ${unit}`;
}
function fit(text2, width, fontSize, wide = 0.56) {
  const safe = clean(text2);
  const most = Math.max(1, Math.floor(width / (fontSize * wide)));
  const letters = [...safe];
  return letters.length <= most ? safe : letters.slice(0, most - 1).join("") + "\u2026";
}
function fitEnd(text2, width, fontSize, wide = 0.56) {
  const letters = [...clean(text2)];
  const most = Math.max(1, Math.floor(width / (fontSize * wide)));
  return letters.length <= most ? letters.join("") : "\u2026" + letters.slice(letters.length - most + 1).join("");
}
function waiting(blocked) {
  if (!blocked) return "";
  const inside = blocked.on?.length ? blocked.on.map((w) => w.fd).join(", ") : blocked.fd ?? "";
  const until = blocked.timed ? ", for a limited time" : "";
  return `waiting in ${clean(blocked.call)}(${inside})${until}`;
}
function ending(exit) {
  if (exit == null) return "ended";
  return exit < 0 ? `ended by signal ${signalName(-exit)}` : `ended with status ${exit}`;
}
var SIGNALS = "HUP INT QUIT ILL TRAP ABRT BUS FPE KILL USR1 SEGV USR2 PIPE ALRM TERM STKFLT CHLD CONT STOP TSTP TTIN TTOU".split(" ");
function signalName(n) {
  return SIGNALS[n - 1] ? `SIG${SIGNALS[n - 1]}` : String(n);
}
function doing(process) {
  if (process.state === "dead") return ending(process.exit);
  if (process.state === "zombie") return `${ending(process.exit)}, not yet waited for`;
  if (process.state === "stopped") return "stopped by a signal";
  if (process.blocked) return waiting(process.blocked);
  return process.state === "running" ? "running" : "sleeping";
}
var KINDS = {
  pipe: "pipe",
  fifo: "FIFO",
  "unix-socket": "Unix socket",
  "inet-socket": "network socket",
  "sysv-shm": "shared memory (System V)",
  "sysv-sem": "semaphores (System V)",
  "sysv-msg": "message queue (System V)",
  "posix-shm": "shared memory (POSIX)",
  memfd: "memory file",
  "posix-sem": "semaphore (POSIX)",
  "posix-mq": "message queue (POSIX)",
  file: "file",
  eventfd: "event counter",
  epoll: "epoll set",
  signalfd: "signal descriptor",
  timerfd: "timer",
  lock: "file lock",
  terminal: "terminal",
  other: "kernel object",
  group: "group"
};
function kindInWords(kind2) {
  return (
    /** @type {Record<string, string>} */
    KINDS[kind2] ?? clean(kind2)
  );
}
function sentence(o) {
  const what = `${kindInWords(o.kind)} ${clean(o.name)}`;
  const level2 = levels(o);
  const head = o.head ? `, begins with ${line(fromBase64(o.head), 30)}` : "";
  return [what, level2].filter(Boolean).join(": ") + head;
}
function levels(o) {
  switch (o.kind) {
    case "pipe":
    case "fifo":
      return share(o.queued, o.capacity, "bytes");
    case "unix-socket":
      return o.state === "listening" ? lineBeforeAccept(o) : o.queued == null ? clean(o.state) : count(o.queued, "byte") + " to receive";
    case "inet-socket":
      return o.state && /listen/i.test(o.state) ? lineBeforeAccept(o) : clean(o.state);
    case "sysv-shm":
      return size(o.size) + (o.attached == null ? "" : `, attached ${count(o.attached, "time")}`);
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
function lineBeforeAccept(o) {
  const some = o.waiting == null ? "?" : o.waiting;
  return `listening, ${some} waiting for accept` + (o.backlog == null ? "" : ` (room for ${number(o.backlog)})`);
}
function timerInWords(o) {
  if (o.remaining_ns == null && o.interval_ns == null) return "";
  const every = o.interval_ns ? `, every ${seconds(o.interval_ns)}` : "";
  return o.remaining_ns ? `fires in ${seconds(o.remaining_ns)}${every}` : `not set${every}`;
}
function seconds(ns) {
  return ns >= 1e9 ? `${(ns / 1e9).toFixed(1)} s` : `${Math.round(ns / 1e6)} ms`;
}

// labkit/ui/detail.js
var SKIP = /* @__PURE__ */ new Set(["kind", "name", "id", "head", "notes", "threads", "descriptors", "mappings", "signals", "blocked", "messages", "views", "lines", "lastNames", "holderNames"]);
function detail(scene, key) {
  const process = scene.processes.find((p) => `p${p.pid}` === key);
  if (process) return ofProcess(process, scene);
  const object = scene.objects.find((o) => o.id === key);
  return object ? ofObject(object, scene) : null;
}
function ofProcess(p, scene) {
  return [
    html("h3", {}, `${clean(p.name)}, pid ${p.pid}`),
    html("p", {}, `${doing(p)}${p.command ? " \u2014 " : ""}`, p.command ? html("code", {}, clean(p.command)) : null),
    descriptorTable(p, scene),
    ...p.mappings?.length ? [mappingTable(p, scene)] : [],
    ...signalList(p.signals)
  ];
}
function descriptorTable(p, scene) {
  if (!p.descriptors) return html("p", {}, "Its descriptor table is not visible here.");
  const rows2 = p.descriptors.map((d) => {
    const object = scene.objects.find((o) => o.id === d.object);
    const others = sharers(d, p, scene);
    return [d.fd, d.mode ?? "?", object ? clean(object.name) : "?", d.flags?.join(" ") ?? "", d.offset ?? "", d.description == null ? "?" : `${d.description}${others}`];
  });
  return table("Descriptor table", ["fd", "mode", "leads to", "flags", "offset", "open file description"], rows2);
}
function sharers(d, p, scene) {
  if (d.description == null) return "";
  const names = scene.processes.flatMap((other) => (other.descriptors ?? []).filter((x) => x.description === d.description && !(other.pid === p.pid && x.fd === d.fd)).map((x) => `${other.pid === p.pid ? "" : clean(other.name) + " "}fd ${x.fd}`));
  return names.length ? `, shared with ${names.join(", ")}` : "";
}
function mappingTable(p, scene) {
  const rows2 = p.mappings.map((m) => {
    const pages2 = m.pages?.map(([n, kind2]) => `${n} ${kind2}`).join(", ") ?? "not visible here";
    return [clean(scene.objects.find((o) => o.id === m.object)?.name ?? m.object), `${number(m.size)} bytes`, clean(m.prot), m.shared ? "shared" : "private", pages2];
  });
  return table("Memory", ["object", "size", "rights", "kind", "pages"], rows2);
}
function signalList(signals) {
  if (!signals) return [];
  const parts = ["pending", "blocked", "caught", "ignored"].filter((k) => signals[k]?.length).map((k) => `${k}: ${signals[k].join(", ")}`);
  return [html("p", {}, parts.length ? `Signals ${parts.join("; ")}.` : "No signal is pending, blocked, caught or ignored.")];
}
function ofObject(o, scene) {
  return [
    html("h3", {}, clean(o.name)),
    html("p", {}, `${kindInWords(o.kind)}${o.notes?.length ? `. ${clean(o.notes.join("; "))}` : ""}`),
    table("What the kernel says", ["what", "value"], fields(o, scene)),
    ...o.messages ? [messageTable(o)] : [],
    ...o.head ? [bytesTable(fromBase64(o.head))] : []
  ];
}
function fields(o, scene) {
  return Object.entries(o).filter(([k]) => !SKIP.has(k)).map(([k, v]) => [k.replaceAll("_", " "), value(k, v, scene)]);
}
function value(name, v, scene) {
  if (v === null || v === void 0) return "not visible here";
  if (v === true || v === false) return v ? "yes" : "no";
  if (typeof v === "number") return name === "mode" ? `0${v.toString(8)}` : name === "key" ? `0x${(v >>> 0).toString(16).padStart(8, "0")}` : number(v);
  if (name === "readers" || name === "writers") return v.map((e) => `${who(e.pid, scene)} fd ${e.fd}`).join(", ") || "nobody";
  if (name === "holders" || name === "last" || name === "creator") return [v].flat().map((pid) => who(pid, scene)).join(", ") || "nobody";
  if (name === "watching") return v.map((w) => `fd ${w.fd} (${clean(w.events)})`).join(", ") || "nothing";
  if (Array.isArray(v)) return v.map(clean).join(", ") || "none";
  return clean(scene.objects.find((o) => o.id === v)?.name ?? v);
}
function who(pid, scene) {
  return clean(scene.processes.find((p) => p.pid === pid)?.name ?? `pid ${pid}`);
}
function messageTable(o) {
  const rows2 = o.messages.map((m, i) => [i + 1, number(m.type), number(m.size), m.head == null ? "not visible here" : tokens(fromBase64(m.head)).map((t) => t.hex ? `\\x${t.text}` : t.text).join("")]);
  return table("Messages, the next one first", ["", "type", "bytes", "begins with"], rows2);
}
function bytesTable(bytes2) {
  const rows2 = [];
  for (let at = 0; at < bytes2.length; at += 16) {
    const part = [...bytes2.slice(at, at + 16)];
    const hex = part.map((b) => b.toString(16).padStart(2, "0")).join(" ");
    rows2.push([at.toString(16).padStart(4, "0"), hex, part.map((b) => b > 31 && b < 127 ? String.fromCharCode(b) : "\xB7").join("")]);
  }
  return table("First bytes", ["at", "hex", "text"], rows2, "lk-dump");
}
function table(caption, heads, rows2, kind2 = "") {
  return html(
    "table",
    { class: kind2 },
    html("caption", {}, caption),
    html("thead", {}, html("tr", {}, ...heads.map((h) => html("th", { scope: "col" }, h || "no.")))),
    html("tbody", {}, ...rows2.map((cells2) => html("tr", {}, ...cells2.map((c) => html("td", {}, clean(c))))))
  );
}

// labkit/ui/sizes.js
var PROCESS = { width: 212, header: 52, port: 22, foot: 10, thread: 17, signal: 20 };
var OBJECT = { width: 316, title: 26 };
var GAP = { row: 26, gutter: 84, margin: 18 };
var CELL = { width: 17, height: 24, across: 16 };
var MESSAGES_SHOWN = 4;
var THREADS_SHOWN = 4;
var GRID_ROWS = 4;
function processHeight(p, ports) {
  const threads2 = (p.threads?.length ?? 0) > 1 ? Math.min(p.threads.length, THREADS_SHOWN + 1) : 0;
  const signals = p.signals?.pending?.length ? 1 : 0;
  return PROCESS.header + threads2 * PROCESS.thread + signals * PROCESS.signal + ports * PROCESS.port + PROCESS.foot;
}
var BODY = (
  /** @type {Record<string, (o: Thing) => number>} */
  {
    pipe: () => 60,
    fifo: () => 60,
    "unix-socket": (o) => o.peer ? 82 : 62,
    "inet-socket": (o) => o.peer ? 82 : 62,
    "sysv-shm": memoryBody,
    "posix-shm": memoryBody,
    memfd: memoryBody,
    "sysv-sem": (o) => 22 + 34 * Math.max(1, Math.min(o.values?.length ?? 1, 6)),
    "posix-sem": () => 50,
    "sysv-msg": () => 66,
    "posix-mq": () => 66,
    eventfd: () => 34,
    timerfd: () => 34,
    file: () => 34,
    lock: () => 40,
    signalfd: () => 34,
    epoll: (o) => 16 + 20 * Math.max(1, Math.min(o.watching?.length ?? 1, 5)),
    group: (o) => 14 + 18 * Math.min(o.lines?.length ?? 1, 6)
  }
);
function memoryBody(o) {
  const bytes2 = o.head ? Math.floor(o.head.length * 3 / 4) : 0;
  const rows2 = Math.max(1, Math.min(GRID_ROWS, Math.ceil(bytes2 / CELL.across)));
  return 12 + rows2 * 20 + (o.views?.length ? 6 : 0) + 20 * Math.min(o.views?.length ?? 0, 4);
}
function objectHeight(o) {
  const body2 = BODY[o.kind] ?? (() => 24);
  return OBJECT.title + body2(o) + (o.notes?.length ? 18 : 0);
}

// labkit/ui/routes.js
function curve(a, b, leave2, arrive) {
  const reach = Math.max(28, Math.abs(b.x - a.x) * 0.5);
  return `M${r(a.x)} ${r(a.y)} C${r(a.x + leave2 * reach)} ${r(a.y)} ${r(b.x - arrive * reach)} ${r(b.y)} ${r(b.x)} ${r(b.y)}`;
}
function corners(points, radius = 10) {
  const parts = [`M${r(points[0].x)} ${r(points[0].y)}`];
  for (let i = 1; i < points.length - 1; i++) {
    const [before, at, after] = [points[i - 1], points[i], points[i + 1]];
    const size2 = Math.min(radius, distance(before, at) / 2, distance(at, after) / 2);
    const into = toward(at, before, size2);
    const out = toward(at, after, size2);
    parts.push(`L${r(into.x)} ${r(into.y)} Q${r(at.x)} ${r(at.y)} ${r(out.x)} ${r(out.y)}`);
  }
  const last = points[points.length - 1];
  return [...parts, `L${r(last.x)} ${r(last.y)}`].join(" ");
}
function distance(a, b) {
  return Math.hypot(a.x - b.x, a.y - b.y);
}
function toward(from, to, length) {
  const whole = distance(from, to) || 1;
  return { x: from.x + (to.x - from.x) * length / whole, y: from.y + (to.y - from.y) * length / whole };
}
function r(n) {
  return Math.round(n * 10) / 10;
}

// labkit/ui/lines.js
function connect(scene, links, processes, objects) {
  const boxOf = new Map(objects.flatMap((b) => b.objects.map((o) => (
    /** @type {[string, ObjectBox]} */
    [o.id, b]
  ))));
  const anchors = makeAnchors(links, processes, boxOf);
  makePorts(links, processes, anchors);
  const lines = links.map((l) => makeLine(l, processes, anchors, boxOf)).filter((l) => l != null);
  markWaits(scene, lines);
  return [...lines, ...waitsWithoutObject(scene, processes)];
}
function keyOf(link) {
  return `${link.pid} ${link.object} ${link.role}`;
}
function makeAnchors(links, processes, boxOf) {
  const anchors = /* @__PURE__ */ new Map();
  const meeting = /* @__PURE__ */ new Map();
  for (const link of links) {
    const box2 = boxOf.get(link.object);
    const from = processes.find((p) => p.pid === link.pid);
    if (!box2 || !from) continue;
    const key = `${box2.key} ${sideOf(link, box2, from)}`;
    meeting.set(key, [...meeting.get(key) ?? [], { link, from }]);
  }
  for (const group2 of meeting.values()) spread(group2, boxOf, anchors);
  return anchors;
}
function sideOf(link, box2, from) {
  const other = box2.flow === "right" ? "left" : "right";
  if (kind(box2) === "pipe" || kind(box2) === "fifo") {
    if (link.role === "write") return other;
    if (link.role === "read") return box2.flow;
  }
  if (box2.objects.length === 2) return box2.objects[0].id === link.object ? "left" : "right";
  return from.side;
}
var HEAD = 15;
var TUBE_MIDDLE = 20;
function kind(box2) {
  return box2.objects[0].kind;
}
function spread(group2, boxOf, anchors) {
  group2.sort((a, b) => a.from.y - b.from.y);
  const straight = group2.filter((g) => sideOf(
    g.link,
    /** @type {ObjectBox} */
    boxOf.get(g.link.object),
    g.from
  ) === g.from.side);
  group2.forEach(({ link, from }) => {
    const box2 = (
      /** @type {ObjectBox} */
      boxOf.get(link.object)
    );
    const side = sideOf(link, box2, from);
    const under = side !== from.side;
    const all = under ? group2.filter((g) => !straight.some((s) => s.link === g.link)) : straight;
    const rank = all.findIndex((g) => g.link === link);
    const body2 = box2.height - OBJECT.title - (box2.objects[0].notes?.length ? 18 : 0);
    const isTube = kind(box2) === "pipe" || kind(box2) === "fifo";
    const middle = box2.y + OBJECT.title + (isTube ? TUBE_MIDDLE : body2 / 2);
    const step = Math.min(13, (body2 - 16) / Math.max(1, group2.length));
    const n = under ? straight.length + rank : rank;
    const y = middle + (n - (group2.length - 1) / 2) * step;
    anchors.set(keyOf(link), { x: side === "left" ? box2.x : box2.x + box2.width, y, side, under, rank });
  });
}
function makePorts(links, processes, anchors) {
  for (const p of processes) {
    const mine = links.filter((l) => l.pid === p.pid && anchors.has(keyOf(l)));
    mine.sort((a, b) => (
      /** @type {Anchor} */
      anchors.get(keyOf(a)).y - /** @type {Anchor} */
      anchors.get(keyOf(b)).y
    ));
    const top = p.y + PROCESS.header + extraRows(p.process);
    p.ports = mine.map((l, i) => ({
      fd: l.fds[0] ?? null,
      label: portLabel(l),
      role: l.role,
      object: l.object,
      x: p.side === "left" ? p.x + p.width : p.x,
      y: top + i * PROCESS.port + PROCESS.port / 2
    }));
  }
}
function extraRows(process) {
  const threads2 = (process.threads?.length ?? 0) > 1 ? Math.min(process.threads.length, THREADS_SHOWN + 1) : 0;
  return threads2 * PROCESS.thread + (process.signals?.pending?.length ? PROCESS.signal : 0);
}
var WITHOUT_FD = (
  /** @type {Record<string, string>} */
  {
    map: "mapped",
    wait: "waits",
    last: "used it last",
    hold: "holds it",
    able: "could end it",
    read: "reads",
    write: "writes",
    both: "uses"
  }
);
function portLabel(link) {
  if (!link.fds.length) return WITHOUT_FD[link.role] ?? "";
  const some = link.fds.length > 3 ? [...link.fds.slice(0, 2), "\u2026"] : link.fds;
  return some.join(", ");
}
function makeLine(link, processes, anchors, boxOf) {
  const anchor = anchors.get(keyOf(link));
  const process = processes.find((p) => p.pid === link.pid);
  const port = process?.ports.find((p) => p.object === link.object && p.role === link.role);
  const box2 = boxOf.get(link.object);
  if (!anchor || !process || !port || !box2) return null;
  const leave2 = process.side === "left" ? 1 : -1;
  const around = anchor.under ? aroundBelow(port, anchor, box2, leave2) : null;
  const into = anchor.side === "left" ? -HEAD : HEAD;
  const home = { x: port.x + leave2 * (HEAD + 6), y: port.y };
  const short = { x: anchor.x + into, y: anchor.y };
  const route = (a, b, way) => {
    if (!around) return curve(a, b, way, way);
    const points = way === leave2 ? [a, ...around, b] : [a, ...around.toReversed(), b];
    return corners(points);
  };
  return {
    key: keyOf(link),
    pid: link.pid,
    object: link.object,
    role: link.role,
    waits: "",
    dead: false,
    path: route(port, anchor, leave2),
    back: route(anchor, port, -leave2),
    pathShort: route(port, short, leave2),
    backShort: route(anchor, home, -leave2)
  };
}
function aroundBelow(port, anchor, box2, leave2) {
  const near = leave2 > 0 ? box2.x - 26 - anchor.rank * 7 : box2.x + box2.width + 26 + anchor.rank * 7;
  const far = leave2 > 0 ? box2.x + box2.width + 26 + anchor.rank * 7 : box2.x - 26 - anchor.rank * 7;
  const below = box2.y + box2.height + 8 + anchor.rank * 5;
  return [{ x: near, y: port.y }, { x: near, y: below }, { x: far, y: below }, { x: far, y: anchor.y }];
}
function markWaits(scene, lines) {
  for (const wait of scene.waits) {
    if (!wait.object) continue;
    const out = waiterLine(wait, scene, lines);
    const peer = scene.objects.find((o) => o.id === wait.object)?.peer;
    if (out) mark(out, "waits", isDead(scene, wait.pid, wait.pid));
    for (const pid of wait.for ?? []) {
      const line3 = lines.find((l) => l.pid === pid && (l.object === wait.object || l.object === peer) && l !== out && fits(l, out));
      if (line3) mark(line3, "awaited", isDead(scene, wait.pid, pid));
    }
  }
}
function waiterLine(wait, scene, lines) {
  const process = scene.processes.find((p) => p.pid === wait.pid);
  const thread = process?.threads?.find((t) => t.tid === wait.tid);
  const call = thread?.blocked?.call ?? process?.blocked?.call ?? "";
  const writes = /^(write|send|splice|vmsplice|tee|open)/.test(call);
  const mine = lines.filter((l) => l.pid === wait.pid && l.object === wait.object);
  return mine.find((l) => l.role === (writes ? "write" : "read")) ?? mine[0];
}
function fits(line3, out) {
  if (out?.role === "read") return line3.role === "write";
  if (out?.role === "write") return line3.role === "read";
  return true;
}
function mark(line3, how, dead) {
  line3.waits = how;
  line3.dead ||= dead;
}
function isDead(scene, a, b) {
  return scene.deadlocks.some((d) => d.processes.includes(a) && d.processes.includes(b));
}
function waitsWithoutObject(scene, processes) {
  const lines = [];
  const deepest = Math.max(0, ...processes.map((p) => p.y + p.height));
  for (const wait of scene.waits) {
    if (wait.object) continue;
    for (const pid of wait.for ?? []) {
      const from = processes.find((p) => p.pid === wait.pid);
      const to = processes.find((p) => p.pid === pid);
      if (!from || !to || from === to) continue;
      const points = from.side === to.side ? besides(from, to) : beneath(from, to, deepest + 26 + lines.length * 6);
      const overhead = from.side !== to.side;
      const dead = isDead(scene, wait.pid, pid);
      const last = points[points.length - 1];
      const up = points[points.length - 2].y > last.y ? HEAD + 2 : -HEAD - 2;
      const short = corners([...points.slice(0, -1), { x: last.x, y: last.y + up }]);
      const key = `${wait.pid} for ${pid} ${wait.tid}`;
      lines.push({ key, pid: wait.pid, object: null, role: "child", path: short, back: short, pathShort: short, backShort: short, waits: "waits", dead, overhead });
    }
  }
  return lines;
}
function besides(from, to) {
  const below = from.y < to.y;
  const x = from.x + 30;
  const start = { x, y: below ? from.y + from.height : from.y };
  return [start, { x, y: below ? to.y : to.y + to.height }];
}
function beneath(from, to, level2) {
  const a = { x: from.x + from.width / 2, y: from.y + from.height };
  const b = { x: to.x + to.width / 2, y: to.y + to.height };
  return [a, { x: a.x, y: level2 }, { x: b.x, y: level2 }, b];
}

// labkit/ui/enrich.js
function enrich(o, scene) {
  const name = (pid) => scene.processes.find((p) => p.pid === pid)?.name ?? (pid ? `pid ${pid}` : null);
  if (o.kind === "sysv-sem") return { ...o, lastNames: (o.last ?? []).map(name) };
  if (o.kind === "lock") return { ...o, holderNames: (o.holders ?? []).map(name) };
  if (o.kind === "epoll") return { ...o, watching: o.watching?.map((w) => ({ ...w, objectName: scene.objects.find((x) => x.id === w.object)?.name })) };
  if (/shm|memfd/.test(o.kind)) return { ...o, views: viewsOf(o, scene) };
  return o;
}
function viewsOf(o, scene) {
  return scene.processes.flatMap((p) => (p.mappings ?? []).filter((m) => m.object === o.id).map((m) => ({ name: p.name, prot: m.prot, shared: m.shared, pages: m.pages, start: m.start, size: m.size })));
}

// labkit/ui/layout.js
function noMemory() {
  return { sides: /* @__PURE__ */ new Map(), places: /* @__PURE__ */ new Map(), pairs: /* @__PURE__ */ new Map(), flows: /* @__PURE__ */ new Map() };
}
function layout(scene, memory = noMemory()) {
  const objects = drawnObjects(scene).map((o) => enrich(o, scene));
  const shown = new Set(objects.map((o) => o.id));
  const links = allLinks(scene).filter((l) => shown.has(l.object));
  const units = inUnits(objects, memory);
  const sides = chooseSides(scene, links, units, memory);
  const columns = measure(scene, links, units, sides);
  const places = place(columns, links, memory);
  return build(scene, links, columns, places, sides, memory);
}
function inUnits(objects, memory) {
  const byId = new Map(objects.map((o) => [o.id, o]));
  const done = /* @__PURE__ */ new Set();
  const units = [];
  for (const o of objects) {
    if (done.has(o.id)) continue;
    const peer = o.peer && o.peer !== o.id && !done.has(o.peer) ? byId.get(o.peer) : void 0;
    const members = peer ? [o, peer] : [o];
    for (const m of members) done.add(m.id);
    const key = memory.pairs.get(o.id)?.[0] ?? o.id;
    units.push({ key, objects: members, height: Math.max(...members.map(objectHeight)) });
  }
  return units;
}
function chooseSides(scene, links, units, memory) {
  const sides = /* @__PURE__ */ new Map();
  for (const p of scene.processes) {
    const known = memory.sides.get(p.pid);
    if (known) sides.set(p.pid, known);
  }
  const unitOf = new Map(units.flatMap((u) => u.objects.map((o) => [o.id, u.key])));
  for (const pid of walk(scene, links, unitOf)) {
    if (!sides.has(pid)) sides.set(pid, vote(pid, links, unitOf, sides));
  }
  return sides;
}
function walk(scene, links, unitOf) {
  const source = (pid) => links.reduce((n, l) => n + (l.pid !== pid ? 0 : l.role === "write" ? 1 : l.role === "read" ? -1 : 0), 0);
  const order = scene.processes.map((p) => p.pid).sort((a, b) => Math.sign(source(b)) - Math.sign(source(a)));
  const found = [];
  for (const start of order) {
    const queue = [start];
    while (queue.length) {
      const pid = (
        /** @type {number} */
        queue.shift()
      );
      if (found.includes(pid)) continue;
      found.push(pid);
      const mine = new Set(links.filter((l) => l.pid === pid).map((l) => unitOf.get(l.object)));
      for (const l of links) if (mine.has(unitOf.get(l.object)) && !found.includes(l.pid)) queue.push(l.pid);
    }
  }
  return found;
}
function vote(pid, links, unitOf, sides) {
  let right = 0;
  for (const mine of links.filter((l) => l.pid === pid))
    for (const l of links) {
      if (l.pid === pid || unitOf.get(l.object) !== unitOf.get(mine.object)) continue;
      const weight = opposite(mine, l) ? 3 : 1;
      const side = sides.get(l.pid);
      if (side) right += side === "left" ? weight : -weight;
    }
  if (right) return right > 0 ? "right" : "left";
  const lefts = [...sides.values()].filter((s) => s === "left").length;
  return lefts > sides.size - lefts ? "right" : "left";
}
function opposite(a, b) {
  return a.role === "write" && b.role === "read" || a.role === "read" && b.role === "write" || a.object !== b.object;
}
function measure(scene, links, units, sides) {
  const people = scene.processes.map((p) => ({
    key: `p${p.pid}`,
    pid: p.pid,
    column: (
      /** @type {Side} */
      sides.get(p.pid)
    ),
    height: processHeight(p, portsOf(p.pid, links).length)
  }));
  return [...people, ...units.map((unit) => ({ key: unit.key, unit, column: (
    /** @type {const} */
    "middle"
  ), height: unit.height }))];
}
function portsOf(pid, links) {
  return links.filter((l) => l.pid === pid);
}
function place(items, links, memory) {
  const places = /* @__PURE__ */ new Map();
  for (const item of items) {
    const known = memory.places.get(item.key);
    if (known) places.set(item.key, { y: known.y, height: Math.max(item.height, known.height) });
  }
  if (!places.size) return fresh(items, links);
  for (const column of ["left", "middle", "right"]) makeRoom(items.filter((i) => i.column === column && places.has(i.key)), places);
  for (const item of items) if (!places.has(item.key)) settle(item, items, links, places);
  return places;
}
function fresh(items, links) {
  const places = /* @__PURE__ */ new Map();
  const columns = ["middle", "left", "right"].map((c) => items.filter((i) => i.column === c));
  for (const column of columns) stack(column, column.map((_, i) => i), places);
  for (let pass = 0; pass < 3; pass++)
    for (const column of [columns[1], columns[2], columns[0]]) stack(column, column.map((i) => wish(i, items, links, places)), places);
  const top = Math.min(...[...places.values()].map((p) => p.y));
  for (const p of places.values()) p.y += GAP.margin - top;
  return places;
}
function wish(item, items, links, places) {
  const keys = neighbours(item, items, links);
  const centres = keys.map((k) => places.get(k)).filter((p) => p != null).map((p) => p.y + p.height / 2);
  const own = places.get(item.key);
  if (!centres.length) return own ? own.y + own.height / 2 : 1e6;
  return centres.reduce((a, b) => a + b, 0) / centres.length;
}
function neighbours(item, items, links) {
  if (item.unit) {
    const ids = new Set(item.unit.objects.map((o) => o.id));
    return links.filter((l) => ids.has(l.object)).map((l) => `p${l.pid}`);
  }
  const held = new Set(links.filter((l) => l.pid === item.pid).map((l) => l.object));
  return items.filter((i) => i.unit?.objects.some((o) => held.has(o.id))).map((i) => i.key);
}
function stack(column, wishes, places) {
  const order = column.map((_, i) => i).sort((a, b) => wishes[a] - wishes[b] || a - b);
  const total = order.reduce((n, i) => n + column[i].height + GAP.row, -GAP.row);
  const centre = wishes.length ? wishes.reduce((a, b) => a + b, 0) / wishes.length : 0;
  let floor = -Infinity;
  const ys = order.map((i) => {
    const y = Math.max(wishes[i] - column[i].height / 2, floor);
    floor = y + column[i].height + GAP.row;
    return y;
  });
  const drift = order.length ? (ys[0] + floor - GAP.row) / 2 - centre : 0;
  const spread2 = floor - GAP.row - ys[0] > total + 0.5;
  order.forEach((i, n) => places.set(column[i].key, { y: ys[n] - (spread2 ? 0 : drift), height: column[i].height }));
}
function makeRoom(column, places) {
  const boxes = column.map((i) => (
    /** @type {{y: number, height: number}} */
    places.get(i.key)
  )).sort((a, b) => a.y - b.y);
  for (let i = 1; i < boxes.length; i++) boxes[i].y = Math.max(boxes[i].y, boxes[i - 1].y + boxes[i - 1].height + GAP.row);
}
function settle(item, items, links, places) {
  const taken = items.filter((i) => i.column === item.column && places.has(i.key)).map((i) => (
    /** @type {{y: number, height: number}} */
    places.get(i.key)
  )).sort((a, b) => a.y - b.y);
  const wished = wish(item, items, links, places) - item.height / 2;
  const starts = [GAP.margin, wished, ...taken.map((t) => t.y + t.height + GAP.row), ...taken.map((t) => t.y - GAP.row - item.height)];
  const free = starts.filter(
    (y) => y >= GAP.margin && y < 1e5 && taken.every((t) => y + item.height + GAP.row <= t.y + 0.1 || y >= t.y + t.height + GAP.row - 0.1)
  );
  const best = free.sort((a, b) => Math.abs(a - wished) - Math.abs(b - wished))[0];
  places.set(item.key, { y: best, height: item.height });
}
function build(scene, links, items, places, sides, memory) {
  const x = columnsAt(items);
  const processes = items.filter((i) => i.pid != null).map((i) => processBox(i, scene, places, x));
  const boxes = items.filter((i) => i.unit).map((i) => objectBox(i, links, places, x, sides, memory));
  const lines = connect(scene, links, processes, boxes);
  const bottom = Math.max(0, ...[...places.values()].map((p) => p.y + p.height));
  const overhead = lines.some((l) => l.overhead) ? 30 : 0;
  const kept = {
    sides: new Map([...memory.sides, ...sides]),
    places,
    pairs: new Map([...memory.pairs, ...boxes.flatMap((b) => b.objects.map((o) => (
      /** @type {[string, string[]]} */
      [o.id, [b.key]]
    )))]),
    flows: new Map(boxes.map((b) => [b.key, b.flow]))
  };
  return { width: x.width, height: bottom + GAP.margin + overhead, processes, objects: boxes, lines, memory: kept };
}
function columnsAt(items) {
  const has = (c) => items.some((i) => i.column === c);
  const left = GAP.margin;
  const middle = left + (has("left") ? PROCESS.width + GAP.gutter : 0);
  const right = middle + (has("middle") ? OBJECT.width + GAP.gutter : has("left") ? -GAP.gutter + 40 : 0);
  const end = has("right") ? right + PROCESS.width : has("middle") ? middle + OBJECT.width + 24 : left + PROCESS.width;
  return { left, middle, right, width: end + GAP.margin };
}
function processBox(item, scene, places, x) {
  const at = (
    /** @type {{y: number, height: number}} */
    places.get(item.key)
  );
  const side = (
    /** @type {Side} */
    item.column
  );
  const process = (
    /** @type {Thing} */
    scene.processes.find((p) => p.pid === item.pid)
  );
  return { pid: (
    /** @type {number} */
    item.pid
  ), side, process, x: x[side], width: PROCESS.width, y: at.y, height: item.height, ports: [] };
}
function objectBox(item, links, places, x, sides, memory) {
  const at = (
    /** @type {{y: number, height: number}} */
    places.get(item.key)
  );
  const unit = (
    /** @type {Unit} */
    item.unit
  );
  const flow = memory.flows.get(unit.key) ?? flowOf(unit, links, sides);
  const objects = unit.objects.length === 2 && holderSide(unit.objects[0], unit.objects[1], links, sides) ? [unit.objects[1], unit.objects[0]] : unit.objects;
  return { key: unit.key, objects, flow, x: x.middle, width: OBJECT.width, y: at.y, height: item.height };
}
function flowOf(unit, links, sides) {
  let right = 0;
  for (const l of links) {
    if (l.object !== unit.objects[0].id || l.role !== "read" && l.role !== "write") continue;
    const isLeft = sides.get(l.pid) === "left";
    right += l.role === "write" === isLeft ? 1 : -1;
  }
  return right >= 0 ? "right" : "left";
}
function holderSide(a, b, links, sides) {
  const lean = (o) => links.reduce((n, l) => n + (l.object !== o.id ? 0 : sides.get(l.pid) === "left" ? -1 : 1), 0);
  return lean(a) > lean(b);
}

// labkit/ui/memory.js
var ROW = 20;
var LEFT = 42;
function drawMemory(o, width, before) {
  const head = fromBase64(o.head);
  if (!o.head) return [text("contents not visible here", width / 2, OBJECT.title + 20, "lk-quiet lk-middle"), ...pages(o, width, OBJECT.title + ROW + 18)];
  const old = before?.head && before.head !== o.head ? fromBase64(before.head) : null;
  const rows2 = Math.max(1, Math.min(GRID_ROWS, Math.ceil(head.length / CELL.across)));
  return [...grid(head, old, rows2), ...pages(o, width, OBJECT.title + rows2 * ROW + 12)];
}
function grid(head, old, rows2) {
  const drawn = [];
  for (let row2 = 0; row2 < rows2; row2++) {
    const y = OBJECT.title + row2 * ROW;
    drawn.push(text((row2 * CELL.across).toString(16).padStart(4, "0"), LEFT - 6, y + 15, "lk-address lk-end"));
    for (let i = 0; i < CELL.across && row2 * CELL.across + i < head.length; i++) {
      const at = row2 * CELL.across + i;
      drawn.push(byteCell(head[at], LEFT + i * CELL.width, y, old != null && old[at] !== head[at]));
    }
  }
  return drawn;
}
function byteCell(byte, x, y, changed) {
  const printable = byte > 32 && byte < 127;
  const words = byte === 0 ? "\xB7" : byte === 32 ? "\u2423" : printable ? String.fromCharCode(byte) : byte.toString(16).padStart(2, "0");
  return svg(
    "g",
    { class: `lk-cell ${changed ? "lk-changed" : ""} ${byte === 0 ? "lk-zero" : ""}` },
    box(x + 0.5, y + 1, CELL.width - 1, ROW - 2, "lk-cellbox", 2),
    text(words, x + CELL.width / 2, y + 14.5, printable || byte === 0 || byte === 32 ? "lk-byte lk-middle" : "lk-byte lk-small lk-middle")
  );
}
function pages(o, width, y) {
  const views = (o.views ?? []).slice(0, 4);
  return views.flatMap((view, i) => strip(view, width, y + i * ROW));
}
var PAGE = (
  /** @type {Record<string, string>} */
  { shared: "shared", private: "private copy", absent: "not there yet" }
);
function strip(view, width, y) {
  const name = text(fit(view.name, 92, 11.5), 14, y + 11, "lk-quiet");
  if (!view.pages) return [name, text("pages not visible here", 112, y + 11, "lk-quiet")];
  const flat = view.pages.flatMap(([n, kind2]) => Array(Math.min(n, 16)).fill(kind2)).slice(0, 12);
  const squares = flat.map((kind2, i) => box(112 + i * 13, y + 1, 11, 12, `lk-page lk-page-${kind2}`, 2));
  const kinds = [...new Set(flat)].map((kind2) => PAGE[kind2] ?? clean(kind2)).join(", ");
  const words = `${view.prot ? clean(view.prot) + " " : ""}${kinds}`;
  return [name, ...squares, text(fit(words, width - 124 - flat.length * 13, 11, 0.52), 118 + flat.length * 13, y + 11, "lk-quiet")];
}

// labkit/ui/pipe.js
var TUBE = { top: OBJECT.title + 2, height: 36, cap: 9 };
function drawPipe(o, width, flow) {
  return [...tube(o, width, flow), ...bytes(o, width, flow), level(o, width)];
}
function tube(o, width, flow) {
  const { top, height, cap } = TUBE;
  const middle = top + height / 2;
  const full = o.queued && o.capacity ? Math.min(1, o.queued / o.capacity) : 0;
  const inside = width - 2 * cap;
  const fill = full ? Math.max(2, inside * full) : 0;
  const body2 = `M${cap} ${top} H${width - cap} A${cap} ${height / 2} 0 0 1 ${width - cap} ${top + height} H${cap} A${cap} ${height / 2} 0 0 1 ${cap} ${top}Z`;
  return [
    svg("path", { d: body2, class: "lk-tube" }),
    svg("rect", { x: flow === "right" ? width - cap - fill : cap, y: top + 1, width: fill, height: height - 2, class: "lk-fill" }),
    svg("ellipse", { cx: flow === "right" ? width - cap : cap, cy: middle, rx: cap, ry: height / 2, class: "lk-mouth" })
  ];
}
function bytes(o, width, flow) {
  if (o.queued == null && o.head == null) return [text("bytes not visible here", width / 2, TUBE.top + 23, "lk-quiet lk-middle")];
  if (!o.queued) return [text("empty", width / 2, TUBE.top + 23, "lk-quiet lk-middle")];
  const head = fromBase64(o.head);
  if (!head.length) return [text(`${count(o.queued, "byte")}, contents not visible here`, width / 2, TUBE.top + 23, "lk-quiet lk-middle")];
  return cells(head, o.queued, width, flow);
}
function cells(head, queued, width, flow) {
  const room = Math.floor((width - 2 * TUBE.cap - 12) / CELL.width);
  const all = tokens(head);
  const known = all.reduce((n, t) => n + t.bytes, 0);
  const fits2 = all.length <= room && known >= queued;
  const shown = fits2 ? all : all.slice(0, room - 4);
  const seen = shown.reduce((n, t) => n + t.bytes, 0);
  const rest = queued - seen;
  const used = shown.length * CELL.width + (rest > 0 ? 4 * CELL.width : 0);
  const start = flow === "right" ? width - TUBE.cap * 2 - 2 - used : TUBE.cap * 2 + 2;
  const drawn = shown.map((token, i) => cell(token, start + i * CELL.width, TUBE.top + 6));
  if (rest > 0) drawn.push(text(`+${number(rest)}`, start + shown.length * CELL.width + 4, TUBE.top + 23, "lk-more"));
  return drawn;
}
function cell(token, x, y) {
  return svg(
    "g",
    { class: `lk-cell ${token.hex ? "lk-hex" : ""}` },
    box(x + 0.75, y, CELL.width - 1.5, CELL.height, "lk-cellbox", 3),
    text(token.text, x + CELL.width / 2, y + 16.5, token.hex ? "lk-byte lk-small lk-middle" : "lk-byte lk-middle")
  );
}
function level(o, width) {
  const full = o.queued != null && o.capacity != null && o.queued >= o.capacity;
  const pages2 = o.capacity ? `, ${count(Math.floor(o.capacity / 4096), "slot")}` : "";
  const others = o.others ? ", also held by others" : "";
  const words = (full ? "full: " : "") + share(o.queued, o.capacity, "bytes") + pages2 + others;
  return text(fit(words, width, 12, 0.5), width / 2, TUBE.top + TUBE.height + 17, `lk-level lk-middle ${full ? "lk-full" : ""}`);
}

// labkit/ui/queue.js
var ENVELOPE = { width: 70, height: 40 };
function drawQueue(o, width) {
  const y = OBJECT.title + 2;
  const drawn = [box(0, y - 1, width, ENVELOPE.height + 8, "lk-rail", 8)];
  if (o.kind === "posix-mq") return [...drawn, ...counted(o, width, y), foot(o, width)];
  if (!o.messages) return [...drawn, text("messages not visible here", width / 2, y + 26, "lk-quiet lk-middle"), foot(o, width)];
  if (!o.messages.length) drawn.push(text("no message", width / 2, y + 26, "lk-quiet lk-middle"));
  const rest = o.messages.length - MESSAGES_SHOWN;
  const shown = o.messages.slice(0, rest > 0 ? MESSAGES_SHOWN - 1 : MESSAGES_SHOWN);
  shown.forEach((m, i) => drawn.push(envelope(m, 8 + i * (ENVELOPE.width + 6), y + 3)));
  if (rest > 0) drawn.push(text(`+ ${rest + 1} more`, 8 + shown.length * (ENVELOPE.width + 6) + 6, y + 27, "lk-more"));
  return [...drawn, foot(o, width)];
}
function envelope(m, x, y) {
  return svg(
    "g",
    { class: "lk-message" },
    box(x, y, ENVELOPE.width, ENVELOPE.height, "lk-envelope", 4),
    text(fit(`type ${number(m.type)}`, ENVELOPE.width - 12, 11), x + 6, y + 14, "lk-type"),
    text(m.head == null ? "?" : fit(line(fromBase64(m.head), 24), ENVELOPE.width - 12, 12, 0.61), x + 6, y + 31, "lk-mono")
  );
}
function counted(o, width, y) {
  if (o.queued == null) return [text("messages not visible here", width / 2, y + 26, "lk-quiet lk-middle")];
  if (!o.queued) return [text("no message", width / 2, y + 26, "lk-quiet lk-middle")];
  const shown = Math.min(o.queued, 10);
  const drawn = Array.from({ length: shown }, (_, i) => svg(
    "g",
    { class: "lk-message" },
    box(10 + i * 26, y + 9, 22, 28, "lk-envelope", 3),
    svg("path", { d: `M${10 + i * 26} ${y + 12} l11 9 l11 -9`, class: "lk-flow" })
  ));
  if (o.queued > shown) drawn.push(text(`+${o.queued - shown}`, 14 + shown * 26, y + 27, "lk-more"));
  return drawn;
}
function foot(o, width) {
  const words = o.kind === "posix-mq" ? `${share(o.queued, o.capacity, "messages")}${o.bytes == null ? "" : `, ${count(o.bytes, "byte")}`}, contents not visible` : share(o.bytes, o.capacity, "bytes");
  return text(fit(words, width - 16, 12, 0.5), width / 2, OBJECT.title + ENVELOPE.height + 22, "lk-level lk-middle");
}

// labkit/ui/semaphore.js
var ROW2 = 34;
var TOKENS = 7;
function drawSemaphores(o, width) {
  if (o.kind === "posix-sem") return row({ value: o.value, waiting: o.waiting, zero: null, last: null, label: "" }, OBJECT.title + 4, width);
  if (!o.values) return [text("values not visible here", width / 2, OBJECT.title + 24, "lk-quiet lk-middle")];
  const shown = o.values.slice(0, 6);
  const drawn = shown.flatMap((value2, i) => row({ value: value2, waiting: o.waiting?.[i], zero: o.waiting_zero?.[i], last: o.lastNames?.[i], label: o.values.length > 1 ? `${i}` : "" }, OBJECT.title + i * ROW2, width));
  if (o.values.length > 6) drawn.push(text(`and ${o.values.length - 6} more`, width / 2, OBJECT.title + 6 * ROW2 + 14, "lk-quiet lk-middle"));
  return drawn;
}
function row(sem, y, width) {
  const left = sem.label ? 30 : 14;
  const drawn = [box(left, y + 2, 124, 26, "lk-bowl", 13)];
  if (sem.label) drawn.push(text(sem.label, 14, y + 20, "lk-index"));
  drawn.push(...tokensOf(sem.value, left, y + 15));
  drawn.push(text(sem.value == null ? "value not visible" : `= ${sem.value}`, left + 132, y + 20, "lk-count"));
  drawn.push(...line2(sem, left + 172, y + 15, width));
  return drawn;
}
function tokensOf(value2, left, y) {
  if (value2 == null) return [];
  const some = Math.min(value2, value2 > TOKENS ? TOKENS - 2 : TOKENS);
  const drawn = Array.from({ length: some }, (_, i) => svg("circle", { cx: left + 15 + i * 16.3, cy: y, r: 6.5, class: "lk-token" }));
  if (value2 > some) drawn.push(text("\u2026", left + 15 + some * 16.3, y + 4, "lk-count"));
  return drawn;
}
function line2(sem, x, y, width) {
  const waiting2 = (sem.waiting ?? 0) + (sem.zero ?? 0);
  const unknown = sem.waiting == null;
  const heads = Array.from({ length: Math.min(waiting2, 4) }, (_, i) => person(x + 8 + i * 15, y));
  const words = unknown ? "waiting: not visible" : waiting2 ? `${waiting2} waiting${sem.zero ? " (for 0: " + sem.zero + ")" : ""}` : sem.last ? `last: ${sem.last}` : "nobody waits";
  const start = x + 4 + heads.length * 15;
  return [...heads, text(fit(words, width - start - 4, 11.5), start, y + 4, waiting2 ? "lk-waiting-words" : "lk-quiet")];
}
function person(x, y) {
  return svg("path", { d: `M${x} ${y - 2} m-3.2 -3 a3.2 3.2 0 1 1 6.4 0 a3.2 3.2 0 1 1 -6.4 0 M${x - 5.5} ${y + 8} a5.5 7 0 0 1 11 0 z`, class: "lk-person" });
}

// labkit/ui/small.js
function drawSmall(o, width) {
  const draw = DRAW[o.kind];
  return draw ? draw(o, width) : [text(kindInWords(o.kind), 14, OBJECT.title + 12, "lk-quiet")];
}
var DRAW = (
  /** @type {Record<string, (o: Thing, width: number) => SVGElement[]>} */
  { file, lock, eventfd, timerfd, signalfd, epoll, group }
);
function file(o, width) {
  const y = OBJECT.title - 2;
  const words = [o.size == null ? "" : count(o.size, "byte"), o.deleted ? "name removed" : ""].filter(Boolean).join(", ");
  return [
    svg("path", { d: `M14 ${y} h14 l7 7 v19 h-21z M28 ${y} v7 h7`, class: "lk-sheet" }),
    text(fitEnd(o.path ?? o.name, width - 62, 12, 0.61), 46, y + 12, "lk-mono"),
    text(words, 46, y + 28, "lk-quiet")
  ];
}
function lock(o, width) {
  const y = OBJECT.title;
  const range = o.start || o.end != null ? `, bytes ${o.start ?? 0} to ${o.end ?? "the end"}` : "";
  const holders = o.holders == null ? "holder not visible here" : o.holderNames?.length ? `held by ${o.holderNames.join(", ")}` : "held by nobody in view";
  return [
    svg("path", { d: `M16 ${y + 12} v-4 a7 7 0 0 1 14 0 v4`, class: "lk-shackle" }),
    box(13, y + 11, 20, 16, "lk-padlock", 3),
    text(fit(`${o.type ?? ""} ${o.mode ?? ""} lock${range}`.trim(), width - 60, 12), 46, y + 10, "lk-level"),
    text(fit(`${holders}${o.waiting?.length ? `, ${o.waiting.length} waiting` : ""}`, width - 60, 12), 46, y + 27, "lk-quiet")
  ];
}
function eventfd(o) {
  const y = OBJECT.title;
  return [box(14, y, 84, 26, "lk-counter", 4), text(number(o.count), 56, y + 18, "lk-digits lk-middle"), text(o.count === 0 ? "a read would wait" : "a read takes it", 110, y + 18, "lk-quiet")];
}
function timerfd(o, width) {
  const y = OBJECT.title + 13;
  const ticks = o.ticks == null ? "" : `, ${count(o.ticks, "tick")} to read`;
  return [
    svg("circle", { cx: 27, cy: y, r: 12, class: "lk-clock" }),
    svg("path", { d: `M27 ${y - 8} V${y} l6 4`, class: "lk-hand" }),
    text(fit((levels(o) || "timer") + ticks, width - 60, 12), 48, y + 4, "lk-level")
  ];
}
function signalfd(o, width) {
  const y = OBJECT.title;
  const words = o.signals == null ? "signals not visible here" : `receives ${o.signals.join(", ") || "nothing"}`;
  return [svg("path", { d: `M18 ${y} v26 M18 ${y} h14 l-4 6 l4 6 h-14`, class: "lk-flag" }), text(fit(words, width - 56, 12), 46, y + 17, "lk-level")];
}
function epoll(o, width) {
  if (o.watching == null) return [text("what it watches is not visible here", 14, OBJECT.title + 12, "lk-quiet")];
  if (!o.watching.length) return [text("watches nothing", 14, OBJECT.title + 12, "lk-quiet")];
  const shown = o.watching.slice(0, 5);
  return shown.map((w, i) => text(fit(`fd ${w.fd}: ${w.events}${w.objectName ? ` \u2014 ${w.objectName}` : ""}`, width - 28, 12), 14, OBJECT.title + 10 + i * 20, "lk-level"));
}
function group(o, width) {
  return (o.lines ?? []).slice(0, 6).map((words, i) => text(fit(words, width - 28, 12), 14, OBJECT.title + 10 + i * 18, "lk-level"));
}

// labkit/ui/socket.js
function drawSockets(ends, width) {
  if (ends.length === 2) return [...lane(ends[0], ends[1], OBJECT.title, width, "right"), ...lane(ends[1], ends[0], OBJECT.title + 32, width, "left"), states(ends, width)];
  return isListening(ends[0]) ? listener(ends[0], width) : alone(ends[0], width);
}
function states([a, b], width) {
  const kind2 = a.protocol ? clean(a.protocol).toUpperCase() : `Unix ${clean(a.type ?? "socket")}`;
  const state = a.state === b.state ? clean(a.state) : `${clean(a.state ?? "?")} / ${clean(b.state ?? "?")}`;
  return text(fit(`${kind2}: ${state}`, width - 24, 12, 0.5), width / 2, OBJECT.title + 76, "lk-level lk-middle");
}
function isListening(o) {
  return /listen/i.test(o.state ?? "");
}
function lane(from, to, y, width, flow) {
  const queued = to.queued ?? to.receive_queue;
  return [
    box(14, y + 1, width - 28, 28, "lk-lane", 6),
    svg("path", { d: flow === "right" ? `M${width - 12} ${y + 8} l8 7 l-8 7z` : `M12 ${y + 8} l-8 7 l8 7z`, class: "lk-point" }),
    ...laneBytes({ ...to, noted: from.send_queue }, queued, y, width, flow),
    ...laneNotes(from, to, y, width, flow)
  ];
}
function laneBytes(to, queued, y, width, flow) {
  if (queued == null) return [text("not visible here", width / 2, y + 19, "lk-quiet lk-middle")];
  if (!queued) return [text("empty", width / 2, y + 19, "lk-quiet lk-middle")];
  const all = tokens(fromBase64(to.head)).slice(0, to.in_flight || to.noted ? 6 : 11);
  const seen = all.reduce((n, t) => n + t.bytes, 0);
  const rest = queued - seen;
  const words = rest > 0 ? seen ? `+${number(rest)}` : count(queued, "byte") : "";
  const used = all.length * CELL.width + words.length * 7;
  const start = flow === "right" ? width - 20 - used : 20;
  return [...all.map((t, i) => cell(t, start + i * CELL.width, y + 3)), ...words ? [text(words, start + all.length * CELL.width + 4, y + 19, "lk-more")] : []];
}
function laneNotes(from, to, y, width, flow) {
  const words = [];
  if (to.in_flight) words.push(`${count(to.in_flight, "descriptor")} in flight`);
  if (from.send_queue) words.push(`${number(from.send_queue)} unacknowledged`);
  if (!words.length) return [];
  const x = flow === "right" ? 22 : width - 22;
  return [text(words.join(", "), x, y + 19, `lk-flight ${flow === "right" ? "" : "lk-end"}`)];
}
function listener(o, width) {
  const y = OBJECT.title;
  const waiting2 = o.waiting ?? 0;
  const door = [box(8, y + 6, 34, 46, "lk-door", 4), svg("circle", { cx: 35, cy: y + 30, r: 2.5, class: "lk-knob" })];
  const tickets = Array.from({ length: Math.min(waiting2, 6) }, (_, i) => box(58 + i * 24, y + 12, 19, 22, "lk-ticket", 3));
  const words = o.waiting == null ? "the line before accept is not visible here" : waiting2 ? `${waiting2} waiting for accept` : "nobody waits for accept";
  const room = o.backlog == null ? "" : `, room for ${number(o.backlog)}`;
  return [...door, ...tickets, text(fit(words + room, width - 66, 12), 58, y + 50, "lk-level")];
}
function alone(o, width) {
  const queued = o.queued ?? o.receive_queue;
  const words = [o.state, o.remote ? `to ${o.remote}` : "", o.peer ? "" : "no other end in this picture"].filter(Boolean).join(", ");
  return [
    box(14, OBJECT.title + 1, width - 28, 28, "lk-lane", 6),
    ...laneBytes(o, queued, OBJECT.title, width, "left"),
    ...laneNotes(o, o, OBJECT.title, width, "left"),
    text(fit(words, width - 20, 12), width / 2, OBJECT.title + 48, "lk-level lk-middle")
  ];
}
function socketTitle(ends, width) {
  const [a, b] = ends;
  if (!b) return null;
  const where = (o) => o.local ?? o.path ?? o.name;
  return [
    text(fitEnd(where(a), 136, 13, 0.6), 14, 17, "lk-title"),
    text(fitEnd(where(b), 136, 13, 0.6), width - 14, 17, "lk-title lk-end")
  ];
}

// labkit/ui/objects.js
var BARE = /* @__PURE__ */ new Set(["pipe", "fifo"]);
function drawObject(at, before) {
  const { objects } = at;
  const [o] = objects;
  const frame = box(0, 0, at.width, at.height, BARE.has(o.kind) ? "lk-bare" : "lk-object", 8);
  return [frame, ...title(objects, at.width), ...body(at, objects, before), ...note(o, at)];
}
function body(at, objects, before) {
  const [o] = objects;
  if (BARE.has(o.kind)) return drawPipe(o, at.width, at.flow);
  if (/shm|memfd/.test(o.kind)) return drawMemory(o, at.width, before);
  if (/sem$/.test(o.kind)) return drawSemaphores(o, at.width);
  if (/msg|mq/.test(o.kind)) return drawQueue(o, at.width);
  if (/socket/.test(o.kind)) return drawSockets(objects, at.width);
  return drawSmall(o, at.width);
}
function title(objects, width) {
  const both = /socket/.test(objects[0].kind) ? socketTitle(objects, width) : null;
  if (both) return both;
  const [o] = objects;
  const kind2 = o.kind === "group" ? "" : kindInWords(o.kind);
  const said = o.name.toLowerCase().includes(kind2.toLowerCase().split(" (")[0]);
  const right = BARE.has(o.kind) || /sem$|msg|mq|file$|timerfd|socket/.test(o.kind) ? said ? "" : kind2 : levels(o) || (said ? "" : kind2);
  const room = width - 28 - right.length * 6.4;
  return [text(fit(o.name, Math.max(80, room), 14, 0.57), BARE.has(o.kind) ? 4 : 14, 17, "lk-title"), text(fit(right, width - 120, 12, 0.5), width - 12, 17, "lk-quiet lk-end")];
}
function note(o, at) {
  if (!o.notes?.length) return [];
  return [text(fit(o.notes.join("; "), at.width - 20, 11.5), at.width / 2, at.height - 7, "lk-note lk-middle")];
}
function objectLabel(objects) {
  return objects.map(sentence).join("; joined to ");
}

// labkit/ui/process.js
function sign(p, dead) {
  if (dead) return { mark: "\u26A0", kind: "dead" };
  if (p.state === "dead" || p.state === "zombie") return { mark: "\u25A0", kind: "ended" };
  if (p.state === "stopped") return { mark: "\u2016", kind: "stopped" };
  if (p.blocked && !p.blocked.timed) return { mark: "\u25F7", kind: "waiting" };
  if (p.state === "sleeping") return { mark: "\u25F7", kind: "resting" };
  return { mark: "\u25B6", kind: "running" };
}
function processLabel(p, dead) {
  const state = `process ${clean(p.name)}, pid ${p.pid}, ${doing(p)}`;
  return dead ? `${state}; this wait can never end` : state;
}
function drawProcess(at, dead) {
  const p = at.process;
  const { mark: mark2, kind: kind2 } = sign(p, dead);
  const pid = `pid ${p.pid}`;
  return [
    box(0, 0, at.width, at.height, `lk-process lk-${kind2}`, 10),
    box(0, 0, 6, at.height, `lk-stripe lk-${kind2}`, 3),
    text(shortName(p.name, at.width - 36 - pid.length * 6.8), 18, 23, "lk-name"),
    text(pid, at.width - 12, 23, "lk-quiet lk-end"),
    text(mark2, 18, 43, `lk-sign lk-${kind2}`),
    text(fit(doing(p), at.width - 46, 13, 0.53), 36, 43, "lk-doing"),
    ...threads(at),
    ...pending(at),
    ...at.ports.map((port) => drawPort(port, at))
  ];
}
function shortName(name, width) {
  const at = name.indexOf("/");
  const whole = fit(name, width, 15, 0.6);
  if (at < 0 || !whole.endsWith("\u2026")) return whole;
  const rest = fit(name.slice(at), width - 24, 15, 0.6);
  return fit(name.slice(0, at), Math.max(24, width - rest.length * 9), 15, 0.6) + rest;
}
function threads(at) {
  const all = at.process.threads ?? [];
  if (all.length < 2) return [];
  const lines = all.slice(0, THREADS_SHOWN).map((t) => `thread ${t.tid}: ${doing({ ...t, exit: null })}`);
  if (all.length > THREADS_SHOWN) lines.push(`and ${all.length - THREADS_SHOWN} more threads`);
  return lines.map((words, i) => text(fit(words, at.width - 30, 11.5, 0.52), 18, PROCESS.header + 10 + i * PROCESS.thread, "lk-quiet"));
}
function pending(at) {
  const names = at.process.signals?.pending ?? [];
  if (!names.length) return [];
  const y = PROCESS.header + Math.min(rows(at.process), THREADS_SHOWN + 1) * PROCESS.thread;
  return [
    svg("path", { d: `M18 ${y - 1} v14 M18 ${y - 1} h11 l-3 4 l3 4 h-11`, class: "lk-flag" }),
    text(fit(`${names.join(", ")} pending`, at.width - 48, 12), 36, y + 10, "lk-pending")
  ];
}
function rows(p) {
  return (p.threads?.length ?? 0) > 1 ? p.threads.length : 0;
}
var ARROWS = (
  /** @type {Record<string, string>} */
  { write: "out", read: "in" }
);
function drawPort(port, at) {
  const x = port.x - at.x;
  const y = port.y - at.y;
  const inward = at.side === "left" ? -1 : 1;
  const way = ARROWS[port.role] ?? "";
  const words = port.fd == null ? port.label : `fd ${port.label}`;
  const role = port.role === "write" ? "write" : port.role === "read" ? "read" : "";
  return svg(
    "g",
    { class: `lk-port lk-${port.role}` },
    svg("circle", { cx: x, cy: y, r: 5, class: `lk-dot ${way}` }),
    text(fit(role ? `${role}: ${words}` : words, at.width - 40, 12), x + inward * 12, y + 4, `lk-fd ${inward < 0 ? "lk-end" : ""}`)
  );
}

// labkit/ui/picture.js
var calm = () => matchMedia("(prefers-reduced-motion: reduce)").matches;
var counter = 0;
function makePicture(hooks) {
  const marks = `lk${++counter}`;
  const under = svg("g", { class: "lk-lines" });
  const boxes = svg("g", { class: "lk-boxes" });
  const over = svg("g", { class: "lk-packets", "aria-hidden": "true" });
  const element = svg("svg", { class: "lk-picture", role: "group", "aria-label": "processes and what they share" }, arrowheads(marks), under, boxes, over);
  const known = /* @__PURE__ */ new Map();
  const lines = /* @__PURE__ */ new Map();
  let memory = noMemory();
  element.addEventListener("click", (event) => pickAt(event.target, hooks));
  element.addEventListener("keydown", (event) => onKey(event, element, hooks));
  function show(scene) {
    const plan = layout(scene, memory);
    memory = plan.memory;
    const width = Math.max(plan.width, 420);
    set(element, { viewBox: `0 0 ${width} ${plan.height}` });
    element.style.setProperty("--lk-width", `${width}px`);
    showBoxes(plan, deadlocked(scene), boxes, known);
    const moved = movedBytes(known, plan);
    showLines(plan, under, lines, marks);
    if (!calm()) {
      for (const line3 of plan.lines) if (line3.object && moved.get(line3.object)?.includes(line3.role)) packet(over, line3);
    }
    return plan;
  }
  return {
    element,
    show,
    reset: () => void (memory = noMemory()),
    pick: (key) => boxes.querySelectorAll("[data-key]").forEach((b) => set(b, { "aria-pressed": b.getAttribute("data-key") === key }))
  };
}
function arrowheads(marks) {
  const head = (kind2, size2) => svg(
    "marker",
    { id: `${marks}-${kind2}`, viewBox: "0 0 10 10", refX: kind2 === "data" ? 9 : 2, refY: 5, markerWidth: size2, markerHeight: size2, markerUnits: "userSpaceOnUse", orient: "auto-start-reverse" },
    svg("path", { d: "M0 0 L10 5 L0 10 z", class: `lk-head lk-${kind2}` })
  );
  return svg("defs", {}, head("data", 9), head("waits", 18), head("dead", 18));
}
function showBoxes(plan, dead, parent, known) {
  const seen = /* @__PURE__ */ new Set();
  for (const at of plan.processes) {
    const isDead2 = dead.has(at.pid);
    const key = `p${at.pid}`;
    seen.add(key);
    const signature = JSON.stringify([at.process, at.ports, at.height, at.side, isDead2]);
    showBox(key, at, at.process, signature, parent, known, () => drawProcess(at, isDead2), processLabel(at.process, isDead2));
  }
  for (const at of plan.objects) {
    seen.add(at.key);
    const before = known.get(at.key)?.thing;
    const signature = JSON.stringify([at.objects, at.flow, at.height]);
    showBox(at.key, at, at.objects[0], signature, parent, known, () => drawObject(at, before), objectLabel(at.objects));
  }
  for (const [key, box2] of known) if (!seen.has(key)) leave(key, box2, known);
  const first = parent.querySelector('[tabindex="0"]') ?? parent.querySelector("[data-key]");
  if (first) set(first, { tabindex: 0 });
}
function showBox(key, at, thing, signature, parent, known, draw, label) {
  let entry = known.get(key);
  if (!entry) {
    const element = svg("g", { class: "lk-box", "data-key": key, role: "button", tabindex: -1, "aria-pressed": false });
    entry = { element, signature: "", thing };
    known.set(key, entry);
    parent.append(element);
    if (!calm()) element.animate([{ opacity: 0 }, { opacity: 1 }], 250);
  }
  entry.element.style.transform = `translate(${at.x}px, ${at.y}px)`;
  if (entry.signature === signature) return;
  set(entry.element, { "aria-label": label });
  entry.element.replaceChildren(...draw());
  entry.signature = signature;
  const previous = entry.thing;
  entry.thing = thing;
  entry.previous = previous;
}
function leave(key, box2, known) {
  known.delete(key);
  if (calm()) return box2.element.remove();
  set(box2.element, { "data-key": null, tabindex: null, "aria-hidden": "true" });
  box2.element.animate([{ opacity: 1 }, { opacity: 0 }], 250).finished.then(() => box2.element.remove(), () => box2.element.remove());
}
function movedBytes(known, plan) {
  const moved = /* @__PURE__ */ new Map();
  for (const at of plan.objects) {
    const entry = known.get(at.key);
    const [now, before] = [at.objects[0], entry?.previous];
    if (!before || before.queued == null || now.queued == null) continue;
    if (now.queued > before.queued) moved.set(now.id, ["write"]);
    if (now.queued < before.queued) moved.set(now.id, ["read"]);
    entry.previous = now;
  }
  return moved;
}
function showLines(plan, parent, known, marks) {
  const seen = /* @__PURE__ */ new Set();
  for (const line3 of plan.lines) {
    seen.add(line3.key);
    const element = known.get(line3.key) ?? svg("g", {}, svg("path", { class: "lk-thick" }), svg("path"));
    if (!known.has(line3.key)) parent.append(element);
    known.set(line3.key, element);
    drawLine(line3, element, marks);
  }
  for (const [key, element] of known) {
    if (seen.has(key)) continue;
    element.remove();
    known.delete(key);
  }
}
function drawLine(line3, element, marks) {
  const [thick, thin] = element.children;
  const kind2 = line3.dead ? "dead" : "waits";
  const path = line3.waits === "awaited" ? line3.backShort : line3.pathShort;
  set(element, { class: `lk-line ${line3.waits ? `lk-${kind2}` : ""}` });
  set(thick, { d: path, "marker-end": line3.waits ? `url(#${marks}-${kind2})` : null, visibility: line3.waits ? null : "hidden" });
  set(thin, { d: line3.role === "read" ? line3.back : line3.path, class: `lk-thin lk-${line3.role}`, visibility: line3.role === "child" ? "hidden" : null });
  set(thin, { "marker-end": !line3.waits && (line3.role === "read" || line3.role === "write") ? `url(#${marks}-data)` : null });
}
function packet(parent, line3) {
  if (parent.childElementCount > 12) return;
  const dot = svg("circle", { r: 6, class: "lk-packet" });
  dot.style.offsetPath = `path("${line3.role === "read" ? line3.back : line3.path}")`;
  parent.append(dot);
  const motion = dot.animate([{ offsetDistance: "0%" }, { offsetDistance: "100%" }], { duration: 350, easing: "ease-in-out" });
  motion.finished.then(() => dot.remove(), () => dot.remove());
}
function pickAt(target, hooks) {
  const key = target instanceof Element ? target.closest("[data-key]")?.getAttribute("data-key") : null;
  if (key) hooks.onPick(key);
}
function onKey(event, element, hooks) {
  if (event.key === "Enter" || event.key === " ") {
    event.preventDefault();
    return pickAt(event.target, hooks);
  }
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (!step) return;
  event.preventDefault();
  const all = (
    /** @type {SVGElement[]} */
    [...element.querySelectorAll("[data-key]")]
  );
  const at = all.indexOf(
    /** @type {SVGElement} */
    document.activeElement
  );
  const next = all[(at + step + all.length) % all.length];
  for (const other of all) set(other, { tabindex: other === next ? 0 : -1 });
  next.focus();
}

// labkit/ui/live.js
var SAID_EVERY_MS = 2e3;
function live(model, el) {
  const ended = new AbortController();
  const shell = makeShell();
  el.replaceChildren(shell.root);
  let scene = emptyScene();
  let visible = true;
  let stale = true;
  let picked = null;
  const picture = makePicture({ onPick: pick });
  shell.stage.append(picture.element);
  const say = announcer(shell.said);
  function draw() {
    if (!visible) return void (stale = true);
    stale = false;
    picture.show(scene);
    showBanner(shell.banner, scene);
    showLimits(shell.limits, scene);
    showState();
    if (picked) showDetail();
    say(scene);
  }
  function showState() {
    const status = model.get("status") ?? "still";
    set(shell.root, { "data-status": status });
    shell.state.textContent = STATUS[
      /** @type {keyof typeof STATUS} */
      status
    ] ?? "";
    const nothing = !scene.processes.length;
    shell.nothing.hidden = !nothing;
    shell.nothing.textContent = nothing ? NOTHING[
      /** @type {keyof typeof NOTHING} */
      status
    ] ?? "No process." : "";
  }
  function pick(key) {
    picked = key === picked ? null : key;
    showDetail();
  }
  function showDetail() {
    const parts = picked ? detail(scene, picked) : null;
    shell.panel.hidden = !parts;
    if (!parts) picked = null;
    else shell.inside.replaceChildren(...parts);
    picture.pick(picked);
  }
  function onFeed() {
    scene = { ...emptyScene(), ...model.get("feed")?.scene };
    draw();
  }
  const page = `${Date.now().toString(36)}${Math.random().toString(36).slice(2)}`;
  const watcher = new IntersectionObserver((entries) => {
    visible = entries[entries.length - 1].isIntersecting;
    tell(visible ? "shown" : "hidden");
    if (visible && stale) draw();
  }, { rootMargin: "200px" });
  const tell = (is) => model.send({ do: "page", page, is });
  watcher.observe(shell.root);
  model.on("change:feed", onFeed);
  model.on("change:status", showState);
  shell.close.addEventListener("click", () => pick(null), { signal: ended.signal });
  shell.root.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && picked) pick(null);
  }, { signal: ended.signal });
  onFeed();
  return () => {
    ended.abort();
    watcher.disconnect();
    model.off("change:feed", onFeed);
    model.off("change:status", showState);
    tell("gone");
    el.replaceChildren();
  };
}
var STATUS = { live: "live", waiting: "waiting for a program", ended: "ended: the last picture", still: "still", stale: "stale: its kernel has gone" };
var NOTHING = { live: "No program runs.", waiting: "No program is running yet. This picture moves as soon as one does.", ended: "No program ran.", still: "No process." };
function makeShell() {
  const state = html("span", { class: "lk-state" });
  const bar = html("div", { class: "lk-bar" }, state);
  const banner = html("div", { class: "lk-banner", role: "alert", hidden: true });
  const nothing = html("p", { class: "lk-nothing", hidden: true });
  const stage = html("div", { class: "lk-stage" }, nothing);
  const inside = html("div", { class: "lk-inside", tabindex: 0, role: "region", "aria-label": "details" });
  const close = html("button", { type: "button", class: "lk-close", "aria-label": "close details" }, "\xD7");
  const panel = html("div", { class: "lk-panel", hidden: true }, close, inside);
  const limits = html("p", { class: "lk-limits", hidden: true });
  const said = html("div", { class: "lk-said", "aria-live": "polite" });
  const root = html("section", { class: "labkit", "aria-label": "picture of processes", "data-lm-suppress-shortcuts": "true" }, bar, banner, stage, panel, limits, said);
  return { root, bar, state, banner, nothing, stage, panel, inside, close, limits, said };
}
function showBanner(banner, scene) {
  const words = scene.deadlocks.map((d) => clean(d.because));
  if (banner.textContent === words.join("")) return;
  banner.hidden = !words.length;
  banner.replaceChildren(...words.map((w) => html("p", {}, w)));
}
function showLimits(element, scene) {
  const words = scene.limits.map((l) => `Not visible here: ${clean(l.what)}, because ${clean(l.because)}`).join(" ");
  element.hidden = !words;
  if (element.textContent !== words) element.textContent = words;
}
function announcer(region) {
  let timer = null;
  let last = /* @__PURE__ */ new Map();
  let next = null;
  const speak = () => {
    timer = null;
    if (!next || !region.isConnected) return;
    const now = new Map(next.processes.map((p) => [p.pid, `${clean(p.name)}: ${doing(p)}`]));
    const news = [...now].filter(([pid, words]) => last.get(pid) !== words).map(([, words]) => words);
    last = now;
    if (news.length) region.textContent = news.length > 4 ? `${news.slice(0, 4).join(". ")}, and ${count(news.length - 4, "more change")}` : news.join(". ");
  };
  return (scene) => {
    next = scene;
    timer ??= setTimeout(speak, SAID_EVERY_MS);
  };
}

// labkit/ui/style.css
var style_default = `/* One scoped sheet. JupyterLab's theme colours where a page has them, our own where not. The accents are
   made for the three kinds of colour blindness, and none of them is the only sign of anything. */

.labkit {
  --lk-paper: var(--jp-layout-color1, #ffffff);
  --lk-card: var(--jp-layout-color0, #ffffff);
  --lk-shade: #eef1f5;
  --lk-ink: var(--jp-ui-font-color0, #14181d);
  --lk-soft: #4b5563;
  --lk-edge: #8b95a3;
  --lk-faint: #cfd6df;
  --lk-write: #a8460a;
  --lk-read: #075fa0;
  --lk-run: #0b6b4f;
  --lk-wait: #8a5a00;
  --lk-wait-line: #e0a000;
  --lk-warn: #b3124a;
  --lk-warn-paper: #fdeaf0;
  --lk-lit: #ffe27a;
  --lk-fill: #cfe3f5;
  --lk-cell: #ffffff;
  --lk-token: #075fa0;
  --lk-mono: var(--jp-code-font-family, ui-monospace, "DejaVu Sans Mono", Menlo, Consolas, monospace);
  color: var(--lk-ink);
  background: var(--lk-paper);
  font: 13px/1.45 var(--jp-ui-font-family, system-ui, "Segoe UI", "Helvetica Neue", Arial, sans-serif);
  position: relative;
  margin: 4px 0;
  box-sizing: border-box;
}
[data-jp-theme-light="false"] .labkit, .labkit[data-dark] {
  --lk-shade: #262c34;
  --lk-card: #1d2229;
  --lk-soft: #b8c1cc;
  --lk-edge: #7f8b99;
  --lk-faint: #47505b;
  --lk-write: #ffa066;
  --lk-read: #7cc0ff;
  --lk-run: #5fd3a8;
  --lk-wait: #ffc94d;
  --lk-wait-line: #c98f00;
  --lk-warn: #ff86ad;
  --lk-warn-paper: #43162a;
  --lk-lit: #7a5c00;
  --lk-fill: #1d405f;
  --lk-cell: #12161b;
  --lk-token: #7cc0ff;
}
.labkit [hidden] { display: none !important; }

.labkit .lk-bar { display: flex; gap: 8px; align-items: center; min-height: 26px; flex-wrap: wrap; }
.labkit .lk-state { color: var(--lk-soft); font-size: 12px; }
.labkit .lk-state::before { content: "\u25CB "; }
.labkit[data-status="live"] .lk-state::before { content: "\u25CF "; color: var(--lk-run); }
.labkit[data-status="ended"] .lk-state::before { content: "\u25A0 "; }
.labkit[data-status="stale"] .lk-state { color: var(--lk-warn); font-weight: 600; }
.labkit[data-status="stale"] .lk-state::before { content: "\u26A0 "; }
.labkit[data-status="stale"] .lk-stage { opacity: 0.6; }

.labkit .lk-banner { border: 2px solid var(--lk-warn); background: var(--lk-warn-paper); color: var(--lk-ink); border-radius: 8px; padding: 6px 12px; margin: 4px 0 8px; font-size: 15px; }
.labkit .lk-banner p { margin: 2px 0; }
.labkit .lk-banner p::before { content: "\u26A0 "; color: var(--lk-warn); font-weight: 700; }
.labkit .lk-limits { color: var(--lk-soft); font-size: 12px; margin: 4px 0; }
.labkit .lk-nothing { color: var(--lk-soft); margin: 8px 0; }
.labkit .lk-said { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }

.labkit .lk-picture { display: block; width: 100%; max-width: calc(var(--lk-width) * 1.15); height: auto; overflow: visible; }
.labkit .lk-box { cursor: pointer; outline: none; transition: transform 0.3s ease; }
.labkit .lk-box:focus-visible > :first-child { stroke: var(--lk-read); stroke-width: 3.5; }
.labkit .lk-box[aria-pressed="true"] > :first-child { stroke: var(--lk-ink); stroke-width: 3; }

.labkit .lk-text { fill: var(--lk-ink); font-size: 13px; unicode-bidi: isolate; white-space: pre; }
.labkit .lk-end { text-anchor: end; }
.labkit .lk-middle { text-anchor: middle; }
.labkit .lk-name { font-size: 15px; font-weight: 650; }
.labkit .lk-title { font-size: 14px; font-weight: 600; }
.labkit .lk-quiet { fill: var(--lk-soft); font-size: 12px; }
.labkit .lk-tiny { font-size: 10px; }
.labkit .lk-note { fill: var(--lk-soft); font-size: 11.5px; font-style: italic; }
.labkit .lk-doing { font-size: 13px; }
.labkit .lk-fd { font-size: 12px; fill: var(--lk-soft); }
.labkit .lk-byte, .labkit .lk-mono { font-family: var(--lk-mono); font-size: 13px; }
.labkit .lk-mono { font-size: 12px; }
.labkit .lk-byte.lk-small { font-size: 10px; fill: var(--lk-soft); }
.labkit .lk-address { font-family: var(--lk-mono); font-size: 11px; fill: var(--lk-soft); }
.labkit .lk-more { font-size: 12px; font-weight: 600; }
.labkit .lk-level { font-size: 12px; fill: var(--lk-soft); }
.labkit .lk-full { fill: var(--lk-warn); font-weight: 700; }

.labkit .lk-process { fill: var(--lk-card); stroke: var(--lk-edge); stroke-width: 1.5; }
.labkit .lk-process.lk-dead { stroke: var(--lk-warn); stroke-width: 3; fill: var(--lk-warn-paper); }
.labkit .lk-process.lk-ended { stroke-dasharray: 5 4; fill: var(--lk-shade); }
.labkit .lk-stripe { fill: var(--lk-edge); }
.labkit .lk-stripe.lk-running { fill: var(--lk-run); }
.labkit .lk-stripe.lk-waiting, .labkit .lk-stripe.lk-stopped { fill: var(--lk-wait-line); }
.labkit .lk-stripe.lk-dead { fill: var(--lk-warn); }
.labkit .lk-sign { font-size: 14px; fill: var(--lk-soft); }
.labkit .lk-sign.lk-running { fill: var(--lk-run); }
.labkit .lk-sign.lk-waiting, .labkit .lk-sign.lk-stopped { fill: var(--lk-wait); }
.labkit .lk-sign.lk-dead { fill: var(--lk-warn); }
.labkit .lk-dot { fill: var(--lk-card); stroke: var(--lk-edge); stroke-width: 2; }
.labkit .lk-write .lk-dot { stroke: var(--lk-write); fill: var(--lk-write); }
.labkit .lk-read .lk-dot { stroke: var(--lk-read); }
.labkit .lk-flag { fill: var(--lk-lit); stroke: var(--lk-wait); stroke-width: 1.5; }
.labkit .lk-pending { font-size: 12px; font-weight: 600; }

.labkit .lk-thin { fill: none; stroke: var(--lk-edge); stroke-width: 1.8; }
.labkit .lk-thin.lk-write { stroke: var(--lk-write); }
.labkit .lk-thin.lk-read { stroke: var(--lk-read); }
.labkit .lk-thin.lk-map, .labkit .lk-thin.lk-last { stroke-dasharray: 2 4; stroke-linecap: round; }
.labkit .lk-thick { fill: none; stroke: var(--lk-wait-line); stroke-width: 7; stroke-linecap: butt; }
.labkit .lk-dead > .lk-thick { stroke: var(--lk-warn); stroke-dasharray: 14 4; }
.labkit .lk-line.lk-waits > .lk-thin, .labkit .lk-line.lk-dead > .lk-thin { stroke: var(--lk-card); stroke-width: 1.5; }
.labkit .lk-head.lk-waits { fill: var(--lk-wait-line); }
.labkit .lk-head.lk-dead { fill: var(--lk-warn); }
.labkit .lk-head.lk-data { fill: var(--lk-soft); }
.labkit .lk-packet { fill: var(--lk-write); stroke: var(--lk-card); stroke-width: 1.5; }

.labkit .lk-object { fill: var(--lk-shade); stroke: var(--lk-faint); stroke-width: 1.5; }
.labkit .lk-bare { fill: transparent; stroke: transparent; stroke-width: 1.5; }
.labkit .lk-tube { fill: var(--lk-shade); stroke: var(--lk-edge); stroke-width: 1.5; }
.labkit .lk-mouth { fill: var(--lk-card); stroke: var(--lk-edge); stroke-width: 1.5; }
.labkit .lk-fill, .labkit .lk-lane-fill { fill: var(--lk-fill); transition: width 0.2s ease, x 0.2s ease; }
.labkit .lk-flow { fill: none; stroke: var(--lk-edge); stroke-width: 1.6; stroke-linecap: round; stroke-linejoin: round; }
.labkit .lk-cellbox { fill: var(--lk-cell); stroke: var(--lk-faint); stroke-width: 1; }
.labkit .lk-changed .lk-cellbox { fill: var(--lk-lit); stroke: var(--lk-wait); stroke-width: 2; }
.labkit .lk-changed .lk-byte { font-weight: 700; fill: var(--lk-ink); }
.labkit .lk-zero .lk-byte { fill: var(--lk-edge); }
.labkit .lk-page { stroke: var(--lk-edge); stroke-width: 1.2; }
.labkit .lk-page-shared { fill: var(--lk-token); }
.labkit .lk-page-private { fill: var(--lk-lit); stroke: var(--lk-wait); stroke-width: 2; }
.labkit .lk-page-absent { fill: none; stroke-dasharray: 2 2; }
.labkit .lk-bowl { fill: var(--lk-cell); stroke: var(--lk-edge); stroke-width: 1.5; }
.labkit .lk-token { fill: var(--lk-token); }
.labkit .lk-count { font-size: 13px; font-weight: 600; }
.labkit .lk-index { font-size: 12px; font-weight: 600; fill: var(--lk-soft); }
.labkit .lk-person { fill: var(--lk-wait); }
.labkit .lk-waiting-words { font-size: 11.5px; font-weight: 600; }
.labkit .lk-rail { fill: var(--lk-cell); stroke: var(--lk-faint); }
.labkit .lk-envelope { fill: var(--lk-fill); stroke: var(--lk-edge); stroke-width: 1.2; }
.labkit .lk-type { font-size: 11px; font-weight: 600; }
.labkit .lk-lane { fill: var(--lk-cell); stroke: var(--lk-edge); stroke-width: 1.2; }
.labkit .lk-point { fill: var(--lk-soft); }
.labkit .lk-flight { font-size: 11.5px; font-weight: 600; fill: var(--lk-write); }
.labkit .lk-door { fill: var(--lk-fill); stroke: var(--lk-edge); stroke-width: 1.5; }
.labkit .lk-knob { fill: var(--lk-soft); }
.labkit .lk-ticket { fill: var(--lk-lit); stroke: var(--lk-wait); stroke-width: 1.2; }
.labkit .lk-sheet, .labkit .lk-padlock, .labkit .lk-clock, .labkit .lk-counter { fill: var(--lk-cell); stroke: var(--lk-soft); stroke-width: 1.5; }
.labkit .lk-padlock { fill: var(--lk-lit); }
.labkit .lk-shackle, .labkit .lk-hand { fill: none; stroke: var(--lk-soft); stroke-width: 2; }
.labkit .lk-digits { font-family: var(--lk-mono); font-size: 14px; }

.labkit .lk-panel { position: relative; border: 1px solid var(--lk-faint); border-radius: 8px; margin: 8px 0; background: var(--lk-card); }
.labkit .lk-inside { padding: 8px 14px; max-height: 320px; overflow: auto; }
.labkit .lk-panel h3 { margin: 0 28px 4px 0; font-size: 15px; }
.labkit .lk-panel p { margin: 2px 0 8px; }
.labkit .lk-panel table { border-collapse: collapse; margin: 6px 0 10px; width: auto; font-size: 12px; background: none; }
.labkit .lk-panel caption { text-align: left; font-weight: 600; padding: 2px 0; color: var(--lk-ink); }
.labkit .lk-panel th, .labkit .lk-panel td { text-align: left; padding: 2px 14px 2px 0; border-bottom: 1px solid var(--lk-faint); color: var(--lk-ink); background: none; unicode-bidi: isolate; max-width: 44em; overflow-wrap: anywhere; white-space: normal; }
.labkit .lk-panel th { color: var(--lk-soft); font-weight: 600; }
.labkit .lk-dump td { font-family: var(--lk-mono); white-space: pre; }
.labkit .lk-close { position: absolute; right: 6px; top: 4px; z-index: 1; }
.labkit button { font: inherit; color: var(--lk-ink); background: var(--lk-card); border: 1px solid var(--lk-edge); border-radius: 6px; padding: 2px 10px; min-height: 26px; min-width: 26px; cursor: pointer; }
.labkit button:hover { background: var(--lk-shade); }
.labkit button:focus-visible, .labkit select:focus-visible, .labkit [tabindex]:focus-visible { outline: 3px solid var(--lk-read); outline-offset: 1px; }
.labkit .lk-box:focus-visible { outline: none; }

@media (prefers-reduced-motion: reduce) { .labkit * { transition: none !important; } }
@media (forced-colors: active) { .labkit .lk-text { fill: CanvasText; } }
`;

// labkit/ui/index.js
function addStyle(page) {
  if (page.querySelector("style[data-labkit]")) return;
  const style = page.createElement("style");
  style.dataset.labkit = "";
  style.textContent = style_default;
  page.head.append(style);
}
function initialize({ model }) {
  return follow(model);
}
function render({ model, el }) {
  addStyle(el.ownerDocument);
  return live(model, el);
}
var index_default = { initialize, render };
export {
  index_default as default,
  layout
};
