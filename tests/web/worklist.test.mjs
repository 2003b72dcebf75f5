// The slide list without a browser: what is searched, its address, windowing, keys, and the selection.
import assert from "node:assert/strict";
import { test } from "node:test";

import { formatPlace, parsePlace } from "../../web/src/list/address.js";
import { countText, slidesText } from "../../web/src/list/counts.js";
import { EVERYTHING, describeCriteria, listingOf, sameCriteria, today } from "../../web/src/list/criteria.js";
import { indexAfter } from "../../web/src/list/list-keys.js";
import { Queue } from "../../web/src/list/queue.js";
import { SlideRecords } from "../../web/src/list/records.js";
import { Selection } from "../../web/src/list/selection.js";
import { rangeOf } from "../../web/src/list/window.js";

const FULL = {
  text: "s24 ä&1+#",
  status: "SEND_FAILED",
  from: "2024-05-17",
  to: "2024-05-18",
  scanner: "SS 1",
  only: "unidentified",
  order: "SLIDE_ID_DESCENDING",
};

test("an address leads back to what was searched, the view and the place", () => {
  for (const place of [
    { criteria: FULL, view: "table", at: "odd/näme #1?&" },
    { criteria: EVERYTHING, view: null, at: null },
    { criteria: { ...EVERYTHING, only: "failed", order: "OLDEST" }, view: "cards", at: null },
  ]) {
    assert.deepEqual(parsePlace(formatPlace(place)), place);
  }
  assert.equal(formatPlace({ criteria: EVERYTHING, view: null, at: null }), "#");
  assert.ok(formatPlace({ criteria: FULL, view: null, at: null }).includes("status=send_failed"));
});

test("an address without sense shows all slides", () => {
  const odd = "#status=LOST&order=up&only=me&from=yesterday&to=2024-13-45&view=pie&text=%20";
  assert.deepEqual(parsePlace(odd), { criteria: EVERYTHING, view: null, at: null });
});

test("criteria become the query's arguments; only those that are given", () => {
  assert.deepEqual(listingOf(EVERYTHING), { field: "searchSlides", arguments: { Order: "NEWEST" } });
  const { arguments: given } = listingOf(FULL);
  assert.deepEqual(given, {
    Text: "s24 ä&1+#",
    Status: "SEND_FAILED",
    Unidentified: true,
    Scanner: "SS 1",
    ScannedFrom: new Date("2024-05-17T00:00:00").toISOString(),
    ScannedTo: new Date("2024-05-18T23:59:59.999").toISOString(),
    Order: "SLIDE_ID_DESCENDING",
  });
  assert.ok(!sameCriteria(FULL, { ...FULL, order: "STATUS" }));
  assert.equal(today(new Date(2026, 0, 5)), "2026-01-05");
});

test("what was searched is said in words", () => {
  assert.equal(describeCriteria(EVERYTHING), "");
  assert.match(
    describeCriteria(FULL),
    /^“s24 ä&1\+#”, status Sending failed, scanned from .+2024 to .+2024, scanner “SS 1”, IDs not identified$/,
  );
  assert.match(describeCriteria({ ...EVERYTHING, from: "2024-05-17", to: "2024-05-17" }), /^scanned on .+ 2024$/);
});

test("counts are exact to 1,000", () => {
  assert.equal(countText({ Count: 1000, Exact: true }), "1,000");
  assert.equal(countText({ Count: 1000, Exact: false }), "more than 1,000");
  assert.equal(slidesText({ Count: 1, Exact: true }), "1 slide");
  assert.equal(slidesText({ Count: 0, Exact: true }), "0 slides");
});

test("the window has the rows near the screen, and the heights of the others", () => {
  const list = { count: 5000, columns: 3, rowHeight: 400, height: 800 };
  const rows = Math.ceil(5000 / 3);
  for (let top = -500; top < rows * 400; top += 137) {
    const { first, end, before, after } = rangeOf({ ...list, top });
    assert.ok(end - first <= 3 * 8, "few rows");
    assert.equal(before, (first / 3) * 400);
    assert.equal(before + Math.ceil((end - first) / 3) * 400 + after, rows * 400, "the list keeps its height");
    const visible = Math.floor(Math.min(Math.max(top, 0), rows * 400 - 1) / 400) * 3;
    assert.ok(first <= visible && visible < end);
  }
  assert.deepEqual(rangeOf({ ...list, count: 0, top: 0 }), { first: 0, end: 0, before: 0, after: 0 });
});

