// The list of slides: cards with label and thumbnail, loaded page by page.

import { SlideCard } from "./card.js";
import { button, imageFrom, message } from "../dom.js";
import { describe } from "../api/errors.js";
import { ALL } from "./listing.js";
import { ListingBar } from "./listing-bar.js";
import { matches } from "../record.js";
import { SelectionBar } from "./selection-bar.js";
import { Watch } from "../watch.js";

/**
 * @typedef {import("../api/api.js").Api} Api
 * @typedef {import("./card.js").CardActions} CardActions
 * @typedef {import("../review/actions.js").ReviewDesk} ReviewDesk
 * @typedef {import("./listing.js").Listing} Listing
 * @typedef {import("../record.js").Slide} Slide
 * @typedef {import("../review/review.js").Operation} Operation
 */

const PAGE_SIZE = 24;
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
  #watch;
  /** @type {Map<string, SlideCard>} by image ID, in the order of the list */
  #slides = new Map();
  /** @type {Listing} */
  #listing = ALL;
  /** @type {CardActions | null} */
  #actions = null;
  /** @type {ListingBar | null} */
  #listings = null;
  /** @type {SelectionBar | null} */
  #selection = null;
  /** @type {string | null} */
  #nextToken = null;
  #loaded = false;
  #loading = new AbortController();

  /**
   * @param {HTMLElement} page
   * @param {Api} api
   * @param {ReviewDesk | null} desk null for those who only look
   */
  constructor(page, api, desk) {
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
    this.#watch = new Watch(
      api,
      () => [...this.#slides.values()].map(({ slide }) => slide),
      (slides) => this.update(slides),
    );
    if (desk) this.#addReview(page, desk);
  }

  /** Called whenever the list comes into view. */
  show() {
    if (!this.#loaded) void this.reload();
    else this.#watch.start();
  }

  /** Called when it goes out of view. */
  hide() {
    this.#watch.stop();
  }

  /**
   * Brings the cards of slides that are in the list up to date.
   * @param {Slide[]} slides
   */
  update(slides) {
    for (const slide of slides) {
      const card = this.#slides.get(slide.ImageID);
      const outdated = (slide.Version ?? 0) < (card?.slide.Version ?? 0);
      if (card && !outdated && card.update(slide)) this.#observer.observe(card.element);
    }
    this.#applyFilter();
  }

  /**
   * Puts the keyboard back on a slide, where it was before the slide was opened.
   * @param {string} imageId
   */
  focus(imageId) {
    this.#slides.get(imageId)?.element.querySelector("a")?.focus({ preventScroll: true });
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

  /** Forgets what was looked for, too. */
  forget() {
    this.#filter.value = "";
    this.#listing = ALL;
    this.#listings?.reset();
    this.clear();
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
        const page = { limit: PAGE_SIZE, nextToken: this.#nextToken };
        ({ items, nextToken: this.#nextToken } = await this.#api.listSlides(this.#listing, page, signal));
      } while (items.length === 0 && this.#nextToken);
      this.#loaded = true;
      items.forEach((slide) => this.#add(slide));
      if (document.body.dataset.state === "list") this.#watch.start();
    } catch (error) {
      if (signal.aborted) return;
      this.#notice.replaceChildren(message(describe(error), button("Try again", () => this.#loadPage())));
    }
    this.#more.disabled = false;
    this.#cards.removeAttribute("aria-busy");
    this.#applyFilter();
  }

  /** @param {Slide} slide */
  #add(slide) {
    if (this.#slides.has(slide.ImageID)) {
      this.update([slide]); // it has moved to a later page while the list was read
      return;
    }
    const card = new SlideCard(slide, this.#actions);
    this.#cards.append(card.element);
    this.#slides.set(slide.ImageID, card);
    this.#observer.observe(card.element);
  }

  #applyFilter() {
    const text = this.#filter.value.trim();
    let shown = 0;
    for (const card of this.#slides.values()) {
      const hidden = text !== "" && !matches(card.slide, text);
      card.element.hidden = hidden;
      if (hidden) card.selected = false; // nothing is done with what one does not see
      else shown += 1;
    }
    this.#showSelection();
    const total = this.#slides.size;
    const slides = `${total} ${total === 1 ? "slide" : "slides"}${this.#nextToken ? " so far" : ""}`;
    this.#count.textContent = !this.#loaded ? "" : text ? `${shown} of ${slides}` : total ? slides : this.#listing.none;
    this.#more.hidden = !this.#nextToken;
  }

  /**
   * @param {HTMLElement} page
   * @param {ReviewDesk} desk
   */
  #addReview(page, desk) {
    this.#actions = { review: (slide) => desk.review(slide), select: () => this.#showSelection() };
    this.#listings = new ListingBar((listing) => {
      this.#listing = listing;
      void this.reload();
    });
    this.#selection = new SelectionBar({
      remove: (operation) => void this.#remove(desk, operation),
      selectAll: () => this.#select(true),
      clear: () => this.#select(false),
    });
    page.querySelector(".list-head")?.after(this.#listings.element);
    page.append(this.#selection.element);
  }

  /**
   * @param {ReviewDesk} desk
   * @param {Operation} operation
   */
  async #remove(desk, operation) {
    const confirmed = await desk.remove(operation, this.#selected());
    if (!confirmed) return;
    this.#select(false);
    this.#watch.start();
  }

  /** @param {boolean} selected whether all that are shown are, or none is */
  #select(selected) {
    for (const card of this.#slides.values()) card.selected = selected && !card.element.hidden;
    this.#showSelection();
    // the bar is gone, and the keyboard with it
    if (!selected) this.#cards.querySelector("input")?.focus({ preventScroll: true });
  }

  /** @returns {Slide[]} */
  #selected() {
    return [...this.#slides.values()].filter(({ selected }) => selected).map(({ slide }) => slide);
  }

  #showSelection() {
    this.#selection?.show(this.#selected());
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
