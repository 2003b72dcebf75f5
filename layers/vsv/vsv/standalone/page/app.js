// The slides of one folder: a list, and a viewer for the one that the address names (#name).

/**
 * @typedef {{name: string, bytes: number, version: string, error?: string}} Slide
 * @typedef {{version: string, width: number, height: number, mppUm: number | null, appMag: number | null,
 *   scanDate: string | null}} Facts
 */

/** A level of every DeepZoom pyramid that is a single tile: a picture of slides that bring none along. */
const SMALL_LEVEL = 7;
const LAZY_MARGIN = "300px";
const SCALE_BAR_MAX_PX = 160;
const NAVIGATOR_MAX_PX = 170;
/** Screen pixels per slide pixel at most: beyond this there is nothing more to see. */
const MAX_ZOOM = 4;
const ZOOM_STEP = 1.5;
const UNREACHABLE = "The server does not answer. Is it still running?";

const find = (/** @type {string} */ id) => /** @type {HTMLElement} */ (document.getElementById(id));
const filter = /** @type {HTMLInputElement} */ (find("filter"));

/** What the server said last, as text: the list is drawn again only when it has changed. */
let listed = "";
/** The slide that is shown, or nothing. */
let open = "";
/** @type {any} */
let viewer = null;
/** @type {Facts | null} */
let facts = null;

function route() {
  const left = open;
  open = nameInAddress();
  viewer?.destroy();
  viewer = null;
  delete find("viewer").dataset.drawn;
  find("list-page").hidden = open !== "";
  find("slide-page").hidden = open === "";
  document.title = open ? `${open} · Slides` : "Slides";
  if (open) void showSlide(open);
  else void showList(left);
}

function nameInAddress() {
  try {
    return decodeURIComponent(location.hash.slice(1));
  } catch {
    return location.hash.slice(1);
  }
}

/**
 * @param {string} path
 * @returns {Promise<string>} Throws an error that says in a sentence what is wrong.
 */
async function fetchText(path) {
  let response;
  try {
    response = await fetch(path);
  } catch {
    throw new Error(UNREACHABLE);
  }
  if (response.ok) return response.text();
  const problem = await response.json().catch(() => ({}));
  throw new Error(problem.detail ?? `The server answered with status ${response.status}`);
}

const addressOf = (/** @type {string} */ name) => `DeepZoom/${encodeURIComponent(name)}`;
const factsOf = async (/** @type {string} */ name) =>
  /** @type {Facts} */ (JSON.parse(await fetchText(`slides/${encodeURIComponent(name)}.json`)));

/**
 * @param {string} id
 * @param {string} text nothing hides the notice
 */
function notice(id, text) {
  find(id).hidden = text === "";
  find(id).textContent = text;
}

// The list

const observer = new IntersectionObserver(
  (entries) => {
    for (const { isIntersecting, target } of entries) {
      if (!isIntersecting) continue;
      observer.unobserve(target);
      void fillCard(/** @type {HTMLElement} */ (target));
    }
  },
  { rootMargin: LAZY_MARGIN },
);

/** @param {string} [left] the slide that was open before */
async function showList(left = "") {
  try {
    const text = await fetchText("slides.json");
    if (text !== listed) {
      listed = text;
      observer.disconnect();
      find("slides").replaceChildren(...JSON.parse(text).map(card));
    }
    notice("list-notice", listed === "[]" ? "There are no slides (*.svs) in this folder yet." : "");
  } catch (error) {
    notice("list-notice", /** @type {Error} */ (error).message);
  }
  applyFilter();
  if (left) {
    cards()
      .find(({ dataset }) => dataset.name === left)
      ?.querySelector("a")
      ?.focus();
  }
}

const cards = () => /** @type {HTMLElement[]} */ ([...find("slides").children]);

/** @param {Slide} slide */
function card({ name, bytes, error }) {
  const item = element("li", { className: "card" });
  item.dataset.name = name;
  const picture = element("span", { className: "picture" });
  const detail = element("span", { className: "detail" }, error ?? formatBytes(bytes));
  const title = element("span", { className: "name", title: name }, name);
  if (error) {
    item.classList.add("broken");
    item.append(picture, title, detail);
  } else {
    item.append(element("a", { href: `#${encodeURIComponent(name)}` }, picture, title, detail));
    observer.observe(item);
  }
  return item;
}

