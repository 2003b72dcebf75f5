// Measures on a slide: lines and polygons in a layer of their own over the slide. Nothing is stored.

import { DOUBLE_CLICK_MS } from "../double-click.js";
import { MIN_POINTS, namesOf, textOf, valueText } from "./measurements.js";
import { svg } from "./svg.js";

/**
 * @typedef {import("./measurements.js").Kind} Kind
 * @typedef {import("./measurements.js").Measurement} Measurement
 * @typedef {import("./measurements.js").Point} Point
 * @typedef {import("./slide-view.js").SlideView} SlideView
 */

/** The second click of a double click is this near to the first. */
const DOUBLE_CLICK_PX = 20;
/** @type {Readonly<Record<string, [x: number, y: number]>>} */
const ARROWS = Object.freeze({ ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] });
const FAR_STEP_PX = 10;

/**
 * Lets users measure on the slide of one view. Events: `change` (kind, measurements or their values have changed).
 */
export class MeasureTool extends EventTarget {
  #view;
  #layer = svg("svg", { class: "measure-layer" });
  #shapes = svg("g", {});
  #crosshair = svg("path", { class: "measure-crosshair", d: "M-14 0H-4M4 0H14M0 -14V-4M0 4V14", visibility: "hidden" });
  /** @type {number | null} */
  #mppUm = null;
  /** @type {Measurement[]} */
  #measurements = [];
  /** @type {Measurement | null} the one that is being drawn */
  #draft = null;
  /** @type {Kind | null} */
  #kind = null;
  /** @type {Point | null} where the pointer is, in slide pixels */
  #pointer = null;
  #lastClick = { x: 0, y: 0, at: -Infinity };
  /** @type {(() => void)[]} move the elements of each measurement to its place on the screen */
  #drawn = [];

