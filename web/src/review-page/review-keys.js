// The keys of the review page.

import { REVIEW_REASONS } from "../record.js";

/**
 * @typedef {object} Commands
 * @property {() => boolean} asksReason whether the page asks why the slide is bad: then only these keys work
 * @property {(status: string) => void} judge
 * @property {() => void} askReason
 * @property {(index: number) => void} chooseReason
 * @property {(step: 1 | -1) => void} go
 * @property {() => void} undo
 * @property {() => void} editIds
 * @property {(name: "label" | "macro") => void} enlarge
 * @property {(factor: number) => void} zoomBy
 * @property {() => void} goHome
 * @property {() => void} escape
 */

const ZOOM_STEP = 1.5;

/**
 * Return the keys. None acts again while it is held.
 * @param {Commands} commands
 * @returns {import("../keys.js").Key[]}
 */
export function reviewKeys(commands) {
  const always = (/** @type {string} */ key, /** @type {string} */ text, /** @type {() => void} */ run) => {
    return { keys: [key], text, run };
  };
  const key = (/** @type {string} */ name, /** @type {string} */ text, /** @type {() => void} */ run) =>
    always(name, text, () => {
      if (!commands.asksReason()) run();
    });
  return [
    key("g", "good, and next", () => commands.judge("GOOD")),
    key("b", "bad; then the reason", () => commands.askReason()),
    ...Object.values(REVIEW_REASONS).map((text, index) =>
      always(String(index + 1), `bad: ${text.toLowerCase()}`, () => commands.chooseReason(index)),
    ),
    key("s", "send, and next", () => commands.judge("SEND")),
    key("n", "next", () => commands.go(1)),
    key("p", "previous", () => commands.go(-1)),
    key("u", "undo the last judgement", () => commands.undo()),
    key("i", "edit the slide ID", () => commands.editIds()),
    key("l", "enlarge the label", () => commands.enlarge("label")),
    key("m", "enlarge the macro", () => commands.enlarge("macro")),
    key("+", "zoom in", () => commands.zoomBy(ZOOM_STEP)),
    key("-", "zoom out", () => commands.zoomBy(1 / ZOOM_STEP)),
    key("0", "whole slide", () => commands.goHome()),
    always("Escape", "back to the list", () => commands.escape()),
  ];
}
