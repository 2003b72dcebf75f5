// The list of slides: cards with label and thumbnail, loaded page by page.

import { button, definitions, element, imageFrom, message } from "./dom.js";
import { describe } from "./errors.js";
import { formatDate, formatSize, isViewable, matches, nameOf, progressOf } from "./record.js";
import { formatRoute } from "./route.js";

/**
 * @typedef {import("./api.js").Api} Api
 * @typedef {import("./record.js").Slide} Slide
 */

const PAGE_SIZE = 24;
const IMPORT_POLL_MS = 5_000;
/** Images are fetched when their card is this close to the screen. */
const LAZY_MARGIN = "300px";

export class SlideList {
  #api;
  #cards;
  #count;
  #filter;
  #more;
  #notice;
  #observer;
  /** @type {Map<string, {slide: Slide, card: HTMLElement}>} by image ID, in the order of the list */
  #slides = new Map();
  /** @type {string | null} */
  #nextToken = null;
  #loaded = false;
  #loading = new AbortController();
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #poll;

  /**
   * @param {HTMLElement} page
   * @param {Api} api
   */
  constructor(page, api) {
    const find = (/** @type {string} */ selector) => /** @type {HTMLElement} */ (page.querySelector(selector));
    this.#api = api;
    this.#cards = find("#slide-list");
    this.#count = find("#slide-count");
    this.#filter = /** @type {HTMLInputElement} */ (find("#slide-filter"));
    this.#more = /** @type {HTMLButtonElement} */ (find("#slide-more"));
    this.#notice = find("#list-notice");
    this.#observer = new IntersectionObserver((entries) => this.#showImages(entries), { rootMargin: LAZY_MARGIN });
    this.#filter.addEventListener("input", () => this.#applyFilter());
    this.#more.addEventListener("click", () => this.#loadPage());
    find("#list-refresh").addEventListener("click", () => this.reload());
  }

  /** Called whenever the list comes into view. */
  show() {
    if (!this.#loaded) void this.reload();
    else this.#watchImports();
  }

  /** Called when it goes out of view. */
  hide() {
    clearTimeout(this.#poll);
  }

  /**
   * Puts the keyboard back on a slide, where it was before the slide was opened.
   * @param {string} imageId
   */
  focus(imageId) {
    this.#slides.get(imageId)?.card.querySelector("a")?.focus({ preventScroll: true });
  }

  /** Forgets everything that was loaded. */
  clear() {
    this.hide();
    this.#loading.abort();
    this.#loading = new AbortController();
    this.#observer.disconnect();
    this.#slides.clear();
    this.#cards.replaceChildren();
    this.#notice.replaceChildren();
    this.#nextToken = null;
    this.#loaded = false;
    this.#applyFilter();
  }

  /** Loads the list afresh. */
  async reload() {
    this.clear();
    await this.#loadPage();
  }

  async #loadPage() {
    const { signal } = this.#loading;
    this.#notice.replaceChildren();
    this.#more.disabled = true;
    this.#cards.setAttribute("aria-busy", "true");
    try {
      let items;
      do {
        ({ items, nextToken: this.#nextToken } = await this.#api.listSlides(
          { limit: PAGE_SIZE, nextToken: this.#nextToken },
          signal,
        ));
      } while (items.length === 0 && this.#nextToken);
      this.#loaded = true;
      items.forEach((slide) => this.#put(slide));
      this.#watchImports();
    } catch (error) {
      if (signal.aborted) return;
      this.#notice.replaceChildren(message(describe(error), button("Try again", () => this.#loadPage())));
    }
    this.#more.disabled = false;
    this.#cards.removeAttribute("aria-busy");
    this.#applyFilter();
  }

  /**
   * Adds a slide, or brings its card up to date.
   * @param {Slide} slide
   */
  #put(slide) {
    const known = this.#slides.get(slide.ImageID);
    if (known && differOnlyInProgress(known.slide, slide)) {
      known.slide = slide;
      known.card.querySelector(".import")?.replaceWith(importState(slide)); // the images stay
      return;
    }
    const card = slideCard(slide);
    if (known) known.card.replaceWith(card);
    else this.#cards.append(card);
    this.#slides.set(slide.ImageID, { slide, card });
    this.#observer.observe(card);
  }

  #applyFilter() {
    const text = this.#filter.value.trim();
    let shown = 0;
    for (const { slide, card } of this.#slides.values()) {
      card.hidden = text !== "" && !matches(slide, text);
      if (!card.hidden) shown += 1;
    }
    const total = this.#slides.size;
    const slides = `${total} ${total === 1 ? "slide" : "slides"}${this.#nextToken ? " so far" : ""}`;
    this.#count.textContent = !this.#loaded ? "" : text ? `${shown} of ${slides}` : total ? slides : "No slides yet.";
    this.#more.hidden = !this.#nextToken;
  }

  /** While slides are being imported, asks how far they are. */
  #watchImports() {
    clearTimeout(this.#poll);
    const importing = [...this.#slides.values()].filter(({ slide }) => slide.ImportStatus === "IMPORTING");
    if (importing.length === 0) return;
    this.#poll = setTimeout(async () => {
      const { signal } = this.#loading;
      try {
        const imageIds = importing.map(({ slide }) => slide.ImageID);
        (await this.#api.getSlides(imageIds, signal)).forEach((slide) => this.#put(slide));
        this.#applyFilter();
      } catch {
        // the next round asks again; what is shown stays true as of its last answer
      }
      if (!signal.aborted) this.#watchImports();
    }, IMPORT_POLL_MS);
  }

  /** @param {IntersectionObserverEntry[]} entries */
  #showImages(entries) {
    for (const { isIntersecting, target } of entries) {
      if (!isIntersecting) continue;
      this.#observer.unobserve(target);
      const card = /** @type {HTMLElement} */ (target);
      for (const figure of card.querySelectorAll("[data-image]")) {
        void this.#showImage(card.dataset.imageId ?? "", /** @type {HTMLElement} */ (figure));
      }
    }
  }

  /**
   * @param {string} imageId
   * @param {HTMLElement} place
   */
  async #showImage(imageId, place) {
    const name = /** @type {"label" | "thumbnail"} */ (place.dataset.image);
    const { signal } = this.#loading;
    try {
      const blob = await this.#api.getAssociatedImage(imageId, name, signal);
      place.replaceChildren(blob ? await imageFrom(blob, "") : `No ${name}`);
    } catch {
      place.replaceChildren(`The ${name} could not be loaded`);
    }
  }
}

