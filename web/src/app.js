// The application: loads the configuration, handles the sign-in, and shows one page at a time.

import { Api } from "./api/api.js";
import { SignIn } from "./api/auth.js";
import { Live } from "./api/live.js";
import { CHANNEL, SignInTabs } from "./api/tabs.js";
import { ReviewActions } from "./review/actions.js";
import { closeDialogs } from "./dialog.js";
import { message } from "./dom.js";
import { mergeDoubleClicks } from "./double-click.js";
import { Keys } from "./keys.js";
import { openKeysDialog } from "./keys-dialog.js";
import { RequestError, TITLES, describe } from "./api/errors.js";
import { showLaboratory } from "./laboratory.js";
import { LiveRecords } from "./live-records.js";
import { nameOf } from "./record.js";
import { TECHNICIANS } from "./review/review.js";
import { ReviewPage } from "./review-page/review-page.js";
import { formatList, formatReview, formatRoute, parseReview, parseRoute } from "./route.js";
import { SlideList } from "./list/slide-list.js";
import { SlideViewer } from "./viewer/viewer.js";

/**
 * @typedef {import("./api/auth.js").AuthConfig & import("./laboratory.js").LaboratoryConfig &
 *   {apiUrl: string, graphqlUrl: string, liveUrl?: string}} Config
 */

let title = document.title;
const find = (/** @type {string} */ selector) => /** @type {HTMLElement} */ (document.querySelector(selector));

/** This page's URL, as it is registered with the sign-in service. */
const pageUrl = location.origin + location.pathname.replace(/index\.html$/, "");

mergeDoubleClicks(document);
try {
  await start(await loadConfig());
} catch (error) {
  show("signed-out");
  find("#sign-in").hidden = true;
  find("#sign-in-notice").replaceChildren(message(describe(error)));
}

