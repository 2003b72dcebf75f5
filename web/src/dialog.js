// Modal dialogs. They are removed from the document when they close, so that no slide's data stays in it.

import { element } from "./dom.js";

let count = 0;

/**
 * Show a modal dialog. Escape closes it; buttons can call its `close()`.
 * @param {string} kind a CSS class
 * @param {string} title
 * @param {HTMLElement[]} headButtons buttons beside the title
 * @param {...HTMLElement} children
 * @returns {HTMLDialogElement}
 */
export function openDialog(kind, title, headButtons, ...children) {
  const id = `dialog-${(count += 1)}`;
  const heading = element("h2", { id, class: "dialog-title" }, title);
  const head = element("div", { class: "dialog-head" }, heading, ...headButtons);
  const dialog = /** @type {HTMLDialogElement} */ (
    element("dialog", { class: `dialog ${kind}`, "aria-labelledby": id }, head, ...children)
  );
  const opener = document.activeElement;
  dialog.addEventListener("close", () => {
    dialog.remove();
    if (opener instanceof HTMLElement && opener.isConnected) opener.focus({ preventScroll: true });
  });
  document.body.append(dialog);
  dialog.showModal();
  return dialog;
}

/** Close all dialogs, before another page is shown. */
export function closeDialogs() {
  for (const dialog of document.querySelectorAll("dialog")) dialog.close();
}
