// Making elements. Text goes in as text: a slide's names are never taken for markup.

/**
 * @param {string} tag
 * @param {Record<string, unknown>} [attributes] functions become listeners, `null` and `false` are left out
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
 * A headline, a sentence, and what can be done.
 * @param {{title: string, detail: string}} text
 * @param {...HTMLElement} actions
 * @returns {HTMLElement}
 */
export function message({ title, detail }, ...actions) {
  return element(
    "div",
    { class: "message", role: "alert" },
    element("p", { class: "message-title" }, title),
    element("p", {}, detail),
    actions.length ? element("p", { class: "message-actions" }, ...actions) : null,
  );
}

/**
 * @param {string} text
 * @param {() => void} act
 * @returns {HTMLButtonElement}
 */
export function button(text, act) {
  return /** @type {HTMLButtonElement} */ (element("button", { type: "button", class: "button", click: act }, text));
}

/**
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
 * Shows a blob in an image element. Its address is given back as soon as the picture is decoded.
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