  /** @param {SlideView} view */
  constructor(view) {
    super();
    this.#view = view;
    this.#layer.append(this.#shapes, this.#crosshair);
    view.addEventListener("opening", () => this.#attach());
  }

  /**
   * Begin with a slide: measurements of another one are gone.
   * @param {number | null | undefined} mppUm micrometres per slide pixel, if they are known
   */
  reset(mppUm) {
    this.#mppUm = mppUm || null;
    this.stop();
    this.clear();
  }

  /** @returns {Kind | null} what is being measured */
  get kind() {
    return this.#kind;
  }

  /** @returns {boolean} whether the drawing has points enough to be a measurement */
  get canFinish() {
    return this.#draft !== null && this.#draft.points.length >= MIN_POINTS[this.#draft.kind];
  }

  /** @returns {boolean} whether lengths and areas are in µm and mm */
  get hasScale() {
    return this.#mppUm !== null;
  }

  /** @returns {{name: string, value: string}[]} */
  get results() {
    const names = namesOf(this.#measurements);
    return this.#measurements.map((each, index) => ({ name: names[index], value: valueText(each, this.#mppUm) }));
  }

  /** @returns {string} all measurements, a line each */
  get text() {
    return textOf(this.#measurements, this.#mppUm);
  }

  /**
   * Measure a length or an area from now on.
   * @param {Kind} kind
   */
  start(kind) {
    this.#kind = kind;
    this.#draft = { kind, points: [] };
    this.#build();
  }

  /** Measure no more. What has been measured stays. */
  stop() {
    this.#kind = null;
    this.#draft = null;
    this.#crosshair.setAttribute("visibility", "hidden");
    this.#build();
  }

  /** Complete the drawing. Another one of its kind can begin. */
  finish() {
    if (!this.#draft || !this.canFinish) return;
    this.#measurements.push(this.#draft);
    this.start(this.#draft.kind);
  }

  /** Remove the drawing's last point. */
  removeLastPoint() {
    this.#draft?.points.pop();
    this.#build();
  }

  /** Discard the drawing, or stop measuring if there is none. */
  cancel() {
    if (this.#draft?.points.length) this.start(this.#draft.kind);
    else this.stop();
  }

  /** Add a point where the cross in the middle of the view is. */
  addAtCentre() {
    const { image, osd } = this.#view;
    if (!this.#draft || !image) return;
    this.#crosshair.setAttribute("visibility", "visible");
    this.#add(image.viewportToImageCoordinates(osd.viewport.getCenter(true)));
  }

  /** Show the cross in the middle of the view, for those who measure by keyboard. */
  showCrosshair() {
    if (this.#kind) this.#crosshair.setAttribute("visibility", "visible");
  }

  /** @param {number} index of a measurement */
  remove(index) {
    this.#measurements.splice(index, 1);
    this.#build();
  }

  /** Delete all measurements. */
  clear() {
    this.#measurements = [];
    this.#build();
  }

  /**
   * Draw the measurements, as they are on the screen.
   * @param {CanvasRenderingContext2D} context in CSS pixels of the stage
   */
  draw(context) {
    for (const measurement of this.#measurements) {
      const points = measurement.points.map((point) => this.#onScreen(point));
      const path = new Path2D(pathOf(points, measurement.kind === "area"));
      const { x, y } = labelPlace(points);
      const text = valueText(measurement, this.#mppUm);
      Object.assign(context, { lineJoin: "round", font: "600 13px sans-serif", textBaseline: "middle" });
      for (const [colour, width] of /** @type {const} */ ([
        ["white", 5],
        ["#00594a", 2.5],
      ])) {
        Object.assign(context, { strokeStyle: colour, lineWidth: width });
        context.stroke(path);
      }
      Object.assign(context, { strokeStyle: "white", fillStyle: "#00352c", lineWidth: 5 });
      context.strokeText(text, x, y);
      context.fillText(text, x, y);
    }
  }

  #attach() {
    const { osd } = this.#view;
    osd.canvas.after(this.#layer);
    osd.addHandler("canvas-click", (/** @type {any} */ event) => {
      if (!this.#kind || !event.quick) return;
      event.preventDefaultAction = true;
      this.#click(event.position, event.originalEvent.timeStamp);
    });
    osd.addHandler("canvas-double-click", (/** @type {any} */ event) => {
      if (this.#kind) event.preventDefaultAction = true; // no zooming; #click has seen both clicks
    });
    osd.addHandler("update-viewport", () => this.#place());
    osd.canvas.addEventListener("pointermove", (/** @type {PointerEvent} */ event) => {
      if (!this.#draft || event.pointerType === "touch") return;
      this.#crosshair.setAttribute("visibility", "hidden");
      this.#pointer = this.#onSlide(this.#eventPlace(event));
      this.#place();
    });
    this.#build();
  }

  /**
   * Add a point, or end the drawing with the second click of a double click. OpenSeadragon's own double click does not
   * see one that closely follows another click.
   * @param {Point} place in screen pixels
   * @param {number} at in milliseconds
   */
  #click({ x, y }, at) {
    const { x: lastX, y: lastY, at: lastAt } = this.#lastClick;
    const isDouble = at - lastAt < DOUBLE_CLICK_MS && Math.hypot(x - lastX, y - lastY) < DOUBLE_CLICK_PX;
    this.#lastClick = { x, y, at };
    if (isDouble) this.finish();
    else this.#add(this.#onSlide({ x, y }));
  }

  /** @param {Point} point */
  #add({ x, y }) {
    if (!this.#draft) return;
    this.#draft.points.push({ x, y });
    this.#pointer = null;
    this.#build();
  }

  /** Create the elements of all measurements, and of the drawing. */
  #build() {
    const names = namesOf(this.#measurements);
    this.#shapes.replaceChildren();
    this.#drawn = this.#measurements.map((measurement, index) => this.#shape(measurement, names[index]));
    if (this.#draft) this.#drawn.push(this.#shape(this.#draft, null));
    this.#place();
    this.dispatchEvent(new Event("change"));
  }

  #place() {
    if (!this.#view.image) return;
    const { x, y } = this.#view.osd.viewport.getContainerSize();
    this.#crosshair.setAttribute("transform", `translate(${x / 2} ${y / 2})`);
    for (const place of this.#drawn) place();
  }

  /**
   * @param {Measurement} measurement
   * @param {string | null} name null for the drawing
   */
  #shape(measurement, name) {
    const { kind, points } = measurement;
    const halo = svg("path", { class: "measure-halo" });
    const line = svg("path", { class: "measure-line" });
    const label = svg("text", { class: "measure-label" });
    const handles = points.map((_, index) => svg("g", { class: "measure-handle", "data-point": String(index) }));
    for (const handle of handles) handle.append(svg("circle", { class: "hit", r: "12" }), svg("circle", { r: "5" }));
    const group = svg("g", { class: name ? "measurement" : "measurement draft" }, halo, line, ...handles, label);
    const place = () => {
      const all = name || !this.#pointer ? points : [...points, this.#pointer];
      const onScreen = all.map((point) => this.#onScreen(point));
      const path = pathOf(onScreen, kind === "area" && all.length > 2);
      for (const each of [halo, line]) each.setAttribute("d", path);
      handles.forEach((handle, index) => {
        handle.setAttribute("transform", `translate(${onScreen[index].x} ${onScreen[index].y})`);
      });
      const value = all.length < MIN_POINTS[kind] ? "" : valueText({ kind, points: all }, this.#mppUm);
      const { x, y } = labelPlace(onScreen);
      label.setAttribute("x", String(x));
      label.setAttribute("y", String(y));
      label.textContent = value;
      if (name) label.setAttribute("aria-label", `${name}: ${value}. Arrow keys move it, Delete removes it.`);
    };
    if (name) {
      this.#makeMovable(label, measurement, points);
      handles.forEach((handle, index) => {
        handle.setAttribute("aria-label", `${name}, point ${index + 1}. Arrow keys move it.`);
        this.#makeMovable(handle, measurement, [points[index]]);
      });
    }
    this.#shapes.append(group);
    return place;
  }

  /**
   * Let pointers and keys move points of a measurement.
   * @param {SVGElement} node
   * @param {Measurement} measurement
   * @param {Point[]} points
   */
  #makeMovable(node, measurement, points) {
    node.setAttribute("tabindex", "0");
    node.setAttribute("role", "button");
    const moveBy = (/** @type {number} */ x, /** @type {number} */ y) => {
      for (const point of points) {
        const from = this.#onScreen(point);
        const to = this.#onSlide({ x: from.x + x, y: from.y + y });
        Object.assign(point, { x: to.x, y: to.y });
      }
      this.#place();
      this.dispatchEvent(new Event("change"));
    };
    node.addEventListener("pointerdown", (event) => {
      event.preventDefault();
      node.setPointerCapture(event.pointerId);
      node.focus({ preventScroll: true });
      let last = this.#eventPlace(event);
      const move = (/** @type {PointerEvent} */ moved) => {
        const next = this.#eventPlace(moved);
        moveBy(next.x - last.x, next.y - last.y);
        last = next;
      };
      node.addEventListener("pointermove", move);
      node.addEventListener("lostpointercapture", () => node.removeEventListener("pointermove", move), { once: true });
    });
    node.addEventListener("keydown", (event) => {
      if (event.ctrlKey || event.altKey || event.metaKey) return;
      const [x, y] = ARROWS[event.key] ?? [0, 0];
      const step = event.shiftKey ? FAR_STEP_PX : 1;
      if (event.key in ARROWS) moveBy(x * step, y * step);
      else if ((event.key === "Delete" || event.key === "Backspace") && !event.repeat) this.#delete(measurement);
      else return;
      event.preventDefault(); // so that the slide does not move
    });
  }

  /** @param {Measurement} measurement */
  #delete(measurement) {
    this.remove(this.#measurements.indexOf(measurement));
    this.#view.osd?.canvas.focus({ preventScroll: true });
  }

  /** @param {MouseEvent} event */
  #eventPlace({ clientX, clientY }) {
    const { left, top } = this.#layer.getBoundingClientRect();
    return { x: clientX - left, y: clientY - top };
  }

  /**
   * @param {Point} point in slide pixels
   * @returns {Point} in screen pixels from the stage's corner
   */
  #onScreen({ x, y }) {
    return this.#view.image.imageToViewerElementCoordinates(new OpenSeadragon.Point(x, y));
  }

  /**
   * @param {Point} point in screen pixels from the stage's corner
   * @returns {Point} in slide pixels
   */
  #onSlide({ x, y }) {
    return this.#view.image.viewerElementToImageCoordinates(new OpenSeadragon.Point(x, y));
  }
}

/**
 * @param {Point[]} points
 * @param {boolean} isClosed
 */
function pathOf(points, isClosed) {
  return points.map(({ x, y }, index) => `${index ? "L" : "M"}${x} ${y}`).join("") + (isClosed ? "Z" : "");
}

/**
 * Return where a measurement's text begins: beside its rightmost point, so that it hides no line.
 * @param {Point[]} points
 * @returns {Point}
 */
function labelPlace(points) {
  if (points.length === 0) return { x: 0, y: 0 };
  const { x, y } = points.reduce((right, point) => (point.x > right.x ? point : right));
  return { x: x + 14, y };
}