/**
 * @param {Slide} one
 * @param {Slide} other
 */
function differOnlyInProgress(one, other) {
  const rest = (/** @type {Slide} */ slide) => JSON.stringify({ ...slide, TilesRendered: 0, lastModified: "" });
  return rest(one) === rest(other);
}

/**
 * @param {Slide} slide
 * @returns {HTMLElement}
 */
function slideCard(slide) {
  const name = nameOf(slide);
  const link = isViewable(slide)
    ? element("a", { class: "slide-link", href: formatRoute(slide.ImageID) }, name)
    : element("span", {}, name);
  /** @type {[string, string | null][]} */
  const facts = [
    ["Case", slide.CaseID ?? null],
    ["Scanned", formatDate(slide.ScanDate)],
    ["Objective", slide.AppMag ? `${slide.AppMag}×` : null],
    ["Size", formatSize(slide)],
  ];
  return element(
    "li",
    { class: "slide-card", "data-image-id": slide.ImageID },
    element(
      "div",
      { class: "slide-images" },
      element("div", { class: "slide-image label", "data-image": "label" }),
      element("div", { class: "slide-image thumbnail", "data-image": "thumbnail" }),
    ),
    element("h2", { class: "slide-name", title: slide.Filename ?? null }, link),
    definitions(facts.map(([term, text]) => [term, text ?? "unknown"])),
    element(
      "div",
      { class: "slide-state" },
      importState(slide),
      slide.Status ? element("span", { class: "badge" }, `Review: ${slide.Status}`) : null,
    ),
  );
}

/**
 * @param {Slide} slide
 * @returns {HTMLElement}
 */
function importState(slide) {
  const status = slide.ImportStatus ?? "unknown";
  const state = element("div", { class: "import", "data-import-status": status });
  if (status === "IMPORTING") {
    const share = progressOf(slide);
    const percent = share === null ? "" : ` ${Math.floor(share * 100)}%`;
    state.append(
      element("span", { class: "badge importing" }, `Importing${percent}`),
      element("progress", { max: 1, value: share, "aria-label": "Import progress" }),
    );
  } else if (status === "FAILED") {
    state.append(
      element("span", { class: "badge failed" }, "Import failed"),
      element("p", { class: "import-error" }, slide.ImportError || "No reason was recorded."),
    );
  } else {
    const imported = status === "IMPORTED";
    const text = imported ? "Imported" : "Import state unknown";
    state.append(element("span", { class: imported ? "badge imported" : "badge" }, text));
  }
  return state;
}
