// Keeps a model's newest scene: changes come as messages, and are applied once for all its views.

import { apply } from "./scene.js";

/** @typedef {import("./index.js").Model} Model */

/** @param {Model} model */
export function follow(model) {
  let asked = false;
  /** @param {any} message */
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
