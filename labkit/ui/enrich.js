// What an object's picture needs to know of the rest of the scene. Pure.

/** @typedef {import("./words.js").Thing} Thing */

/** Names in place of pids and ids, for the drawing. @param {Thing} o @param {import("./scene.js").Scene} scene @returns {Thing} */
export function enrich(o, scene) {
  const name = (/** @type {number} */ pid) => scene.processes.find((p) => p.pid === pid)?.name ?? (pid ? `pid ${pid}` : null);
  if (o.kind === "sysv-sem") return { ...o, lastNames: (o.last ?? []).map(name) };
  if (o.kind === "lock") return { ...o, holderNames: (o.holders ?? []).map(name) };
  if (o.kind === "epoll") return { ...o, watching: o.watching?.map((/** @type {Thing} */ w) => ({ ...w, objectName: scene.objects.find((x) => x.id === w.object)?.name })) };
  if (/shm|memfd/.test(o.kind)) return { ...o, views: viewsOf(o, scene) };
  return o;
}

/** @param {Thing} o @param {import("./scene.js").Scene} scene */
export function viewsOf(o, scene) {
  return scene.processes.flatMap((p) => (p.mappings ?? []).filter((/** @type {Thing} */ m) => m.object === o.id)
    .map((/** @type {Thing} */ m) => ({ name: p.name, prot: m.prot, shared: m.shared, pages: m.pages, start: m.start, size: m.size })));
}