/** @param {HTMLElement} item */
async function fillCard(item) {
  const name = item.dataset.name ?? "";
  const detail = /** @type {HTMLElement} */ (item.querySelector(".detail"));
  try {
    const slide = await factsOf(name);
    detail.textContent = `${describe(slide)} · ${detail.textContent}`;
    item.querySelector(".picture")?.append(thumbnail(name, slide.version));
  } catch (error) {
    item.classList.add("broken");
    detail.textContent = /** @type {Error} */ (error).message;
    // A slide that cannot be opened is not a link.
    item.replaceChildren(...(item.querySelector("a")?.childNodes ?? []));
  }
}

/**
 * @param {string} name
 * @param {string} version
 */
function thumbnail(name, version) {
  const files = `${addressOf(name)}_files`;
  const image = new Image();
  image.alt = "";
  image.src = `${files}/thumbnail.jpeg?v=${version}`;
  image.onerror = () => {
    image.onerror = null;
    image.src = `${files}/${SMALL_LEVEL}/0_0.jpeg?v=${version}`;
  };
  return image;
}

function applyFilter() {
  const text = filter.value.trim().toLowerCase();
  const all = cards();
  for (const item of all) item.hidden = !(item.dataset.name ?? "").toLowerCase().includes(text);
  const shown = all.filter((item) => !item.hidden).length;
  const total = `${all.length} ${all.length === 1 ? "slide" : "slides"}`;
  find("count").textContent = text ? `${shown} of ${total}` : total;
}

// The viewer

/** @param {string} name */
async function showSlide(name) {
  find("name").textContent = name;
  find("facts").textContent = "";
  for (const id of ["optics", "tools"]) find(id).hidden = true;
  notice("slide-notice", "");
  try {
    const [slide] = await Promise.all([factsOf(name), loadOpenSeadragon()]);
    if (open !== name || viewer) return;
    facts = slide;
    find("facts").textContent = describe(slide);
    viewer = openViewer(name, slide);
  } catch (error) {
    if (open === name) notice("slide-notice", /** @type {Error} */ (error).message);
  }
}

/** @type {Promise<void> | null} */
let loading = null;

/** Loads OpenSeadragon when it is first needed: the list does without, and without a network. */
function loadOpenSeadragon() {
  loading ??= new Promise((resolve, reject) => {
    const { openseadragon = "", integrity = "" } = document.body.dataset;
    const script = Object.assign(document.createElement("script"), { src: openseadragon, integrity });
    script.crossOrigin = "anonymous";
    script.onload = () => resolve();
    script.onerror = () => {
      loading = null;
      reject(
        new Error(`The viewer could not be loaded from ${script.src}. vsv serve --openseadragon names another copy.`),
      );
    };
    document.head.append(script);
  });
  return loading;
}

/**
 * @param {string} name
 * @param {Facts} slide
 */
function openViewer(name, { width, height, version }) {
  const shrink = NAVIGATOR_MAX_PX / Math.max(width, height);
  const osd = OpenSeadragon({
    element: find("viewer"),
    // OpenSeadragon repeats the query with each tile: no cache mixes up a slide and its successor.
    tileSources: `${addressOf(name)}.dzi?v=${version}`,
    drawer: "canvas", // draws alike everywhere; WebGL is several times slower where it is emulated
    showNavigationControl: false,
    showNavigator: true,
    navigatorPosition: "TOP_RIGHT",
    navigatorWidth: `${width * shrink}px`,
    navigatorHeight: `${height * shrink}px`,
    navigatorAutoFade: false,
    navigatorOpacity: 1,
    navigatorBackground: "#29292d",
    navigatorDisplayRegionColor: "#00805a" /* a colour that stains do not have */,
    maxZoomPixelRatio: MAX_ZOOM,
    minZoomImageRatio: 0.6,
    visibilityRatio: 0.3,
    animationTime: 0.5,
    gestureSettingsMouse: { clickToZoom: false, dblClickToZoom: true },
  });
  osd.addOnceHandler("open", () => {
    for (const id of ["optics", "tools"]) find(id).hidden = false;
    showOptics();
    osd.canvas.focus({ preventScroll: true });
    osd.world.getItemAt(0).whenFullyLoaded(() => (find("viewer").dataset.drawn = name));
  });
  osd.addHandler("open-failed", ({ message }) => notice("slide-notice", message));
  for (const event of /** @type {const} */ (["animation", "animation-finish", "resize"])) {
    osd.addHandler(event, showOptics);
  }
  osd.addHandler("canvas-key", (event) => {
    if (event.originalEvent.code === "KeyF") event.preventDefaultAction = true; // a mirrored slide misleads
    if (event.originalEvent.key === "1") fullSize();
  });
  osd.canvas.setAttribute("role", "application");
  osd.canvas.setAttribute(
    "aria-label",
    "Slide. Arrow keys move, plus and minus zoom, 0 shows all of it, 1 its full size, Escape leads back.",
  );
  return osd;
}

