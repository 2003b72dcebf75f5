// Edits that are saved in the background, each with its result. A status can be undone for a minute.

import { RequestError } from "../api/errors.js";
import { isDone, rebase } from "./review.js";

/**
 * @typedef {import("../api/api.js").Api} Api
 * @typedef {import("../record.js").Slide} Slide
 * @typedef {import("./review.js").Difference} Difference
 * @typedef {import("./review.js").Edit} Edit
 *
 * - `saving`: the server has not answered yet
 * - `saved`
 * - `failed`: it is not saved, or nobody knows whether it is
 * - `conflict`: somebody else has changed the same fields; it is not saved
 * - `undone`
 * @typedef {"saving" | "saved" | "failed" | "conflict" | "undone"} JudgementState
 *
 * @typedef {object} Judgement
 * @property {Slide} before the record that the user saw
 * @property {Edit} edit
 * @property {JudgementState} state
 * @property {Slide | null} now the newest record since, if the server has returned one
 * @property {Difference[]} differences those of a conflict
 * @property {unknown} error why it failed, or why it could not be undone
 * @property {number} madeAt milliseconds
 * @property {boolean} undoing
 * @property {Promise<void>} done resolved when it is no longer being saved
 */

/** A status can be undone for this time. */
export const UNDO_MS = 60_000;
/** How often an edit is sent while only other fields of the record change, before the user decides. */
const MAX_ATTEMPTS = 4;
/** After other errors the edit may have been saved although its answer did not arrive. */
const REFUSALS = ["invalid", "forbidden", "missing", "signed-out"];

/**
 * Save an edit. If only other fields of the record have changed, it is sent again with the new version. After an error
 * the record is read again: its answer may have been lost.
 * @param {Api} api
 * @param {Slide} seen
 * @param {Edit} edit
 * @returns {Promise<{now: Slide, differences: Difference[]}>} the record; with differences if it is not saved, because
 *   somebody else has changed the same fields
 */
export async function saveEdit(api, seen, edit) {
  let record = seen;
  for (let attempt = 1; ; attempt += 1) {
    try {
      return { now: await api.updateSlide(seen.ImageID, record.Version, edit), differences: [] };
    } catch (error) {
      const now = await currentRecord(api, seen.ImageID, error);
      if (isDone(edit, now)) return { now, differences: [] };
      const differences = differencesOf(seen, edit, now);
      if (differences.length) return { now, differences };
      if (now.Version === record.Version || attempt >= MAX_ATTEMPTS) throw error;
      record = now;
    }
  }
}

/**
 * @param {Api} api
 * @param {string} imageId
 * @param {unknown} error
 * @returns {Promise<Slide>}
 * @throws the error, if the server refused the edit, or if the record cannot be read
 */
async function currentRecord(api, imageId, error) {
  if (!(error instanceof RequestError) || REFUSALS.includes(error.kind)) throw error;
  if (error.current) return error.current;
  try {
    return await api.getSlide(imageId);
  } catch {
    throw error;
  }
}

/**
 * @param {Slide} seen
 * @param {Edit} edit
 * @param {Slide} now
 * @returns {Difference[]}
 */
function differencesOf(seen, edit, now) {
  const { differences } = rebase(seen, typedIn(seen, edit), now, edit.Status ?? null);
  const reason = now.ReviewReason ?? null;
  if (edit.ReviewReason && reason !== (seen.ReviewReason ?? null) && reason !== edit.ReviewReason) {
    differences.push({ field: "ReviewReason", now: reason, mine: edit.ReviewReason });
  }
  return differences;
}

/**
 * Return the values of the inputs that an edit was made of.
 * @param {Slide} seen
 * @param {Edit} edit
 * @returns {import("./review.js").TypedIds}
 */
export function typedIn(seen, edit) {
  const { SlideID, CaseID } = { ...seen, ...edit };
  return { SlideID: SlideID ?? "", CaseID: CaseID ?? "" };
}

/**
 * Return the edit that undoes a judgement.
 * @param {Judgement} judgement
 * @returns {Edit | null} null if it set no status, or one that cannot be undone
 */
export function undoOf({ before, edit }) {
  const status = before.Status ?? "NEW";
  const known = [status, edit.Status].every((each) => ["NEW", "GOOD", "BAD"].includes(each ?? ""));
  if (!known || status === edit.Status) return null; // a delivery may have begun
  const reason = status === "BAD" && before.ReviewReason ? { ReviewReason: before.ReviewReason } : {};
  const note = status === "BAD" && before.ReviewNote ? { ReviewNote: before.ReviewNote } : {};
  return { Status: status, ...reason, ...note };
}

