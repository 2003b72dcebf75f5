// A slide's record, in words.

/**
 * As GraphQL returns it; everything but the ImageID may be missing.
 * @typedef {object} Slide
 * @property {string} ImageID
 * @property {string | null} [Filename]
 * @property {string | null} [SlideID]
 * @property {string | null} [CaseID]
 * @property {"BARCODE" | "SCANNER" | "TYPED" | "NONE" | null} [IdSource] where slide and case ID come from
 * @property {string | null} [Status] the technicians' review
 * @property {number | null} [width] pixels
 * @property {number | null} [height] pixels
 * @property {string | null} [ScanDate] ISO 8601
 * @property {number | null} [MPP] micrometres per pixel
 * @property {number | null} [AppMag] the objective's magnification
 * @property {"IMPORTING" | "IMPORTED" | "FAILED" | null} [ImportStatus]
 * @property {string | null} [ImportError]
 * @property {string[] | null} [ImportWarnings]
 * @property {number | null} [TilesRendered]
 * @property {number | null} [TilesTotal]
 * @property {string | null} [lastModified] ISO 8601
 * @property {number | null} [Version] counts the record's changes
 * @property {{text: string | null, reason: string | null} | null} [Barcode]
 * @property {{Operation: string, State: string, Error: string | null} | null} [Removal] what is not done yet
 * @property {string | null} [SendRequestedAt] ISO 8601
 * @property {{At: string | null, Receipt: string | null} | null} [Sent] the last delivery
 * @property {string | null} [SendError]
 * @property {boolean | null} [EditedAfterSending]
 */

/** The review's statuses, in the order of a slide's life. @type {Record<string, string>} */
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

/** Where IDs come from, for the history. @type {Record<string, string>} */
export const ID_SOURCE_TEXTS = {
  BARCODE: "the label's barcode",
  SCANNER: "the scanner's reading",
  TYPED: "typed or confirmed",
  NONE: "nobody",
};

const number = new Intl.NumberFormat("en");

/**
 * @param {Slide} slide
 * @returns {string} the name that people know the slide by
 */
export function nameOf(slide) {
  return slide.SlideID || slide.ImageID;
}

/**
 * @param {Slide} slide
 * @returns {boolean} whether there is an image to look at; tiles are served before they are all rendered
 */
export function isViewable(slide) {
  const gone = slide.ImportStatus === "FAILED" || slide.Status === "DELETED";
  return !gone && Boolean(slide.width && slide.height);
}

/**
 * @param {string} status the review's
 * @returns {string} in words; as it is where there are none
 */
export function statusText(status) {
  return STATUS_TEXTS[status] ?? status;
}

/**
 * @param {Slide} slide
 * @returns {number | null} the share of tiles rendered, 0 to 1
 */
export function progressOf(slide) {
  if (!slide.TilesTotal) return null;
  return Math.min(1, (slide.TilesRendered ?? 0) / slide.TilesTotal);
}

/**
 * @param {string | null | undefined} iso
 * @returns {string | null} in the reader's own language and time zone
 */
export function formatDate(iso) {
  if (!iso) return null;
  const date = new Date(iso);
  if (Number.isNaN(date.getTime())) return iso;
  return date.toLocaleString(undefined, { dateStyle: "medium", timeStyle: "short" });
}

/**
 * @param {Slide} slide
 * @returns {string | null} such as `46,000 × 32,914 px (23 × 16.5 mm)`
 */
export function formatSize({ width, height, MPP }) {
  if (!width || !height) return null;
  const pixels = `${number.format(width)} × ${number.format(height)} px`;
  if (!MPP) return pixels;
  const mm = (/** @type {number} */ px) => Number(((px * MPP) / 1000).toPrecision(3));
  return `${pixels} (${mm(width)} × ${mm(height)} mm)`;
}

/**
 * The record as terms and texts, unknown ones left out.
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

/**
 * @param {Slide} slide
 * @param {string} text what the reader is looking for
 * @returns {boolean} whether every word of it occurs in one of the slide's names
 */
export function matches(slide, text) {
  const names = [slide.SlideID, slide.CaseID, slide.ImageID, slide.Filename].join("\n").toLowerCase();
  return text.toLowerCase().split(/\s+/).every((word) => names.includes(word));
}
