// How the user wants to see the list: cards or a table, and its columns. Kept by the browser.

/**
 * @typedef {import("./address.js").View} View
 * @typedef {{view: View, columns: string[] | null}} Preferences columns: null for those that are shown by default
 */

const KEY = "vsv.list";

/** @returns {Preferences} */
export function readPreferences() {
  try {
    const { view, columns } = JSON.parse(localStorage.getItem(KEY) ?? "{}");
    const isList = Array.isArray(columns) && columns.every((name) => typeof name === "string");
    return { view: view === "table" ? "table" : "cards", columns: isList ? columns : null };
  } catch {
    return { view: "cards", columns: null }; // what was kept cannot be read
  }
}

/** @param {Preferences} preferences */
export function keepPreferences(preferences) {
  try {
    localStorage.setItem(KEY, JSON.stringify(preferences));
  } catch {
    // the browser keeps nothing: the choice lasts as long as the page
  }
}
