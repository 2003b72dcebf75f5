// The open slide's case: a strip of its slides, of which users open the previous, the next, or any other.

import { RequestError } from "../api/errors.js";
import { element, imageFrom } from "../dom.js";
import { isViewable, nameOf } from "../record.js";
import { formatRoute } from "../route.js";

/**
 * @typedef {import("../api/api.js").Api} Api
 * @typedef {import("../record.js").Slide} Slide
 */

const STORAGE_KEY = "vsv.case-strip";
const PAGE_SIZE = 100;
/** Thumbnails are loaded when they are this close to being visible. */
const LAZY_MARGIN = "100px";

const byName = new Intl.Collator("en", { numeric: true });

/**
 * Return the case's slides in the order of the strip: by name, numbers by their value. Deleted slides are left out.
 * @param {Slide[]} slides
 * @returns {Slide[]}
 */
export function inOrder(slides) {
  const kept = slides.filter(({ Status }) => Status !== "DELETED");
  return kept.sort((a, b) => byName.compare(nameOf(a), nameOf(b)) || byName.compare(a.ImageID, b.ImageID));
}

/**
 * Return the slide before or after the open one. Slides that cannot be opened are skipped.
 * @param {Slide[]} slides
 * @param {string | null} imageId the open one
 * @param {1 | -1} direction
 * @returns {Slide | null} null at the end
 */
export function neighbour(slides, imageId, direction) {
  const open = slides.findIndex(({ ImageID }) => ImageID === imageId);
  if (open < 0) return null;
  const others = direction > 0 ? slides.slice(open + 1) : slides.slice(0, open).reverse();
  return others.find(isViewable) ?? null;
}

export class CaseStrip {
  #api;
  #find;
  /** @type {Slide[]} */
  #slides = [];
  /** @type {string | null} */
  #caseId = null;
  /** @type {string | null} the open slide */
  #imageId = null;
  #loading = new AbortController();
  #observer;

