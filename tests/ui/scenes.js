import { readFileSync } from "node:fs";

/** @type {Record<string, import("../../labkit/ui/scene.js").Scene>} */
export const scenes = JSON.parse(readFileSync(new URL("./scenes.json", import.meta.url), "utf-8"));
