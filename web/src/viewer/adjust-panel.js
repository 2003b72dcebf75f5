// The sliders for brightness, contrast and gamma, and the filter that they set.

import { AS_SCANNED, RANGES, RememberedAdjustments, curve, isAsScanned } from "./adjustments.js";
import { button, element } from "../dom.js";
import { svg } from "./svg.js";

/**
 * @typedef {import("./adjustments.js").Adjustments} Adjustments
 * @typedef {import("./slide-view.js").SlideView} SlideView
 */

const FILTER_ID = "adjust-filter";
/** @type {[name: keyof Adjustments, text: string][]} */
const SLIDERS = [
  ["brightness", "Brightness"],
  ["contrast", "Contrast"],
  ["gamma", "Gamma"],
];

export class AdjustPanel {
  #remembered = new RememberedAdjustments(localStorage);
  /** @type {Set<SlideView>} */
  #views = new Set();
  #imageId = "";
  /** @type {Adjustments} */
  #adjustments = { ...AS_SCANNED };
  #onChange;
  #fields;
  #curves;
  #reset;
  element;

  /** @param {(adjusted: boolean) => void} onChange */
  constructor(onChange) {
    this.#onChange = onChange;
    this.#fields = SLIDERS.map(([name, text]) => this.#field(name, text));
    this.#reset = button("As scanned", () => this.#set({ ...AS_SCANNED }));
    this.#curves = ["R", "G", "B"].map((channel) => svg(`feFunc${channel}`, { type: "table" }));
    const transfer = svg("feComponentTransfer", {}, ...this.#curves);
    const filter = svg("filter", { id: FILTER_ID, "color-interpolation-filters": "sRGB" }, transfer);
    this.element = element(
      "div",
      { id: "adjust-panel", class: "panel", role: "group", "aria-label": "Adjust the picture", hidden: true },
      ...this.#fields.map(({ label }) => label),
      this.#reset,
      element("p", { class: "soft" }, "Only the display changes. It is remembered for this slide."),
      svg("svg", { width: "0", height: "0", "aria-hidden": "true" }, filter),
    );
  }

  /**
   * Show the open slide's adjustments.
   * @param {string} imageId
   */
  open(imageId) {
    this.#imageId = imageId;
    this.#adjustments = this.#remembered.get(imageId);
    this.#show();
  }

  /**
   * Adjust a view from now on, whichever slide it shows.
   * @param {SlideView} view
   */
  adjust(view) {
    this.#views.add(view);
    view.addEventListener("opening", () => this.#apply(view));
  }

  /** @returns {number[] | null} the curve that each channel passes; null if the slide is shown as it was scanned */
  get curve() {
    return isAsScanned(this.#adjustments) ? null : curve(this.#adjustments);
  }

  /** Forget all adjustments, with the IDs of their slides. */
  forget() {
    this.#remembered.clear();
  }

  /** @param {Adjustments} adjustments */
  #set(adjustments) {
    this.#adjustments = adjustments;
    this.#remembered.set(this.#imageId, adjustments);
    this.#show();
  }

  #show() {
    for (const { name, input, output } of this.#fields) {
      const value = this.#adjustments[name];
      input.value = String(value);
      output.textContent = value.toFixed(2);
    }
    const values = curve(this.#adjustments)
      .map((value) => value.toFixed(4))
      .join(" ");
    for (const channel of this.#curves) channel.setAttribute("tableValues", values);
    for (const view of this.#views) this.#apply(view);
    this.#reset.disabled = isAsScanned(this.#adjustments);
    this.#onChange(!isAsScanned(this.#adjustments));
  }

  /** @param {SlideView} view */
  #apply(view) {
    const canvas = view.osd?.drawer.canvas;
    if (canvas) canvas.style.filter = this.curve ? `url(#${FILTER_ID})` : "";
  }

  /**
   * @param {keyof Adjustments} name
   * @param {string} text
   */
  #field(name, text) {
    const [min, max] = RANGES[name];
    const change = () => this.#set({ ...this.#adjustments, [name]: Number(input.value) });
    const input = /** @type {HTMLInputElement} */ (
      element("input", { type: "range", min, max, step: 0.01, input: change, "data-adjust": name })
    );
    const output = element("output", { "aria-hidden": "true" });
    return { name, input, output, label: element("label", {}, element("span", {}, text), input, output) };
  }
}