/** @param {number} factor */
function zoomBy(factor) {
  viewer?.viewport.zoomBy(factor);
  viewer?.viewport.applyConstraints();
}

function fullSize() {
  const image = viewer?.world.getItemAt(0);
  if (image) viewer.viewport.zoomTo(image.imageToViewportZoom(1));
}

/** Brings magnification and scale bar in line with what is on the screen. */
function showOptics() {
  const image = viewer?.world.getItemAt(0);
  if (!image || !facts) return;
  const { mppUm, appMag } = facts;
  const zoom = image.viewportToImageZoom(viewer.viewport.getZoom(true));
  const magnification = zoom * (appMag ?? 100);
  find("magnification").textContent = magnification.toFixed(magnification < 1 ? 2 : 1) + (appMag ? "×" : "%");
  find("scale-bar").hidden = !mppUm;
  find("scale-unknown").hidden = Boolean(mppUm);
  if (mppUm) {
    const lengthUm = roundLength((SCALE_BAR_MAX_PX * mppUm) / zoom);
    find("scale-bar").style.width = `${(lengthUm / mppUm) * zoom}px`;
    find("scale-bar-text").textContent = lengthUm < 1000 ? `${lengthUm} µm` : `${lengthUm / 1000} mm`;
  }
}

/**
 * The longest round length, 1, 2 or 5 times a power of ten, that is not above the limit.
 * @param {number} limit above zero
 */
function roundLength(limit) {
  const power = 10 ** Math.floor(Math.log10(limit));
  // 10 and 0.5 make up for a logarithm that lands on the wrong side of a whole number.
  const factor = [10, 5, 2, 1].find((candidate) => candidate * power <= limit) ?? 0.5;
  return Number((factor * power).toPrecision(1));
}

// Words and elements

/** @param {Facts} slide */
function describe({ width, height, appMag, mppUm }) {
  const size = `${width.toLocaleString("en")} × ${height.toLocaleString("en")}`;
  return [size, appMag && `${appMag}×`, mppUm && `${Number(mppUm.toPrecision(3))}\u00a0µm/px`]
    .filter(Boolean)
    .join(" · ");
}

/** @param {number} bytes */
function formatBytes(bytes) {
  const steps = bytes < 1e6 ? [1e3, "kB"] : bytes < 1e9 ? [1e6, "MB"] : [1e9, "GB"];
  return `${Number((bytes / Number(steps[0])).toPrecision(3))}\u00a0${steps[1]}`;
}

/**
 * @param {string} tag
 * @param {Record<string, string>} properties
 * @param {...(Node | string)} children text goes in as text: a name is never taken for markup
 */
function element(tag, properties, ...children) {
  const node = Object.assign(document.createElement(tag), properties);
  node.append(...children);
  return node;
}

// The start, now that everything above has been defined

window.addEventListener("hashchange", route);
document.addEventListener("visibilitychange", () => document.hidden || open || showList());
document.addEventListener("keydown", ({ key }) => {
  if (key === "Escape" && open && !document.fullscreenElement) location.hash = "";
});
filter.addEventListener("input", applyFilter);
for (const [action, act] of Object.entries({
  "zoom-in": () => zoomBy(ZOOM_STEP),
  "zoom-out": () => zoomBy(1 / ZOOM_STEP),
  home: () => viewer?.viewport.goHome(),
  "full-size": fullSize,
})) {
  document.querySelector(`[data-action="${action}"]`)?.addEventListener("click", act);
}
// A click on a tool leaves the keyboard where it was: on the slide.
find("tools").addEventListener("mousedown", (event) => event.preventDefault());
route();
