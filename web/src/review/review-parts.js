// Parts of the review page.

import { element } from "../dom.js";
import { REVIEW_REASONS, formatDate, statusText } from "../record.js";
import { FIELD_NAMES } from "./review.js";

/**
 * @typedef {import("../record.js").Slide} Slide
 * @typedef {import("./review.js").Difference} Difference
 */

/**
 * Describe the scan: its file, its ImageID, when it was made.
 * @param {Slide} slide
 * @returns {string}
 */
export function scanText({ ImageID, Filename, ScanDate }) {
  const parts = [Filename, `image ${ImageID}`, ScanDate && `scanned ${formatDate(ScanDate)}`];
  return parts.filter(Boolean).join(" · ");
}

/**
 * Show what somebody else has changed beside the user's own changes.
 * @param {Difference[]} differences
 * @param {...HTMLElement} actions
 * @returns {HTMLElement}
 */
export function conflictMessage(differences, ...actions) {
  const text = (/** @type {Difference["field"]} */ field, /** @type {string | null | undefined} */ value) => {
    if (value === undefined) return "unchanged";
    if (value === null) return "none";
    if (field === "ReviewReason") return REVIEW_REASONS[/** @type {keyof typeof REVIEW_REASONS} */ (value)] ?? value;
    return field === "Status" ? statusText(value) : `“${value}”`;
  };
  const rows = differences.map(({ field, now, mine }) =>
    element(
      "tr",
      {},
      element("th", { scope: "row" }, FIELD_NAMES[field]),
      element("td", {}, text(field, now)),
      element("td", {}, text(field, mine)),
    ),
  );
  const columns = ["", "Current", "Yours"].map((name) => element("th", { scope: "col" }, name));
  return element(
    "div",
    { class: "message conflict", role: "alert", tabindex: -1 },
    element("p", { class: "message-title" }, "Somebody else has changed this slide"),
    element("table", {}, element("thead", {}, element("tr", {}, ...columns)), element("tbody", {}, ...rows)),
    element("p", {}, "Your changes are not saved yet."),
    element("p", { class: "message-actions" }, ...actions),
  );
}

/**
 * Describe the barcode on the label.
 * @param {Slide} slide
 * @returns {string} what was read from the label, or why nothing was read
 */
export function barcodeText({ Barcode }) {
  if (Barcode?.text) return `Barcode: “${Barcode.text}”`;
  return Barcode?.reason ? `Barcode: none (${Barcode.reason})` : "Barcode: unknown";
}

/**
 * Describe where the IDs come from.
 * @param {Slide} slide
 * @returns {string}
 */
export function sourceText({ IdSource, SlideID, CaseID }) {
  switch (IdSource) {
    case "BARCODE":
      return "These IDs were read from the label's barcode.";
    case "SCANNER":
      return "These IDs were read from the label by the scanner.";
    case "TYPED":
      return "These IDs were typed or confirmed by a person.";
    case "NONE":
      return SlideID && CaseID
        ? "These IDs were neither read from the label nor typed. Correct or confirm them."
        : "An ID is missing. Type both IDs.";
    default:
      return "";
  }
}

/**
 * Return the text of the button that sends a slide.
 * @param {Slide} slide
 */
export function sendText({ Status }) {
  return Status === "SENT" || Status === "SEND_FAILED" ? "Send again" : "Send";
}

/**
 * Explain why there is no operation on the slide's file.
 * @param {Slide} slide
 */
export function noOperationsText(slide) {
  return slide.Status === "DELETED" ? "The file is deleted." : "The file cannot be changed during the import.";
}

/**
 * Return badges for the states of import and review.
 * @param {Slide} slide
 * @returns {HTMLElement[]}
 */
export function badgesOf(slide) {
  const badges = [];
  if (slide.ImportStatus === "FAILED") badges.push(element("span", { class: "badge failed" }, "Import failed"));
  if (slide.ImportStatus === "IMPORTING") badges.push(element("span", { class: "badge importing" }, "Importing"));
  badges.push(element("span", { class: `badge status-${slide.Status}` }, statusText(slide.Status ?? "NEW")));
  if (slide.EditedAfterSending) badges.push(element("span", { class: "badge importing" }, "Changed after sending"));
  return badges;
}

/**
 * Return lines about import and sending.
 * @param {Slide} slide
 * @returns {HTMLElement[]}
 */
export function importAndSendingLines(slide) {
  const line = (/** @type {string} */ text, kind = "") => element("p", { class: kind || null }, text);
  const lines = [];
  if (slide.ImportStatus === "FAILED") {
    lines.push(line(`The import failed: ${slide.ImportError || "no reason was recorded"}`, "failure"));
  }
  for (const warning of slide.ImportWarnings ?? []) lines.push(line(`Warning: ${warning}`, "soft"));
  if (slide.Status === "SEND") {
    const since = formatDate(slide.SendRequestedAt);
    lines.push(line(`To be sent to the CDR${since ? `, requested ${since}` : ""}.`));
  }
  if (slide.SendError) lines.push(line(`Sending failed: ${slide.SendError}`, "failure"));
  if (slide.Sent) {
    const receipt = slide.Sent.Receipt ? `, receipt ${slide.Sent.Receipt}` : "";
    lines.push(line(`Sent to the CDR ${formatDate(slide.Sent.At) ?? ""}${receipt}.`));
  }
  if (slide.EditedAfterSending) lines.push(line("Changed since then: the CDR does not have the changes."));
  return lines;
}
