// The columns of the table.

import { ID_SOURCE_TEXTS, formatDate, formatSize, progressOf, statusText } from "../record.js";
import { removalState } from "../review/removal.js";

/**
 * @typedef {import("../record.js").Slide} Slide
 *
 * @typedef {object} Column
 * @property {string} name
 * @property {string} label
 * @property {(slide: Slide) => string | null | undefined} text
 * @property {{order: string, direction: "ascending" | "descending"}[]} [orders] of the search by this column
 * @property {boolean} [isDefault] shown unless the user has chosen otherwise
 */

/** The first column, the slide ID, is always shown. @type {Pick<Column, "label" | "orders">} */
export const SLIDE_COLUMN = {
  label: "Slide",
  orders: [
    { order: "SLIDE_ID", direction: "ascending" },
    { order: "SLIDE_ID_DESCENDING", direction: "descending" },
  ],
};

/** @type {Column[]} */
export const COLUMNS = [
  { name: "case", label: "Case", text: (slide) => slide.CaseID, isDefault: true },
  {
    name: "status",
    label: "Review",
    text: reviewText,
    orders: [{ order: "STATUS", direction: "ascending" }],
    isDefault: true,
  },
  { name: "import", label: "Import", text: importText, isDefault: true },
  {
    name: "scanned",
    label: "Scanned",
    text: (slide) => formatDate(slide.ScanDate),
    orders: [
      { order: "NEWEST", direction: "descending" },
      { order: "OLDEST", direction: "ascending" },
    ],
    isDefault: true,
  },
  { name: "size", label: "Size", text: (slide) => formatSize(slide), isDefault: true },
  { name: "objective", label: "Objective", text: (slide) => (slide.AppMag ? `${slide.AppMag}×` : null) },
  { name: "mpp", label: "Pixel size", text: (slide) => (slide.MPP ? `${slide.MPP} µm` : null) },
  { name: "ids", label: "IDs from", text: (slide) => slide.IdSource && ID_SOURCE_TEXTS[slide.IdSource] },
  { name: "file", label: "File", text: (slide) => slide.Filename },
  { name: "changed", label: "Changed", text: (slide) => formatDate(slide.lastModified) },
  { name: "image", label: "Image ID", text: (slide) => slide.ImageID },
];

/**
 * Return the columns that are shown.
 * @param {string[] | null} names null: those by default
 * @returns {Column[]}
 */
export function chosenColumns(names) {
  return COLUMNS.filter(({ name, isDefault }) => (names ? names.includes(name) : isDefault));
}

/** @param {Slide} slide */
function reviewText(slide) {
  return removalState(slide)?.text ?? (slide.Status && statusText(slide.Status));
}

/** @param {Slide} slide */
function importText(slide) {
  const share = progressOf(slide);
  const percent = share === null ? "" : ` ${Math.floor(share * 100)}%`;
  if (slide.ImportStatus === "IMPORTING") return `Importing${percent}`;
  if (slide.ImportStatus === "FAILED") return `Failed: ${slide.ImportError ?? "no reason was recorded"}`;
  return slide.ImportStatus === "IMPORTED" ? "Imported" : null;
}