export class Judgements {
  #api;
  #onChange;
  /** @type {Judgement[]} newest first */
  #all = [];

  /**
   * @param {Api} api
   * @param {(judgement: Judgement) => void} onChange called when a judgement's state has changed
   */
  constructor(api, onChange) {
    this.#api = api;
    this.#onChange = onChange;
  }

  /**
   * Return the judgements that users can still act on: those not saved, and those that can be undone.
   * @returns {Judgement[]} newest first
   */
  get open() {
    this.#all = this.#all.filter((each) => each.state !== "saved" || this.#isRecent(each));
    return this.#all.filter((each) => each.state !== "undone" && (each.state !== "saved" || undoOf(each)));
  }

  /** @returns {boolean} whether something is not saved */
  get unsaved() {
    return this.#all.some(({ state }) => state !== "saved" && state !== "undone");
  }

  /**
   * Return a slide's judgement that is not saved.
   * @param {string} imageId
   * @returns {Judgement | null}
   */
  unsavedOf(imageId) {
    const unsaved = (/** @type {Judgement} */ { before, state, undoing }) =>
      before.ImageID === imageId && (undoing || (state !== "saved" && state !== "undone"));
    return this.#all.find(unsaved) ?? null;
  }

  /** @returns {Judgement | null} the last judgement that can be undone */
  get undoable() {
    const undoable = (/** @type {Judgement} */ each) =>
      (each.state === "saving" || each.state === "saved") && !each.undoing && undoOf(each) && this.#isRecent(each);
    return this.#all.find(undoable) ?? null;
  }

  /**
   * Save an edit in the background.
   * @param {Slide} before
   * @param {Edit} edit
   * @returns {Judgement}
   */
  judge(before, edit) {
    this.drop(before.ImageID);
    /** @type {Judgement} */
    const judgement = {
      before,
      edit,
      state: "saving",
      now: null,
      differences: [],
      error: null,
      madeAt: Date.now(),
      undoing: false,
      done: Promise.resolve(),
    };
    this.#all.unshift(judgement);
    judgement.done = this.#save(judgement);
    return judgement;
  }

  /**
   * Save again what could not be saved.
   * @param {Judgement} judgement
   */
  retry(judgement) {
    if (judgement.state !== "failed") return;
    judgement.state = "saving";
    judgement.error = null;
    judgement.madeAt = Date.now();
    judgement.done = this.#save(judgement);
    this.#onChange(judgement);
  }

  /**
   * Forget a slide's judgements that are not saved.
   * @param {string} imageId
   */
  drop(imageId) {
    const dropped = (/** @type {Judgement} */ { before, state }) =>
      before.ImageID === imageId && (state === "failed" || state === "conflict");
    this.#all = this.#all.filter((each) => !dropped(each));
  }

  /** Forget all judgements: they contain IDs. */
  clear() {
    this.#all = [];
  }

  /**
   * Set back the status that a slide had before the judgement, unless somebody else has changed it since.
   * @param {Judgement} judgement
   */
  async undo(judgement) {
    const edit = undoOf(judgement);
    if (!edit || judgement.undoing) return;
    judgement.undoing = true;
    judgement.error = null;
    this.#onChange(judgement);
    await judgement.done;
    try {
      if (judgement.state !== "saved" || !judgement.now) return; // there is nothing to undo
      const { now, differences } = await saveEdit(this.#api, judgement.now, edit);
      judgement.now = now;
      if (differences.length) throw new RequestError("conflict", "Somebody else has changed the slide since.");
      judgement.state = "undone";
    } catch (error) {
      judgement.error = error;
    } finally {
      judgement.undoing = false;
      this.#onChange(judgement);
    }
  }

  /** @param {Judgement} judgement */
  async #save(judgement) {
    try {
      const { now, differences } = await saveEdit(this.#api, judgement.before, judgement.edit);
      Object.assign(judgement, { now, differences, state: differences.length ? "conflict" : "saved" });
    } catch (error) {
      Object.assign(judgement, { error, state: "failed" });
    }
    this.#onChange(judgement);
  }

  /** @param {Judgement} judgement */
  #isRecent({ madeAt }) {
    return Date.now() - madeAt < UNDO_MS;
  }
}
