// The laboratory's own marks from config.json: its name, its logo and its banner.

import { element } from "./dom.js";

/**
 * @typedef {object} LaboratoryConfig
 * @property {string} [laboratory] the laboratory's name
 * @property {string} [logo] URL of an image on this origin, beneath the page's own folder or from the root
 * @property {string} [banner] a notice that is always visible, such as "Research use only"
 */

const find = (/** @type {string} */ selector) => /** @type {HTMLElement} */ (document.querySelector(selector));

/**
 * Show the laboratory's name, logo and banner; return the pages' title. Values are shown as text.
 * @param {LaboratoryConfig} config
 * @returns {string}
 */
export function showLaboratory({ laboratory, logo, banner }) {
  if (banner) showBanner(find("#banner"), banner);
  if (laboratory) {
    find(".brand span.in-list").textContent = laboratory;
    find(".brand").setAttribute("aria-label", `${laboratory}: all slides`);
    find("#signed-out-heading").textContent = laboratory;
    document.title = `${laboratory} · ${document.title}`;
  }
  if (logo) {
    const text = laboratory ? `Logo of ${laboratory}` : "Logo";
    replaceByLogo(find(".brand .icon.in-list"), logo, text, "logo in-list");
    replaceByLogo(find(".emblem"), logo, text, "logo emblem");
  }
  return document.title;
}

/**
 * Replace an icon by the logo, once it has loaded. The icon stays where there is no such image.
 * @param {Element} icon
 * @param {string} logo
 * @param {string} text
 * @param {string} style
 */
function replaceByLogo(icon, logo, text, style) {
  const url = URL.parse(logo, document.baseURI);
  if (url?.origin !== location.origin) {
    report(`the logo must be on this page's origin: ${logo}`);
    return;
  }
  const image = element("img", { class: style, alt: text });
  image.addEventListener("load", () => icon.replaceWith(image));
  image.addEventListener("error", () => report(`the logo cannot be loaded: ${url.pathname}`));
  image.setAttribute("src", url.href);
}

/**
 * Show the banner above the pages, which keep clear of it by `--banner-height`.
 * @param {HTMLElement} banner
 * @param {string} text
 */
function showBanner(banner, text) {
  banner.textContent = text;
  banner.showPopover();
  const keepClear = () => {
    const height = Math.ceil(banner.getBoundingClientRect().height);
    document.documentElement.style.setProperty("--banner-height", `${height}px`);
  };
  new ResizeObserver(keepClear).observe(banner);
  // An element in full screen covers what was shown before it.
  document.addEventListener("fullscreenchange", () => {
    banner.hidePopover();
    banner.showPopover();
  });
}

/**
 * Report a mistake to those who deploy; there are no patient data in the configuration.
 * @param {string} text
 */
function report(text) {
  console.error(`config.json: ${text}`); // eslint-disable-line no-console
}
