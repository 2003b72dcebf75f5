// The list of keys, and the switch for those that are a single character.

import { openDialog } from "./dialog.js";
import { button, element } from "./dom.js";

/** @typedef {import("./keys.js").Keys} Keys */

/** How keys are written whose names nobody knows. @type {Record<string, string>} */
const NAMES = {
  ArrowLeft: "←",
  ArrowRight: "→",
  ArrowUp: "↑",
  ArrowDown: "↓",
  Escape: "Esc",
  " ": "Space",
  PageUp: "Page Up",
  PageDown: "Page Down",
};

/**
 * Show the keys that work on the present page.
 * @param {Keys} keys
 */
export function openKeysDialog(keys) {
  const single = /** @type {HTMLInputElement} */ (
    element("input", { type: "checkbox", change: () => void (keys.single = single.checked) })
  );
  single.checked = keys.single;
  const groups = keys.active.flatMap((group) => [
    element("h3", {}, group.title),
    element(
      "dl",
      { class: "keys" },
      ...group.keys.flatMap((key) => [
        element("dt", {}, ...key.keys.map((name) => element("kbd", {}, keyName(name)))),
        element("dd", {}, key.text),
      ]),
    ),
  ]);
  const close = button("Close", () => dialog.close());
  const dialog = openDialog(
    "keys-dialog",
    "Keys",
    [close],
    ...groups,
    element("label", { class: "keys-switch" }, single, "Use keys that are a single character"),
    element("p", { class: "soft" }, "Switch them off if you speak to the computer: a word could press them."),
  );
}

/** @param {string} name a value of `KeyboardEvent.key` */
function keyName(name) {
  if (/^\p{Lu}$/u.test(name)) return `Shift ${name}`;
  return NAMES[name] ?? (name.length === 1 ? name.toUpperCase() : name);
}
