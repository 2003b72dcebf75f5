// The slide list: what is searched for, found and selected, and its part of the address.

import { Watch } from "../watch.js";
import { AddressBar, formatPlace, parsePlace } from "./address.js";
import { Arrivals } from "./arrivals.js";
import { Bulk } from "./bulk.js";
import { chosenColumns } from "./columns.js";
import { Counts } from "./counts.js";
import { EVERYTHING, sameCriteria } from "./criteria.js";
import { keepPreferences, readPreferences } from "./preferences.js";
import { SlideRecords } from "./records.js";
import { Result } from "./result.js";
import { SearchBar } from "./search-bar.js";
import { Selection } from "./selection.js";
import { ListView } from "./view.js";
import { ViewTools } from "./view-tools.js";

/**
 * @typedef {import("../review/actions.js").ReviewActions} ReviewActions
 * @typedef {import("./criteria.js").Criteria} Criteria
 * @typedef {import("../record.js").Slide} Slide
 */

/** The next slides are requested when fewer than this many follow those on the screen. */
const AHEAD = 60;
/** A slide that the address names is looked for among this number of slides. */
const MOST_SOUGHT = 5_000;

export class SlideList {
  #api;
  #frame;
  #result;
  #searchBar;
  #tools;
  #counts;
  #watch;
  #selection = new Selection();
  /** @type {Bulk | null} */
  #bulk = null;
  #preferences = readPreferences();
  /** @type {Criteria} */
  #criteria = EVERYTHING;
  /** @type {SlideRecords} */
  #records;
  /** @type {ListView | null} */
  #view = null;
  /** @type {string | null} the slide at the top, as the address has it */
  #at = null;
  #isShown = false;
  #addressBar = new AddressBar();
  #arrivals = new Arrivals(() => void this.reload());

