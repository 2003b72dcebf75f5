// The list's part of the address: criteria, view, and the slide at the top. IDs may stand in the fragment, because no
// server gets it.

import { criteriaQuery, parseCriteria } from "./criteria.js";

/**
 * @typedef {"cards" | "table"} View
 * @typedef {object} Place
 * @property {import("./criteria.js").Criteria} criteria
 * @property {View | null} view null: as the user chose last
 * @property {string | null} at ImageID of the slide at the top
 */

/**
 * Parse the list's address.
 * @param {string} hash `location.hash`
 * @returns {Place}
 */
export function parsePlace(hash) {
  const query = new URLSearchParams(hash.replace(/^#/, ""));
  const view = query.get("view");
  return {
    criteria: parseCriteria(query),
    view: view === "cards" || view === "table" ? view : null,
    at: query.get("at") || null,
  };
}

/**
 * Return the list's address.
 * @param {Place} place
 * @returns {string} including `#`
 */
export function formatPlace({ criteria, view, at }) {
  return `#${new URLSearchParams({ ...criteriaQuery(criteria), ...(view && { view }), ...(at && { at }) })}`;
}

/** Writes the list's address. */
export class AddressBar {
  /** The hash that was shown or written last. */
  #hash = "";

  /** @param {string} hash the one that the list shows now */
  seen(hash) {
    this.#hash = hash;
  }

  /**
   * Add the address to the browser's history.
   * @param {string} address
   */
  push(address) {
    this.#write(address, "pushState");
  }

  /**
   * Change the address, unless the user has just gone to another one, which the list is yet to show.
   * @param {string} address
   */
  replace(address) {
    if (location.hash === this.#hash && address !== (location.hash || "#")) this.#write(address, "replaceState");
  }

  /**
   * @param {string} address
   * @param {"pushState" | "replaceState"} method
   */
  #write(address, method) {
    history[method](null, "", address === "#" ? location.pathname : address);
    this.#hash = location.hash;
  }
}
