// A slide's record: its fields, and the texts that show them.

/**
 * @typedef {"OUT_OF_FOCUS" | "TISSUE_MISSED" | "STITCHING" | "LABEL" | "ARTEFACT" | "WRONG_SLIDE" | "OTHER"} ReviewReason
 *
 * As GraphQL returns it. Every field but the ImageID can be missing.
 * @typedef {object} Slide
 * @property {string} ImageID
 * @property {string | null} [Filename]
 * @property {string | null} [SlideID]
 * @property {string | null} [CaseID]
 * @property {"BARCODE" | "SCANNER" | "TYPED" | "NONE" | null} [IdSource] where the slide ID and the case ID come from
 * @property {string | null} [Status] the review's
 * @property {ReviewReason | null} [ReviewReason] why it is BAD
 * @property {string | null} [ReviewNote] a note on a BAD slide; it may have several lines
 * @property {number | null} [width] pixels
 * @property {number | null} [height] pixels
 * @property {string | null} [ScanDate] ISO 8601
 * @property {number | null} [MPP] micrometres per pixel
 * @property {number | null} [AppMag] the objective's magnification
 * @property {"IMPORTING" | "IMPORTED" | "FAILED" | null} [ImportStatus]
 * @property {string | null} [ImportError]
 * @property {string | null} [ConflictsWith] the ImageID of the slide in a failed import's way
 * @property {string[] | null} [ImportWarnings]
 * @property {number | null} [TilesRendered]
 * @property {number | null} [TilesTotal]
 * @property {string | null} [lastModified] ISO 8601
 * @property {number | null} [Version] the number of changes so far
 * @property {{text: string | null, reason: string | null} | null} [Barcode]
 * @property {{Operation: string, State: string, Error: string | null} | null} [Removal] an unfinished removal
 * @property {string | null} [SendRequestedAt] ISO 8601
 * @property {{At: string | null, Receipt: string | null} | null} [Sent] the last delivery
 * @property {string | null} [SendError]
 * @property {boolean | null} [EditedAfterSending]
 */

/** The review's statuses, in the order in which a slide usually gets them. @type {Record<string, string>} */
export const STATUS_TEXTS = {
  NEW: "New",
  GOOD: "Good",
  BAD: "Bad",
  SEND: "To be sent",
  SENT: "Sent",
  SEND_FAILED: "Sending failed",
  TRANSFERRED: "Archived",
  DELETED: "Deleted",
};

/** Why a slide is bad, in the order of the menu. @type {Record<ReviewReason, string>} */
export const REVIEW_REASONS = {
  OUT_OF_FOCUS: "Out of focus",
  TISSUE_MISSED: "Tissue missed",
  STITCHING: "Stitching",
  LABEL: "Label",
  ARTEFACT: "Artefact",
  WRONG_SLIDE: "Wrong slide",
  OTHER: "Other",
};

/** The sources of IDs, for the history. @type {Record<string, string>} */
export const ID_SOURCE_TEXTS = {
  BARCODE: "the label's barcode",
  SCANNER: "the scanner",
  TYPED: "typed or confirmed",
  NONE: "not identified",
};

const number = new Intl.NumberFormat("en");

/**
 * Return the slide's name for users.
 * @param {Slide} slide
 * @returns {string} the slide ID, or the ImageID if there is none
 */
export function nameOf(slide) {
  return slide.SlideID || slide.ImageID;
}

/**
 * Check whether the slide can be opened. Tiles are served even before all are rendered.
 * @param {Slide} slide
 * @returns {boolean}
 */
export function isViewable(slide) {
  const unavailable = slide.ImportStatus === "FAILED" || slide.Status === "DELETED";
  return !unavailable && Boolean(slide.width && slide.height);
}

/**
 * Return the text for a review status.
 * @param {string} status
 * @returns {string} the status itself if it has no text
 */
export function statusText(status) {
  return STATUS_TEXTS[status] ?? status;
}

/**
 * Check whether the slide is being imported, removed or sent, so that its record will change.
 * @param {Slide} slide
 * @returns {boolean}
 */
export function isInProgress(slide) {
  return slide.ImportStatus === "IMPORTING" || slide.Removal?.State === "REQUESTED" || slide.Status === "SEND";
}

/**
 * Return the import's progress.
 * @param {Slide} slide
 * @returns {number | null} the share of tiles rendered, 0 to 1; null if unknown
 */
export function progressOf(slide) {
  if (!slide.TilesTotal) return null;
  return Math.min(1, (slide.TilesRendered ?? 0) / slide.TilesTotal);
}

/**
 * Format a date and time in the browser's language and time zone.
 * @param {string | null | undefined} iso
 * @returns {string | null}
 */
export function formatDate(iso) {
  if (!iso) return null;
  const date = new Date(iso);
  if (Number.isNaN(date.getTime())) return iso;
  return date.toLocaleString(undefined, { dateStyle: "medium", timeStyle: "short" });
}

/**
 * Format the slide's size.
 * @param {Slide} slide
 * @returns {string | null} for example `46,000 × 32,914 px (23 × 16.5 mm)`
 */
export function formatSize({ width, height, MPP }) {
  if (!width || !height) return null;
  const pixels = `${number.format(width)} × ${number.format(height)} px`;
  if (!MPP) return pixels;
  const mm = (/** @type {number} */ px) => Number(((px * MPP) / 1000).toPrecision(3));
  return `${pixels} (${mm(width)} × ${mm(height)} mm)`;
}

/**
 * Return the record as terms and texts, without unknown values.
 * @param {Slide} slide
 * @returns {[term: string, text: string][]}
 */
export function factsOf(slide) {
  /** @type {[string, string | null | undefined][]} */
  const facts = [
    ["Slide", slide.SlideID],
    ["Case", slide.CaseID],
    ["Scanned", formatDate(slide.ScanDate)],
    ["Objective", slide.AppMag ? `${slide.AppMag}×` : null],
    ["Pixel size", slide.MPP ? `${slide.MPP} µm` : null],
    ["Size", formatSize(slide)],
    ["Review", slide.Status && statusText(slide.Status)],
    ["Image ID", slide.ImageID],
    ["File", slide.Filename],
    ["Changed", formatDate(slide.lastModified)],
  ];
  return facts.flatMap(([term, text]) => (text ? [[term, text]] : []));
}
