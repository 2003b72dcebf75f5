// The panel of the measure tool: what is measured, the results, and what can be done with them.

import { button, element } from "../dom.js";

/**
 * @typedef {import("./measure.js").MeasureTool} MeasureTool
 * @typedef {import("./measurements.js").Kind} Kind
 */

const HINT =
  "Click points; a double click or Enter ends. By keyboard: move the slide, Space sets a point at the cross.";
const UNKNOWN = "The pixel size of this slide is unknown, so that results are in pixels.";

export class MeasurePanel {
  #tool;
  #kinds;
  #finish;
  #list;
  #more;
  #unknown;
  #onToggle;
  #copy;
  element;

  /**
   * @param {MeasureTool} tool
   * @param {(open: boolean) => void} onToggle
   * @param {(text: string, what: string) => void} copy
   */
  constructor(tool, onToggle, copy) {
    this.#tool = tool;
    this.#onToggle = onToggle;
    this.#copy = copy;
    this.#kinds = /** @type {[Kind, HTMLButtonElement][]} */ ([
      ["length", button("Length", () => this.#choose("length"))],
      ["area", button("Area", () => this.#choose("area"))],
    ]);
    this.#finish = button("Finish", () => tool.finish());
    this.#list = element("ul", { "aria-label": "Measurements" });
    this.#more = element(
      "div",
      { class: "measure-buttons" },
      button("Copy as text", () => this.#copy(tool.text, "The measurements are copied.")),
      button("Delete all", () => {
        tool.clear();
        this.#kinds[0][1].focus(); // the buttons that are shown for results are gone
      }),
    );
    this.#unknown = element("p", {}, UNKNOWN);
    this.element = element(
      "div",
      { id: "measure-panel", class: "panel", role: "group", "aria-label": "Measure", hidden: true },
      element("div", { class: "measure-buttons" }, ...this.#kinds.map(([, each]) => each), this.#finish),
      this.#unknown,
      this.#list,
      this.#more,
      element("p", { class: "soft" }, HINT),
      element("p", { class: "soft" }, "Measurements are gone when the slide is closed."),
    );
    tool.addEventListener("change", () => this.#show());
    this.#show();
  }

  /** @returns {boolean} */
  get isOpen() {
    return !this.element.hidden;
  }

  /**
   * Open the panel and measure, or close it. What has been measured stays on the slide.
   * @param {boolean} [open]
   * @param {Kind} [kind]
   */
  toggle(open = !this.isOpen, kind = "length") {
    this.element.hidden = !open;
    if (open) this.#tool.start(kind);
    else this.#tool.stop();
    this.#onToggle(open);
  }

  /** @param {Kind} kind */
  #choose(kind) {
    if (this.#tool.kind === kind) this.#tool.stop();
    else this.#tool.start(kind);
  }

  #show() {
    const { kind, results, canFinish, hasScale } = this.#tool;
    for (const [each, its] of this.#kinds) its.setAttribute("aria-pressed", String(each === kind));
    this.#finish.disabled = !canFinish;
    this.#unknown.hidden = hasScale;
    this.#more.hidden = results.length === 0;
    this.#list.replaceChildren(
      ...results.map(({ name, value }, index) => {
        const remove = button("Delete", () => {
          this.#tool.remove(index);
          (this.#list.querySelectorAll("button")[Math.max(0, index - 1)] ?? this.#kinds[0][1]).focus();
        });
        remove.setAttribute("aria-label", `Delete ${name}`);
        return element("li", {}, element("span", {}, name), element("strong", {}, value), remove);
      }),
    );
  }
}