  /**
   * @param {HTMLElement} page
   * @param {Api} api
   * @param {import("../keys.js").Keys} keys
   */
  constructor(page, api, keys) {
    this.#api = api;
    this.#find = (/** @type {string} */ selector) => /** @type {HTMLElement} */ (page.querySelector(selector));
    this.#observer = new IntersectionObserver((entries) => this.#showThumbnails(entries), { rootMargin: LAZY_MARGIN });
    this.#find('[data-action="previous-slide"]').addEventListener("click", () => this.open(-1));
    this.#find('[data-action="next-slide"]').addEventListener("click", () => this.open(1));
    this.#find('[data-action="case-strip"]').addEventListener("click", () => {
      const show = this.#find("#case-strip").hidden;
      localStorage.setItem(STORAGE_KEY, show ? "shown" : "hidden");
      this.#showStrip();
    });
    keys.add("Case", () => page.clientWidth > 0 && this.#slides.length > 1, [
      { keys: ["PageUp"], text: "previous slide of the case", run: () => this.open(-1) },
      { keys: ["PageDown"], text: "next slide of the case", run: () => this.open(1) },
    ]);
  }

  /** @returns {Slide[]} */
  get slides() {
    return this.#slides;
  }

  /**
   * Mark the slide that opens. The strip stays if the slide is in it.
   * @param {string} imageId
   */
  opening(imageId) {
    if (!this.#slides.some(({ ImageID }) => ImageID === imageId)) this.clear();
    this.#imageId = imageId;
    this.#mark();
  }

  /**
   * Show the case of the open slide.
   * @param {Slide} slide
   */
  async show(slide) {
    this.#imageId = slide.ImageID;
    if (!slide.CaseID) return this.clear();
    if (this.#caseId !== slide.CaseID) this.clear();
    this.#caseId = slide.CaseID;
    this.#imageId = slide.ImageID;
    this.#loading.abort();
    this.#loading = new AbortController();
    const { signal } = this.#loading;
    try {
      const slides = inOrder(await this.#load(slide.CaseID, signal));
      if (signal.aborted) return;
      const known = this.#slides.map(({ ImageID }) => ImageID).join("\n");
      this.#slides = slides;
      if (slides.map(({ ImageID }) => ImageID).join("\n") !== known) this.#render();
      this.#mark();
    } catch (error) {
      if (signal.aborted) return;
      if (!(error instanceof RequestError)) throw error;
      this.clear(); // the slide itself can be seen without its case
    }
  }

  clear() {
    this.#loading.abort();
    this.#observer.disconnect();
    this.#slides = [];
    this.#caseId = null;
    this.#imageId = null;
    this.#find("#case-slides").replaceChildren();
    this.#showStrip();
  }

  /**
   * Open the previous or the next slide. Going back in the browser then leads to where the user came from.
   * @param {1 | -1} direction
   */
  open(direction) {
    const next = neighbour(this.#slides, this.#imageId, direction);
    if (next) replaceSlide(next.ImageID);
  }

  /**
   * Return all slides of the case.
   * @param {string} caseId
   * @param {AbortSignal} signal
   */
  async #load(caseId, signal) {
    /** @type {Slide[]} */
    const slides = [];
    /** @type {string | null} */
    let nextToken = null;
    do {
      /** @type {{items: Slide[], nextToken: string | null}} */
      const page = await this.#api.slidesOfCase(caseId, { limit: PAGE_SIZE, nextToken }, signal);
      slides.push(...page.items);
      nextToken = page.nextToken;
    } while (nextToken);
    return slides;
  }

  #render() {
    this.#observer.disconnect();
    this.#find("#case-name").textContent = `Case ${this.#caseId}`;
    this.#find("#case-slides").replaceChildren(...this.#slides.map((slide) => this.#item(slide)));
    for (const place of this.#find("#case-slides").querySelectorAll(".case-thumbnail")) this.#observer.observe(place);
    this.#showStrip();
  }

  /** @param {Slide} slide */
  #item(slide) {
    const name = nameOf(slide);
    const { Stain: stain } = /** @type {Slide & {Stain?: string | null}} */ (slide);
    const parts = [
      element("span", { class: "case-thumbnail" }),
      element("span", { class: "case-slide-name" }, name),
      stain ? element("span", { class: "case-stain" }, stain) : null,
    ];
    if (!isViewable(slide)) {
      const text = slide.ImportStatus === "FAILED" ? "Import failed" : "Not imported yet";
      return element(
        "li",
        { "data-image-id": slide.ImageID },
        element("div", { class: "case-slide" }, ...parts.slice(1), element("span", { class: "case-stain" }, text)),
      );
    }
    const link = element("a", { class: "case-slide", href: formatRoute(slide.ImageID), title: name }, ...parts);
    link.addEventListener("click", (event) => {
      if (event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return; // the browser's own
      event.preventDefault();
      replaceSlide(slide.ImageID);
    });
    return element("li", { "data-image-id": slide.ImageID }, link);
  }

  /** Show which slide is open, and whether there are others before and after it. */
  #mark() {
    for (const item of this.#find("#case-slides").children) {
      const isOpen = /** @type {HTMLElement} */ (item).dataset.imageId === this.#imageId;
      const link = item.querySelector("a");
      if (isOpen) link?.setAttribute("aria-current", "page");
      else link?.removeAttribute("aria-current");
      if (isOpen) scrollToItem(this.#find("#case-slides"), /** @type {HTMLElement} */ (item));
    }
    for (const [action, direction] of /** @type {const} */ ([
      ["previous-slide", -1],
      ["next-slide", 1],
    ])) {
      const next = neighbour(this.#slides, this.#imageId, direction);
      /** @type {HTMLButtonElement} */ (this.#find(`[data-action="${action}"]`)).disabled = !next;
    }
    const place = this.#slides.findIndex(({ ImageID }) => ImageID === this.#imageId) + 1;
    this.#find("#case-place").textContent = place ? `${place} of ${this.#slides.length}` : "";
  }

  /** Show or hide the strip. A case of one slide has none. */
  #showStrip() {
    const exists = this.#slides.length > 1;
    const shown = exists && localStorage.getItem(STORAGE_KEY) !== "hidden";
    const toggle = this.#find('[data-action="case-strip"]');
    toggle.hidden = !exists;
    toggle.setAttribute("aria-expanded", String(shown));
    this.#find("#case-strip").hidden = !shown;
    if (shown) this.#mark();
  }

  /** @param {IntersectionObserverEntry[]} entries */
  #showThumbnails(entries) {
    for (const { isIntersecting, target } of entries) {
      if (!isIntersecting) continue;
      this.#observer.unobserve(target);
      void this.#showThumbnail(/** @type {HTMLElement} */ (target));
    }
  }

  /** @param {HTMLElement} place */
  async #showThumbnail(place) {
    const imageId = place.closest("li")?.dataset.imageId ?? "";
    try {
      const blob = await this.#api.getAssociatedImage(imageId, "thumbnail");
      place.replaceChildren(blob ? await imageFrom(blob, "") : "No thumbnail");
    } catch {
      place.replaceChildren("Not loaded");
    }
  }
}

/**
 * Scroll the list, and nothing else, until the item is visible.
 * @param {HTMLElement} list
 * @param {HTMLElement} item
 */
function scrollToItem(list, item) {
  const [outer, inner] = [list.getBoundingClientRect(), item.getBoundingClientRect()];
  const left = inner.left - outer.left - (outer.width - inner.width) / 2;
  const top = inner.top - outer.top - (outer.height - inner.height) / 2;
  list.scrollBy({ left, top });
}

/**
 * Open a slide in place of the open one. The page is told at once: a movement of the open slide that ends before the
 * browser's own event would set the address back.
 * @param {string} imageId
 */
function replaceSlide(imageId) {
  history.replaceState(null, "", formatRoute(imageId));
  window.dispatchEvent(new HashChangeEvent("hashchange"));
}
