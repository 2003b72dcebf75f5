// A slide's history: a list that is loaded when the user opens it, newest change first.

import { entryOf } from "./changes.js";
import { button, element, message } from "../dom.js";
import { describe } from "../api/errors.js";

/**
 * @typedef {import("../api/api.js").Api} Api
 * @typedef {import("./changes.js").Entry} Entry
 */

const PAGE_SIZE = 20;

export class History {
  #api;
  #imageId;
  #list = element("ol", { class: "history-list" });
  #foot = element("div", { class: "history-foot" });
  #loading = new AbortController();
  /** @type {string | null} */
  #nextToken = null;

  /**
   * @param {Api} api
   * @param {string} imageId
   */
  constructor(api, imageId) {
    this.#api = api;
    this.#imageId = imageId;
    this.element = /** @type {HTMLDetailsElement} */ (
      element("details", { class: "history" }, element("summary", {}, "History"), this.#list, this.#foot)
    );
    this.element.addEventListener("toggle", () => this.refresh());
  }

  /** Load the first page again, if the list is open. */
  refresh() {
    this.#loading.abort();
    if (!this.element.open) return;
    this.#loading = new AbortController();
    this.#nextToken = null;
    void this.#loadPage(true);
  }

  /** @param {boolean} replace whether to replace the entries that are shown */
  async #loadPage(replace = false) {
    const { signal } = this.#loading;
    this.#foot.replaceChildren("…");
    try {
      const page = { limit: PAGE_SIZE, nextToken: this.#nextToken };
      const { items, nextToken } = await this.#api.slideHistory(this.#imageId, page, signal);
      if (signal.aborted) return;
      const entries = items.map((change) => historyEntry(entryOf(change)));
      if (replace) this.#list.replaceChildren(...entries);
      else this.#list.append(...entries);
      this.#nextToken = nextToken;
      this.#foot.replaceChildren(...(nextToken ? [button("Earlier changes", () => this.#loadPage())] : []));
      if (!replace) entries[0]?.focus();
    } catch (error) {
      if (signal.aborted) return;
      this.#foot.replaceChildren(
        message(
          describe(error),
          button("Try again", () => this.#loadPage(replace)),
        ),
      );
    }
  }
}

/**
 * @param {Entry} entry
 * @returns {HTMLElement}
 */
function historyEntry({ when, who, what, lines, rest }) {
  const items = (/** @type {string[]} */ texts) => texts.map((text) => element("li", {}, text));
  return element(
    "li",
    { tabindex: -1 },
    element("p", {}, element("strong", {}, what), ` by ${who}, `, element("span", { class: "soft" }, when)),
    lines.length ? element("ul", {}, ...items(lines)) : null,
    rest.length
      ? element(
          "details",
          {},
          element("summary", {}, `${rest.length} technical ${rest.length === 1 ? "field" : "fields"}`),
          element("ul", {}, ...items(rest)),
        )
      : null,
  );
}
