// Has the kernel that draws this view gone? A page's widget manager knows; a page without one never asks.

/** @typedef {import("./index.js").Model} Model */

/**
 * @param {Model & {widget_manager?: any}} model
 * @param {(gone: boolean) => void} tell
 * @returns {() => void}
 */
export function watchKernel(model, tell) {
  let ended = false;
  /** @type {any} */
  let raw = null;
  const onChange = () => !ended && tell(raw.comm_live === false);
  const ident = model.get("ident");
  if (ident && model.widget_manager?.get_model)
    model.widget_manager.get_model(ident).then((/** @type {any} */ found) => {
      if (ended) return;
      raw = found;
      raw.on?.("comm_live_update", onChange);
      if (raw.comm_live === false) tell(true);
    }, () => !ended && tell(true));
  return () => {
    ended = true;
    raw?.off?.("comm_live_update", onChange);
  };
}