  /**
   * @param {HTMLElement} page
   * @param {import("../api/api.js").Api} api
   * @param {ReviewActions | null} actions null for users who only view
   */
  constructor(page, api, actions) {
    const find = (/** @type {string} */ selector) => /** @type {HTMLElement} */ (page.querySelector(selector));
    this.#api = api;
    this.#records = new SlideRecords(api, EVERYTHING);
    this.#frame = find("#slide-rows");
    this.#result = new Result(find("#slide-count"), find("#list-notice"));
    this.#tools = new ViewTools(this.#preferences, () => this.#changeView());
    this.#searchBar = new SearchBar((criteria, isTyping) => this.#search(criteria, isTyping), this.#tools.element);
    this.#counts = new Counts(api, actions !== null, (criteria) => this.#search(criteria, false));
    find(".list-head").after(this.#searchBar.element);
    find("#slide-count").after(this.#counts.element);
    find("#list-notice").before(this.#arrivals.element);
    find("#list-refresh").addEventListener("click", () => void this.reload());
    this.#watch = new Watch(
      api,
      () => this.slides,
      (slides) => this.update(slides),
    );
    if (actions) {
      this.#bulk = new Bulk(
        this.#selection,
        () => this.#records,
        actions,
        () => this.#watch.start(),
      );
      page.append(this.#bulk.element);
      this.#selection.addEventListener("change", () => this.#view?.showSelection());
    }
  }

  /** @returns {string} the list's address, as it was left */
  get address() {
    const view = this.#preferences.view === "table" ? "table" : null;
    return formatPlace({ criteria: this.#criteria, view, at: this.#at });
  }

  /**
   * Called when the list is shown, or its address has changed.
   * @param {string} hash
   */
  show(hash) {
    this.#isShown = true;
    this.#addressBar.seen(hash);
    const { criteria, view, at } = parsePlace(hash);
    if (view && view !== this.#preferences.view) {
      this.#preferences.view = view;
      this.#tools.show();
      this.#changeView();
    }
    if (!this.#records.loaded || !sameCriteria(criteria, this.#criteria)) {
      void this.#start(criteria, at);
      return;
    }
    this.#view?.measure();
    if (at && at !== this.#at) void this.#seek(at);
    this.#watch.start();
  }

  hide() {
    this.#isShown = false;
    this.#watch.stop();
  }

  /** @returns {Slide[]} the records that are kept */
  get slides() {
    return this.#records.slides;
  }

  /**
   * Announce new slides.
   * @param {string[]} imageIds
   */
  arrived(imageIds) {
    const unknown = imageIds.filter((id) => !this.#records.has(id));
    if (this.#records.loaded && unknown.length > 0) this.#arrivals.add(unknown);
  }

  /** Announce that new slides may have arrived unnoticed. */
  missed() {
    if (this.#records.loaded) this.#arrivals.miss();
  }

  /**
   * Show newer records of slides in the list; others are skipped.
   * @param {Slide[]} slides
   */
  update(slides) {
    this.#view?.update(this.#records.update(slides));
    this.#bulk?.show();
  }

  /**
   * Move the focus to a slide, where it was before the slide was opened.
   * @param {string} imageId
   */
  focus(imageId) {
    this.#view?.returnTo(imageId);
  }

  /** Remove everything that was loaded. */
  clear() {
    this.#watch.stop();
    this.#records.close();
    this.#records = new SlideRecords(this.#api, this.#criteria);
    this.#view?.close();
    this.#view = null;
    this.#at = null;
    this.#selection.replace([]);
    this.#result.clear();
    this.#arrivals.clear();
  }

  /** Remove everything, including the search: it can contain patient data. */
  reset() {
    this.#isShown = false;
    this.#criteria = EVERYTHING;
    this.#searchBar.show(EVERYTHING);
    this.#counts.clear();
    this.clear();
  }

  /** @returns {Promise<void>} resolved when the search has been repeated */
  reload() {
    return this.#start(this.#criteria, null);
  }

  /**
   * @param {Criteria} criteria
   * @param {boolean} isTyping
   */
  #search(criteria, isTyping) {
    if (sameCriteria(criteria, this.#criteria)) return;
    const goesOn = isTyping && this.#criteria.text !== "";
    void this.#start(criteria, null);
    // the way back leads to the search before, not to each of its letters
    if (goesOn) this.#addressBar.replace(this.address);
    else this.#addressBar.push(this.address);
  }

  /**
   * @param {Criteria} criteria
   * @param {string | null} at ImageID of the slide to show first
   */
  async #start(criteria, at) {
    this.#criteria = criteria;
    this.#searchBar.show(criteria);
    const head = this.#view?.focusedHead;
    this.clear();
    scrollTo(0, 0);
    const records = this.#records;
    this.#openView();
    if (head) this.#view?.focusHead(head);
    this.#frame.setAttribute("aria-busy", "true");
    await this.#load();
    this.#frame.removeAttribute("aria-busy");
    if (!records.loaded || records.signal.aborted) return;
    if (at) await this.#seek(at);
    if (this.#isShown) this.#watch.start();
    void this.#counts.load();
    if (!records.complete) await this.#counts.countFound(criteria, records, (total) => this.#result.showTotal(total));
  }

  async #load() {
    const records = this.#records;
    this.#result.clearMessage();
    try {
      await records.loadMore((lookedAt) => this.#records === records && this.#result.showProgress(lookedAt));
    } catch (error) {
      const again = () => void (records.loaded ? this.#load() : this.reload());
      if (!records.signal.aborted) this.#result.showError(error, again);
      return;
    }
    if (records !== this.#records) return;
    this.#view?.show();
    this.#result.show(records, this.#criteria, () => this.#searchBar.clear());
    this.#bulk?.show();
  }

  /** Load more slides if the end of those that were found is near. */
  #loadAhead() {
    const { ids, complete, loaded } = this.#records;
    const isNear = (this.#view?.range.end ?? 0) + AHEAD > ids.length;
    if (isNear && loaded && !complete && !this.#result.isMessage) void this.#load();
  }

  /** Load everything, and show the last slide. */
  async #loadToEnd() {
    const records = this.#records;
    while (!records.complete && records === this.#records && !this.#result.isMessage) await this.#load();
    const last = records.ids.at(-1);
    if (last && records === this.#records) this.#view?.focus(last);
  }

  /** @param {string} imageId */
  async #seek(imageId) {
    const records = this.#records;
    const isSought = () =>
      records === this.#records && !records.has(imageId) && !records.complete && records.ids.length < MOST_SOUGHT;
    while (isSought() && !this.#result.isMessage) await this.#load();
    if (records === this.#records) this.#view?.scrollTo(imageId);
  }

  #openView() {
    const { view, columns } = this.#preferences;
    const list = new ListView(this.#api, this.#records, {
      actions: this.#bulk?.rowActions ?? null,
      selection: this.#selection,
      columns: view === "table" ? chosenColumns(columns) : null,
      order: this.#criteria.order,
      onOrder: (order) => this.#search({ ...this.#criteria, order }, false),
    });
    list.addEventListener("range", () => this.#loadAhead());
    list.addEventListener("settled", () => this.#keepPlace());
    list.addEventListener("end", () => void this.#loadToEnd());
    this.#frame.replaceChildren(list.element);
    this.#view = list;
  }

  /** Show the same slides as cards, as a table, or with other columns. */
  #changeView() {
    keepPreferences(this.#preferences);
    if (!this.#view) return;
    const { top } = this.#view;
    this.#view.close();
    this.#openView();
    this.#view.show();
    if (top) this.#view.scrollTo(top);
    this.#keepPlace();
  }

  /** Write the place into the address. */
  #keepPlace() {
    if (!this.#isShown || !this.#view) return;
    this.#at = this.#view.top;
    this.#addressBar.replace(this.address);
  }
}
