// Making elements. All text goes in as text, never as markup: it may come from a hostile program.

const SVG = "http://www.w3.org/2000/svg";

/** @typedef {Record<string, string | number | boolean | null | undefined>} Attributes */

/** @param {Element} element @param {Attributes} attributes */
export function set(element, attributes) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value == null || value === false) element.removeAttribute(name);
    else if (element.getAttribute(name) !== String(value)) element.setAttribute(name, String(value));
  }
  return element;
}

/** An SVG element. @param {string} name @param {Attributes} [attributes] @param {...(Node|string|null)} children @returns {SVGElement} */
export function svg(name, attributes = {}, ...children) {
  const element = document.createElementNS(SVG, name);
  set(element, attributes);
  element.append(...children.filter((c) => c != null));
  return /** @type {SVGElement} */ (element);
}

/** An HTML element. @param {string} name @param {Attributes} [attributes] @param {...(Node|string|null)} children @returns {HTMLElement} */
export function html(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  set(element, attributes);
  element.append(...children.filter((c) => c != null));
  return element;
}

/** A line of text. @param {string} content @param {number} x @param {number} y @param {string} [kind] @param {Attributes} [more] */
export function text(content, x, y, kind = "", more = {}) {
  return svg("text", { x, y, class: `lk-text ${kind}`, ...more }, content);
}

/** @param {number} x @param {number} y @param {number} width @param {number} height @param {string} kind @param {number} [rx] */
export function box(x, y, width, height, kind, rx = 6) {
  return svg("rect", { x, y, width, height, rx, class: kind });
}