/** @param {Config} config */
async function start(config) {
  title = showLaboratory(config);
  const signIn = new SignIn(config, { redirectUri: pageUrl, storage: sessionStorage });
  const api = new Api(config, signIn, showBusy);
  const tabs = new SignInTabs(signIn, new BroadcastChannel(CHANNEL), navigator.locks);
  await completeSignIn(signIn);
  await tabs.takeOver();

  // each sign-in loads the page again, so that the user of this page does not change
  const isTechnician = signIn.groups.includes(TECHNICIANS);
  const actions = isTechnician
    ? new ReviewActions(
        api,
        (slides) => update(slides),
        (...given) => review(...given),
      )
    : null;
  const list = new SlideList(find("#list-page"), api, actions);
  const keys = new Keys(document);
  const showView = (/** @type {import("./route.js").View} */ view) => {
    // a movement can end after the address has changed to another slide, and before that slide is opened
    if (viewer.imageId === null || parseRoute(location.hash)?.imageId !== viewer.imageId) return;
    history.replaceState(null, "", formatRoute(viewer.imageId, view));
  };
  const viewer = new SlideViewer(find("#viewer-page"), api, actions, showView, keys);
  const showKeys = () => openKeysDialog(keys);
  keys.add("Everywhere", () => signIn.active, [{ keys: ["?"], text: "this list", run: showKeys }]);
  find("#keys").addEventListener("click", showKeys);
  const reviewPage =
    actions &&
    new ReviewPage(find("#review-page"), find("#judgements"), api, keys, {
      update: (slides) => update(slides),
      remove: (operation, slide) => void actions.remove(operation, [slide]),
      move: (imageId) => {
        history.replaceState(null, "", formatReview(imageId, location.hash));
        route();
      },
      show: (slide) => showName(nameOf(slide)),
      leave: () => (location.hash = formatList(location.hash)),
    });
  /**
   * @param {string} imageId
   * @param {import("./review/actions.js").Queue | null} queue
   */
  const review = (imageId, queue) => {
    if (queue) reviewPage?.setQueue(queue);
    location.hash = formatReview(imageId, location.hash);
  };
  const update = (/** @type {import("./record.js").Slide[]} */ slides) => {
    list.update(slides);
    slides.forEach((slide) => reviewPage?.update(slide));
    const reviewed = slides.find(({ ImageID }) => ImageID === reviewPage?.imageId);
    if (reviewed) showName(nameOf(reviewed));
    const open = slides.find(({ ImageID }) => ImageID === viewer.imageId);
    if (!open) return;
    viewer.update(open);
    showName(nameOf(open));
  };
  const live = new Live(config, signIn);
  api.live = live;
  const liveRecords = new LiveRecords(live, api, {
    shown: () => [...list.slides, ...[viewer.slide, reviewPage?.slide ?? null].filter((each) => each !== null)],
    update,
    arrived: (imageIds) => list.arrived(imageIds),
    missed: () => list.missed(),
  });
  let listScroll = 0;

  const route = () => {
    const slide = signIn.active ? parseRoute(location.hash) : null;
    const reviewed = signIn.active && reviewPage ? parseReview(location.hash) : null;
    const next = !signIn.active ? "signed-out" : reviewed ? "review" : slide ? "viewer" : "list";
    if (document.body.dataset.state === "list") listScroll = scrollY;
    closeDialogs();
    show(next);
    if (signIn.active) live.start();
    else {
      live.stop();
      liveRecords.clear();
    }
    find(".brand").setAttribute("href", formatList(location.hash));
    find("#user").textContent = signIn.user;

    if (next === "viewer" && slide) {
      list.hide();
      reviewPage?.close();
      find(".brand").setAttribute("href", list.address);
      if (slide.imageId === viewer.imageId) {
        if (slide.view) viewer.setView(slide.view);
        return;
      }
      showName("");
      void viewer.open(slide.imageId, slide.view).then((record) => record && showName(nameOf(record)));
      return;
    }
    const closed = reviewPage?.imageId ?? viewer.imageId;
    viewer.close();
    showName("");
    if (next === "review" && reviewed) {
      list.hide();
      reviewPage?.open(reviewed);
      return;
    }
    reviewPage?.close();
    if (next === "list") {
      find(".brand").setAttribute("href", "#"); // all slides
      list.show(location.hash);
      if (closed !== null) scrollTo(0, listScroll);
      if (closed !== null) list.focus(closed);
    } else {
      list.reset();
      reviewPage?.reset();
    }
  };

  find("#sign-in").addEventListener("click", async () => {
    location.assign(await signIn.signInUrl(location.hash));
  });
  find("#sign-out").addEventListener("click", async () => {
    const { signOutUrl } = signIn;
    await api.deleteImageCookies();
    history.replaceState(null, "", pageUrl);
    viewer.forget();
    tabs.signOut();
    find("#sign-in-notice").replaceChildren();
    if (signOutUrl) location.assign(signOutUrl);
  });
  signIn.addEventListener("ended", (event) => {
    const { signedOut } = /** @type {CustomEvent<{signedOut: boolean}>} */ (event).detail;
    if (signedOut) history.replaceState(null, "", pageUrl); // the address can contain IDs
    const text = signedOut
      ? { title: "Signed out", detail: "You signed out in another tab." }
      : { title: TITLES["signed-out"], detail: "Sign in again to return to where you were." };
    find("#sign-in-notice").replaceChildren(message(text));
    route();
  });
  tabs.addEventListener("available", () => location.reload());
  window.addEventListener("online", () => live.hurry());
  document.addEventListener("visibilitychange", () => signIn.active && live.show(!document.hidden));
  window.addEventListener("hashchange", route);
  route();
}

/**
 * Show or hide the notice that the server is busy.
 * @param {boolean} busy
 */
function showBusy(busy) {
  const notice = find("#busy-notice");
  notice.togglePopover(busy);
  notice.textContent = busy ? "The server is busy. The page retries automatically; your input is kept." : "";
}

/**
 * Complete a sign-in if the sign-in page has just redirected here.
 * @param {SignIn} signIn
 */
async function completeSignIn(signIn) {
  const query = new URLSearchParams(location.search);
  if (!query.has("state")) return;
  let returnTo = "";
  try {
    returnTo = await signIn.completeSignIn(query);
  } catch (error) {
    find("#sign-in-notice").replaceChildren(message(describe(error)));
  }
  history.replaceState(null, "", pageUrl + returnTo); // remove the code, which has been used
}

/** @returns {Promise<Config>} */
async function loadConfig() {
  try {
    const response = await fetch("config.json", { cache: "no-cache" });
    if (!response.ok) throw new Error(`status ${response.status}`);
    return await response.json();
  } catch (cause) {
    throw new RequestError("network", "The page's configuration (config.json) could not be read.", { cause });
  }
}

/** @param {string} slideName the open slide's, or an empty string */
function showName(slideName) {
  find("#slide-name").textContent = slideName;
  document.title = slideName ? `${slideName} · ${title}` : title;
}

/** @param {"signed-out" | "list" | "viewer" | "review"} state */
function show(state) {
  document.body.dataset.state = state;
}
