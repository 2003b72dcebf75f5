// The slide list: cards with label and thumbnail, loaded page by page.

import { Arrivals } from "./arrivals.js";
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
 * @typedef {import("../review/actions.js").ReviewActions} ReviewActions
 * @typedef {import("./listing.js").Listing} Listing
 * @typedef {import("../record.js").Slide} Slide
 * @typedef {import("../review/review.js").Operation} Operation
 */

const PAGE_SIZE = 24;
/** Images are loaded when their card is this close to the visible part of the page. */
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
  #cardActions = null;
  /** @type {ListingBar | null} */
  #listingBar = null;
  /** @type {SelectionBar | null} */
  #selectionBar = null;
  /** @type {string | null} */
  #nextToken = null;
  #loaded = false;
  #loading = new AbortController();
  #arrivals = new Arrivals(() => void this.reload());

  /**
   * @param {HTMLElement} page
   * @param {Api} api
   * @param {ReviewActions | null} actions null for users who only view
   */
  constructor(page, api, actions) {
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
    this.#notice.before(this.#arrivals.element);
    this.#watch = new Watch(
      api,
      () => this.slides,
      (slides) => this.update(slides),
    );
    if (actions) this.#addReview(page, actions);
  }

  /** Called when the list is shown. */
  show() {
    if (!this.#loaded) void this.reload();
    else this.#watch.start();
  }

  /** Called when another page is shown. */
  hide() {
    this.#watch.stop();
  }

  /** @returns {Slide[]} the records that are shown */
  get slides() {
    return [...this.#slides.values()].map(({ slide }) => slide);
  }

  /**
   * Announce new slides.
   * @param {string[]} imageIds
   */
  arrived(imageIds) {
    if (this.#loaded) this.#arrivals.add(imageIds);
  }

  /** Announce that new slides may have arrived unnoticed. */
  missed() {
    if (this.#loaded) this.#arrivals.miss();
  }

  /**
   * Show the current records on the cards of these slides; slides without a card are skipped.
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
   * Move the focus to a slide, where it was before the slide was opened.
   * @param {string} imageId
   */
  focus(imageId) {
    this.#slides.get(imageId)?.element.querySelector("a")?.focus({ preventScroll: true });
  }

  /** Remove everything that was loaded. */
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
    this.#arrivals.clear();
    this.#applyFilter();
  }

  /** Remove everything, including filter and search: they can contain patient data. */
  reset() {
    this.#filter.value = "";
    this.#listing = ALL;
    this.#listingBar?.reset();
    this.clear();
  }

  /** Load the list again from its first page. */
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
      this.#notice.replaceChildren(
        message(
          describe(error),
          button("Try again", () => this.#loadPage()),
        ),
      );
    }
    this.#more.disabled = false;
    this.#cards.removeAttribute("aria-busy");
    this.#applyFilter();
  }

  /** @param {Slide} slide */
  #add(slide) {
    if (this.#slides.has(slide.ImageID)) {
      this.update([slide]); // it moved to a later page while the list was loading
      return;
    }
    const card = new SlideCard(slide, this.#cardActions);
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
      if (hidden) {
        card.selected = false;
      } // no operation on slides that the user does not see
      else shown += 1;
    }
    this.#showSelection();
    const total = this.#slides.size;
    const slides = `${total} ${total === 1 ? "slide" : "slides"}${this.#nextToken ? " so far" : ""}`;
    const { emptyText } = this.#listing;
    this.#count.textContent = !this.#loaded ? "" : text ? `${shown} of ${slides}` : total ? slides : emptyText;
    this.#more.hidden = !this.#nextToken;
  }

  /**
   * @param {HTMLElement} page
   * @param {ReviewActions} actions
   */
  #addReview(page, actions) {
    this.#cardActions = {
      review: (slide) => actions.review(slide, this.#queue()),
      select: () => this.#showSelection(),
    };
    this.#listingBar = new ListingBar((listing) => {
      this.#listing = listing;
      void this.reload();
    });
    this.#selectionBar = new SelectionBar({
      remove: (operation) => void this.#remove(actions, operation),
      selectAll: () => this.#select(true),
      clear: () => this.#select(false),
    });
    page.querySelector(".list-head")?.after(this.#listingBar.element);
    page.append(this.#selectionBar.element);
  }

  /**
   * @param {ReviewActions} actions
   * @param {Operation} operation
   */
  async #remove(actions, operation) {
    const confirmed = await actions.remove(operation, this.#selected());
    if (!confirmed) return;
    this.#select(false);
    this.#watch.start();
  }

  /** @param {boolean} selected true: select all slides that are shown; false: select none */
  #select(selected) {
    for (const card of this.#slides.values()) card.selected = selected && !card.element.hidden;
    this.#showSelection();
    // the focus was in the selection bar, which is hidden now
    if (!selected) this.#cards.querySelector("input")?.focus({ preventScroll: true });
  }

  /** @returns {import("../review/actions.js").Queue} the slides that are shown, in their order */
  #queue() {
    const shown = [...this.#slides.values()].filter(({ element }) => !element.hidden);
    const ids = shown.map(({ slide }) => slide.ImageID);
    return { ids, neighbour: async (imageId, step) => ids[ids.indexOf(imageId) + step] ?? null };
  }

  /** @returns {Slide[]} */
  #selected() {
    return [...this.#slides.values()].filter(({ selected }) => selected).map(({ slide }) => slide);
  }

  #showSelection() {
    this.#selectionBar?.show(this.#selected());
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
   * @param {HTMLElement} figure
   */
  async #showImage(imageId, figure) {
    const name = /** @type {"label" | "thumbnail"} */ (figure.dataset.image);
    const { signal } = this.#loading;
    try {
      const blob = await this.#api.getAssociatedImage(imageId, name, signal);
      figure.replaceChildren(blob ? await imageFrom(blob, "") : `No ${name}`);
    } catch {
      figure.replaceChildren(`The ${name} could not be loaded`);
    }
  }
}
