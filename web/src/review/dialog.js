// Modal dialogs: made when they open, gone when they close, so that nothing of a slide stays behind.

import { element } from "../dom.js";

let count = 0;

/**
 * Shows a modal dialog. Escape closes it, as its buttons may by `close()`.
 * @param {string} kind a class
 * @param {string} title
 * @param {HTMLElement[]} headButtons beside the title
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

/** Closes all dialogs: another page is shown. */
export function closeDialogs() {
  for (const dialog of document.querySelectorAll("dialog")) dialog.close();
}