test("keys lead from slide to slide, and stay within the list", () => {
  const cards = { count: 10, columns: 3, pageSize: 6 };
  const after = (key, index) => indexAfter(key, index, cards);
  assert.equal(after("ArrowDown", 1), 4);
  assert.equal(after("ArrowDown", 8), 8);
  assert.equal(after("ArrowUp", 1), 1);
  assert.equal(after("ArrowRight", 2), 3);
  assert.equal(after("ArrowLeft", 0), 0);
  assert.equal(after("PageDown", 7), 9);
  assert.equal(after("PageUp", 7), 1);
  assert.equal(after("Home", 7), 0);
  assert.equal(after("End", 7), 9);
  assert.equal(after("Enter", 7), null);
  assert.equal(indexAfter("ArrowRight", 1, { ...cards, columns: 1 }), null, "in a table it scrolls");
});

test("a range is selected from the last slide to this one, and no other", () => {
  const order = ["a", "b", "c", "d", "e"];
  const selection = new Selection();
  selection.extend("b", order);
  assert.deepEqual(selection.ids, ["b"]);
  selection.extend("d", order);
  assert.deepEqual(selection.ids, ["b", "c", "d"]);
  selection.set("e", true);
  selection.set("d", false);
  selection.extend("b", order);
  assert.deepEqual(selection.ids, ["e"], "a range is unselected as well");
});

/** An API with these slides, which looks at `limit` of them for each page, and counts its requests. */
function fakeApi(slides, finds = () => true) {
  const api = {
    pages: 0,
    fetched: [],
    async listSlides(_, { limit, nextToken }) {
      api.pages += 1;
      const start = Number(nextToken ?? 0);
      const end = start + limit;
      return { items: slides.slice(start, end).filter(finds), nextToken: end < slides.length ? String(end) : null };
    },
    async getSlides(ids) {
      api.fetched.push(...ids);
      return ids.map((ImageID) => ({ ImageID, Version: 2 }));
    },
  };
  return api;
}

const many = Array.from({ length: 5000 }, (_, index) => ({ ImageID: `s${index}`, Version: 1 }));

test("empty pages are followed until a slide is found; nothing is found only at the end", async () => {
  const api = fakeApi(many, ({ ImageID }) => ImageID === "s4999");
  const records = new SlideRecords(api, EVERYTHING);
  const progress = [];
  await records.loadMore((lookedAt) => progress.push(lookedAt));
  assert.deepEqual(records.ids, ["s4999"]);
  assert.ok(records.complete);
  assert.ok(api.pages < 10, "pages grow");
  assert.equal(progress.length, api.pages - 1);
});

test("two requests for more are one, and a slide that moved is listed once", async () => {
  const api = fakeApi([...many.slice(0, 100), many[5], ...many.slice(100, 110)]);
  const records = new SlideRecords(api, EVERYTHING);
  await Promise.all([records.loadMore(), records.loadMore()]);
  assert.equal(api.pages, 1);
  await records.loadMore();
  assert.equal(records.ids.length, 110);
  assert.ok(records.complete);
  await records.loadMore();
  assert.equal(api.pages, 2);
});

test("records far from the screen are forgotten, and requested again", async () => {
  const api = fakeApi(many);
  const records = new SlideRecords(api, EVERYTHING);
  while (!records.complete) {
    await records.loadMore();
    records.trim(records.ids.length - 20, records.ids.length, (id) => id === "s7");
    assert.ok(records.slides.length <= 1001);
  }
  assert.equal(records.ids.length, 5000);
  assert.ok(records.get("s7"), "selected slides are kept");
  assert.equal(records.get("s100"), undefined);
  await records.fetch(["s100", "s101", "s7", "s4999"]);
  assert.deepEqual(api.fetched, ["s100", "s101"]);
  assert.equal(records.get("s100").Version, 2);
  assert.deepEqual(records.update([{ ImageID: "s100", Version: 1 }, { ImageID: "nobody" }]), [], "older, unknown");
});

test("the review goes through the list in its order, beyond what has been found", async () => {
  const api = fakeApi(many.slice(0, 70));
  const records = new SlideRecords(api, EVERYTHING);
  await records.loadMore();
  const queue = new Queue(records);
  assert.equal(await queue.neighbour("s0", -1), null);
  assert.equal(await queue.neighbour("s59", 1), "s60");
  assert.equal(await queue.neighbour("s69", 1), null);
  assert.equal(await queue.neighbour("nobody", 1), null);
});
