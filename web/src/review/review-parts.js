// Parts of the review's dialog.

import { button, element, imageFrom } from "../dom.js";
import { formatDate, statusText } from "../record.js";
import { FIELD_NAMES } from "./review.js";

/**
 * @typedef {import("../record.js").Slide} Slide
 * @typedef {import("./review.js").Difference} Difference
 */

/**
 * The label, large, and what else tells which slide it is. It can be turned: scanners keep it as it was stuck on.
 * @param {import("../api/api.js").Api} api
 * @param {Slide} slide
 * @param {AbortSignal} closed
 * @returns {HTMLElement}
 */
export function labelView(api, { ImageID, Filename, ScanDate }, closed) {
  const place = element("div", { class: "slide-image" }, "…");
  const turn = button("Turn", () => {
    place.dataset.turn = String((Number(place.dataset.turn ?? 0) + 1) % 4);
  });
  turn.title = "Turn the label by 90 degrees";
  turn.hidden = true;
  api
    .getAssociatedImage(ImageID, "label", closed)
    .then(async (blob) => {
      const image = blob && (await imageFrom(blob, "The slide's label"));
      place.replaceChildren(image ?? "No label image");
      turn.hidden = !image;
    })
    .catch(() => place.replaceChildren("The label could not be loaded"));
  const names = [Filename, `image ${ImageID}`, ScanDate && `scanned ${formatDate(ScanDate)}`];
  const line = element("p", { class: "soft" }, names.filter(Boolean).join(" · "));
  return element("div", { class: "review-label" }, place, turn, line);
}

/**
 * @param {Difference[]} differences
 * @param {...HTMLElement} actions
 * @returns {HTMLElement}
 */
export function conflictMessage(differences, ...actions) {
  const text = (/** @type {Difference["field"]} */ field, /** @type {string | null | undefined} */ value) => {
    if (value === undefined) return "unchanged";
    if (value === null) return "none";
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
  const columns = ["", "There now", "Yours"].map((name) => element("th", { scope: "col" }, name));
  return element(
    "div",
    { class: "message conflict", role: "alert", tabindex: -1 },
    element("p", { class: "message-title" }, "Somebody else has changed this slide meanwhile"),
    element("table", {}, element("thead", {}, element("tr", {}, ...columns)), element("tbody", {}, ...rows)),
    element("p", {}, "Nothing of yours is saved yet. You may also go on typing, and save then."),
    element("p", { class: "message-actions" }, ...actions),
  );
}

/**
 * @param {Slide} slide
 * @returns {string} what was read from the label, or why nothing was
 */
export function barcodeText({ Barcode }) {
  if (Barcode?.text) return `Barcode: “${Barcode.text}”`;
  return Barcode?.reason ? `Barcode: none (${Barcode.reason})` : "Barcode: unknown";
}

/**
 * @param {Slide} slide
 * @returns {string} where its IDs come from
 */
export function sourceText({ IdSource, SlideID, CaseID }) {
  switch (IdSource) {
    case "BARCODE":
      return "These IDs come from the label's barcode.";
    case "SCANNER":
      return "These IDs come from the scanner's reading of the label.";
    case "TYPED":
      return "These IDs were typed or confirmed by a person.";
    case "NONE":
      return SlideID && CaseID
        ? "Nobody has read or typed these IDs. Type them, or confirm them."
        : "An ID is missing. Type both.";
    default:
      return "";
  }
}

/**
 * @param {string} status
 * @param {Slide} slide
 */
export function statusAction(status, slide) {
  if (status !== "SEND") return `Mark ${statusText(status).toLowerCase()}`;
  return slide.Status === "SENT" || slide.Status === "SEND_FAILED" ? "Send again" : "Send";
}

/** @param {Slide} slide */
export function fileless(slide) {
  return slide.Status === "DELETED" ? "The file is gone." : "Nothing can be done with it while it is imported.";
}

/**
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
 * @param {Slide} slide
 * @returns {HTMLElement[]}
 */
export function factsOf(slide) {
  const line = (/** @type {string} */ text, kind = "") => element("p", { class: kind || null }, text);
  const lines = [];
  if (slide.ImportStatus === "FAILED") {
    lines.push(line(`The import failed: ${slide.ImportError || "no reason was recorded"}`, "failure"));
  }
  for (const warning of slide.ImportWarnings ?? []) lines.push(line(`Warning: ${warning}`, "soft"));
  if (slide.Status === "SEND") {
    const since = formatDate(slide.SendRequestedAt);
    lines.push(line(`To be sent to the CDR${since ? `, asked for ${since}` : ""}.`));
  }
  if (slide.SendError) lines.push(line(`Sending failed: ${slide.SendError}`, "failure"));
  if (slide.Sent) {
    const receipt = slide.Sent.Receipt ? `, receipt ${slide.Sent.Receipt}` : "";
    lines.push(line(`Sent to the CDR ${formatDate(slide.Sent.At) ?? ""}${receipt}.`));
  }
  if (slide.EditedAfterSending) lines.push(line("It was changed after that: the CDR does not know it yet."));
  return lines;
}
