// Takes a pathologist's or a technician's main path through the pages in Firefox: node firefox.mjs URL PATH
import puppeteer from "puppeteer-core";

const [, , url, path] = process.argv;
const TIMEOUT_MS = 120_000;

const browser = await puppeteer.launch({
  browser: "firefox",
  executablePath: process.env.FIREFOX,
  protocolTimeout: TIMEOUT_MS,
});
try {
  const page = await browser.newPage();
  page.setDefaultTimeout(TIMEOUT_MS);
  await page.setViewport({ width: 1280, height: 800 });
  const errors = [];
  page.on("pageerror", (error) => errors.push(String(error)));
  await PATHS()[path](page);
  if (errors.length) throw new Error(errors.join("\n"));
  console.log("done");
} finally {
  await browser.close();
}

function PATHS() {
  return { view, signOut };
}

async function signIn(page, username, hash = "") {
  await page.goto(`${url}/${hash}`);
  await page.locator("#sign-in").click();
  await page.locator("[name=username]").fill(username);
  await page.locator("[name=password]").fill("secret");
  await page.locator("button").click();
}

/** Wait until a script in the page returns something true. The content security policy forbids waitForFunction's way. */
async function until(page, script, ...values) {
  const end = Date.now() + TIMEOUT_MS;
  while (!(await page.evaluate(script, ...values))) {
    if (Date.now() > end) throw new Error(`it did not happen: ${script}`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

async function openFirstSlide(page) {
  await page.locator(".slide-link").wait();
  await page.focus(".slide-link");
  await page.keyboard.press("Enter");
  await until(page, () => document.querySelector("#viewer")?.dataset.viewerReady === "true");
}

/** From the list to tissue at full zoom, by mouse and by keyboard. */
async function view(page) {
  await signIn(page, "pathologist");
  await openFirstSlide(page);
  await until(page, () => document.querySelector("#viewer").osd.world.getItemAt(0).getFullyLoaded());
  const before = await page.evaluate(() => document.querySelector("#viewer").osd.viewport.getZoom());
  await page.focus("#viewer .openseadragon-canvas");
  await page.keyboard.press("+");
  await until(page, (zoom) => document.querySelector("#viewer").osd.viewport.getZoom() > zoom, before);
  await until(page, () => document.querySelector("#viewer").osd.world.getItemAt(0).getFullyLoaded());
  await page.evaluate(() => history.back()); // page.goBack waits for a load, and this is the same document
  await until(page, () => document.body.dataset.state === "list");
}

async function signOut(page) {
  await signIn(page, "technician");
  await page.locator(".slide-link").wait();
  await page.locator("#sign-out").click();
  await until(page, () => document.body.dataset.state === "signed-out");
}
