// The application: configuration, sign-in, and which page is shown.

import { Api } from "./api/api.js";
import { Session } from "./api/auth.js";
import { ReviewDesk } from "./review/actions.js";
import { closeDialogs } from "./review/dialog.js";
import { message } from "./dom.js";
import { takeDoubleClicksAsOne } from "./double-click.js";
import { RequestError, describe } from "./api/errors.js";
import { nameOf } from "./record.js";
import { TECHNICIANS } from "./review/review.js";
import { formatRoute, parseRoute } from "./route.js";
import { SlideList } from "./list/slide-list.js";
import { SlideViewer } from "./viewer/viewer.js";

/**
 * @typedef {import("./api/auth.js").AuthConfig & {apiUrl: string, graphqlUrl: string}} Config
 */

const TITLE = document.title;
const find = (/** @type {string} */ selector) => /** @type {HTMLElement} */ (document.querySelector(selector));

/** This page's own address, as it is registered with the sign-in service. */
const pageUrl = location.origin + location.pathname.replace(/index\.html$/, "");

takeDoubleClicksAsOne(document);
try {
  await start(await loadConfig());
} catch (error) {
  show("signed-out");
  find("#sign-in").hidden = true;
  find("#sign-in-notice").replaceChildren(message(describe(error)));
}

/** @param {Config} config */
async function start(config) {
  const session = new Session(config, { redirectUri: pageUrl, storage: sessionStorage });
  const api = new Api(config, session, showBusy);
  await finishSignIn(session);

  // a sign-in comes with a fresh page: who is signed in on this one stays the same
  const desk = session.groups.includes(TECHNICIANS) ? new ReviewDesk(api, (slides) => tell(slides)) : null;
  const list = new SlideList(find("#list-page"), api, desk);
  const viewer = new SlideViewer(find("#viewer-page"), api, desk, (view) => {
    if (viewer.imageId !== null) history.replaceState(null, "", formatRoute(viewer.imageId, view));
  });
  const tell = (/** @type {import("./record.js").Slide[]} */ slides) => {
    list.update(slides);
    const open = slides.find(({ ImageID }) => ImageID === viewer.imageId);
    if (!open) return;
    viewer.update(open);
    name(nameOf(open));
  };
  let listScroll = 0;

  const route = () => {
    const slide = session.active ? parseRoute(location.hash) : null;
    const next = !session.active ? "signed-out" : slide ? "viewer" : "list";
    if (document.body.dataset.state === "list") listScroll = scrollY;
    closeDialogs();
    show(next);
    find("#user").textContent = session.user;

    if (next === "viewer" && slide) {
      list.hide();
      if (slide.imageId === viewer.imageId) {
        if (slide.view) viewer.look(slide.view);
        return;
      }
      name("");
      void viewer.open(slide.imageId, slide.view).then((record) => record && name(nameOf(record)));
      return;
    }
    const left = viewer.imageId;
    viewer.close();
    name("");
    if (next === "list") {
      list.show();
      scrollTo(0, listScroll);
      if (left !== null) list.focus(left);
    } else {
      list.forget();
    }
  };

  find("#sign-in").addEventListener("click", async () => {
    location.assign(await session.signInUrl(location.hash));
  });
  find("#sign-out").addEventListener("click", async () => {
    const away = session.signOutUrl;
    await api.endSession();
    history.replaceState(null, "", pageUrl);
    session.end();
    find("#sign-in-notice").replaceChildren();
    if (away) location.assign(away);
  });
  session.addEventListener("ended", () => {
    find("#sign-in-notice").replaceChildren(
      message({ title: "Your session has ended", detail: "Sign in again, and you return to where you were." }),
    );
    route();
  });
  window.addEventListener("hashchange", route);
  route();
}

/**
 * Says that the server is busy, above all else that is shown, or no longer.
 * @param {boolean} busy
 */
function showBusy(busy) {
  const notice = find("#busy-notice");
  notice.togglePopover(busy);
  notice.textContent = busy ? "The server is busy. This page asks again by itself; what you typed stays." : "";
}

/**
 * Where the sign-in page has just sent the browser back, turns its answer into tokens.
 * @param {Session} session
 */
async function finishSignIn(session) {
  const query = new URLSearchParams(location.search);
  if (!query.has("state")) return;
  let returnTo = "";
  try {
    returnTo = await session.completeSignIn(query);
  } catch (error) {
    find("#sign-in-notice").replaceChildren(message(describe(error)));
  }
  history.replaceState(null, "", pageUrl + returnTo); // the code is used up: keep it out of the history
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

/** @param {string} slideName the open slide's, or nothing */
function name(slideName) {
  find("#slide-name").textContent = slideName;
  document.title = slideName ? `${slideName} · ${TITLE}` : TITLE;
}

/** @param {"signed-out" | "list" | "viewer"} state */
function show(state) {
  document.body.dataset.state = state;
}
