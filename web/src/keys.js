// The pages' keys: which there are, and when they work.

/**
 * A key, or several with the same effect.
 * @typedef {object} Key
 * @property {string[]} keys values of `KeyboardEvent.key`; letters in lower case
 * @property {string} text what it does, for the list of keys
 * @property {(event: KeyboardEvent) => void} run
 * @property {boolean} [repeat] whether a held key repeats it. Never for what changes a record: a held key would change
 *   the next one too.
 *
 * @typedef {{title: string, isActive: () => boolean, keys: Key[]}} KeyGroup
 */

const STORAGE_KEY = "vsv.single-keys";
/** Controls that Enter or Space presses. */
const PRESSED = 'a, button, summary, label, input, [role="button"]';
/** Controls that arrow keys change. */
const ARROW_FIELDS = 'input[type="range"], input[type="radio"]';
const TEXT_FIELDS = 'textarea, select, [contenteditable], input:not([type="checkbox"], [type="radio"], [type="range"])';

export class Keys {
  /** @type {KeyGroup[]} */
  #groups = [];

  /** @param {Document} document */
  constructor(document) {
    document.addEventListener("keydown", (event) => this.#press(event));
  }

  /**
   * Add keys that work while their page is shown, wherever the focus is, except in a text field or a dialog.
   * @param {string} title of the group in the list of keys
   * @param {() => boolean} isActive
   * @param {Key[]} keys
   */
  add(title, isActive, keys) {
    this.#groups.push({ title, isActive, keys });
  }

  /** @returns {KeyGroup[]} the keys that work now */
  get active() {
    return this.#groups.filter(({ isActive }) => isActive());
  }

  /**
   * Whether keys that are a single character work. Speech input and a book on the keyboard press such keys unwanted
   * (WCAG 2.1.4).
   * @returns {boolean}
   */
  get single() {
    return localStorage.getItem(STORAGE_KEY) !== "off";
  }

  set single(on) {
    if (on) localStorage.removeItem(STORAGE_KEY);
    else localStorage.setItem(STORAGE_KEY, "off");
  }

  /** @param {KeyboardEvent} event */
  #press(event) {
    if (event.defaultPrevented || event.ctrlKey || event.altKey || event.metaKey || event.isComposing) return;
    const target = /** @type {Element} */ (event.target);
    if (target.matches?.(TEXT_FIELDS) || document.querySelector("dialog:modal")) return;
    if ((event.key === "Enter" || event.key === " ") && target.closest?.(PRESSED)) return;
    if (event.key.startsWith("Arrow") && target.matches?.(ARROW_FIELDS)) return;
    if (event.key.length === 1 && !this.single) return;
    const key = this.#find(event);
    if (!key) return;
    event.preventDefault();
    if (!event.repeat || key.repeat) key.run(event);
  }

  /** @param {KeyboardEvent} event */
  #find(event) {
    // Caps Lock makes a capital letter without Shift
    const pressed = event.shiftKey ? event.key : event.key.toLowerCase();
    for (const { keys } of this.active) {
      const found = keys.find((each) => each.keys.some((key) => key === pressed || key === event.key));
      if (found) return found;
    }
    return null;
  }
}
