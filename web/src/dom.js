// DOM elements. Text is inserted as text: a slide's names are never parsed as markup.

/**
 * Create an element.
 * @param {string} tag
 * @param {Record<string, unknown>} [attributes] functions become event listeners; `null` and `false` are skipped
 * @param {...(Node | string | null)} children
 * @returns {HTMLElement}
 */
export function element(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (typeof value === "function") node.addEventListener(name, /** @type {EventListener} */ (value));
    else node.setAttribute(name, value === true ? "" : String(value));
  }
  node.append(...children.filter((child) => child !== null));
  return node;
}

/**
 * Create a message: a headline, a sentence, and buttons.
 * @param {{title: string, detail: string}} text
 * @param {...HTMLElement} buttons
 * @returns {HTMLElement}
 */
export function message({ title, detail }, ...buttons) {
  return element(
    "div",
    { class: "message", role: "alert" },
    element("p", { class: "message-title" }, title),
    element("p", {}, detail),
    buttons.length ? element("p", { class: "message-actions" }, ...buttons) : null,
  );
}

/**
 * Create a button.
 * @param {string} text
 * @param {() => void} onClick
 * @returns {HTMLButtonElement}
 */
export function button(text, onClick) {
  return /** @type {HTMLButtonElement} */ (
    element("button", { type: "button", class: "button", click: onClick }, text)
  );
}

/**
 * Create a description list.
 * @param {[term: string, text: string][]} facts
 * @returns {HTMLElement}
 */
export function definitions(facts) {
  return element(
    "dl",
    { class: "facts" },
    ...facts.map(([term, text]) => element("div", {}, element("dt", {}, term), element("dd", {}, text))),
  );
}

/**
 * Create an image element from a blob. The blob's URL is revoked when the image is decoded.
 * @param {Blob} blob
 * @param {string} alt
 * @returns {Promise<HTMLImageElement>}
 */
export async function imageFrom(blob, alt) {
  const image = new Image();
  const url = URL.createObjectURL(blob);
  image.alt = alt;
  image.src = url;
  try {
    await image.decode();
  } finally {
    URL.revokeObjectURL(url);
  }
  return image;
}
