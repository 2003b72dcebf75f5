// Turning a slide freely: by two fingers, or by dragging with the Shift key.

/** @typedef {import("./slide-view.js").SlideView} SlideView */

/** Two fingers that pinch always turn a little: a turn begins after this angle, in degrees. */
const TWIST_START = 8;

/**
 * Let users turn the slide that a view shows. OpenSeadragon's own `pinchRotate` turns twice as far as the fingers.
 * @param {SlideView} view
 */
export function turnFreely(view) {
  view.addEventListener("opening", () => {
    const { osd } = view;
    const twist = new Twist(TWIST_START);
    osd.addHandler("canvas-pinch", (/** @type {any} */ { gesturePoints }) => {
      const [one, other] = gesturePoints;
      // not from lastPos: each finger's move is an event, in which the other one has its last move still
      view.rotateBy(twist.turn(angle(one.currentPos, other.currentPos)), true);
    });
    osd.addHandler("canvas-release", () => twist.end());
    osd.addHandler("canvas-drag", (/** @type {any} */ event) => {
      if (!event.shift) return;
      event.preventDefaultAction = true;
      const centre = osd.viewport.viewportToViewerElementCoordinates(osd.viewport.getCenter(true));
      view.rotateBy(difference(angle(centre, event.position.minus(event.delta)), angle(centre, event.position)), true);
    });
  });
}

/** The turn of two fingers. It begins after some degrees, and then follows the fingers. */
export class Twist {
  #start;
  /** @type {number | null} */
  #last = null;
  #turned = 0;
  #isTurning = false;

  /** @param {number} start in degrees */
  constructor(start) {
    this.#start = start;
  }

  /**
   * Return how far the slide turns with this movement.
   * @param {number} direction angle of the line between the fingers, in degrees
   * @returns {number} degrees, clockwise
   */
  turn(direction) {
    const moved = this.#last === null ? 0 : difference(this.#last, direction);
    this.#last = direction;
    this.#turned += moved;
    if (!this.#isTurning && Math.abs(this.#turned) < this.#start) return 0;
    this.#isTurning = true;
    return moved;
  }

  end() {
    this.#last = null;
    this.#turned = 0;
    this.#isTurning = false;
  }
}

/**
 * Return the shortest turn between two angles.
 * @param {number} from in degrees
 * @param {number} to
 * @returns {number} from -180 to 180
 */
export function difference(from, to) {
  return ((((to - from + 180) % 360) + 360) % 360) - 180;
}

/**
 * @param {{x: number, y: number}} from
 * @param {{x: number, y: number}} to
 */
function angle(from, to) {
  return (Math.atan2(to.y - from.y, to.x - from.x) * 180) / Math.PI;
}
