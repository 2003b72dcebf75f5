// The review's rules, the texts of the history, and polling.
import assert from "node:assert/strict";
import { test } from "node:test";

import { entryOf } from "../../web/src/review/changes.js";
import { describe, sentence } from "../../web/src/api/errors.js";
import { removalState, removalTitle } from "../../web/src/review/removal.js";
import { isInProgress } from "../../web/src/record.js";
import {
  caseOf,
  contradictsBarcode,
  editOf,
  followsSlideId,
  idOf,
  nextStatuses,
  notSendable,
  rebase,
  removals,
} from "../../web/src/review/review.js";
import { Watch } from "../../web/src/watch.js";

const SLIDE = { ImageID: "1", SlideID: "S-1-A", CaseID: "S-1", Status: "NEW", ImportStatus: "IMPORTED", Version: 3 };
const typed = (SlideID, CaseID) => ({ SlideID, CaseID });

test("a slide is sent once it is good, imported and identified", () => {
  const good = { ...SLIDE, Status: "GOOD" };
  assert.deepEqual(nextStatuses(good), ["BAD", "SEND", "NEW"]);
  assert.deepEqual(nextStatuses({ ...good, CaseID: null }), ["BAD", "NEW"]);
  assert.equal(notSendable({ ...good, CaseID: null }), "It can be sent once it has a case ID.");
  assert.equal(
    notSendable({ ...good, SlideID: null, CaseID: null }),
    "It can be sent once it has a slide ID and a case ID.",
  );
  assert.match(notSendable({ ...good, ImportStatus: "IMPORTING" }), /import is complete/);
  assert.equal(notSendable(good), null);
  assert.equal(notSendable({ ...SLIDE, CaseID: null }), null, "nobody asked to send it yet");
  assert.deepEqual(nextStatuses({ ...SLIDE, Status: null }), ["GOOD", "BAD"], "an old record without a status");
});

test("while a slide is being removed no operation is possible; afterwards those that make sense", () => {
  const removal = (Operation, State) => ({ ...SLIDE, Removal: { Operation, State, Error: "it broke" } });
  for (const operation of ["DELETE", "TRANSFER", "RESTORE"]) {
    assert.deepEqual(removals(removal(operation, "REQUESTED")), []);
    assert.deepEqual(nextStatuses(removal(operation, "REQUESTED")), []);
    assert.ok(isInProgress(removal(operation, "REQUESTED")));
  }
  assert.deepEqual(removals(removal("DELETE", "FAILED")), ["DELETE"]);
  assert.deepEqual(removals(removal("TRANSFER", "FAILED")), ["TRANSFER", "DELETE"]);
  assert.deepEqual(removals(SLIDE), ["TRANSFER", "DELETE"]);
  assert.deepEqual(removals({ ...SLIDE, ImportStatus: "FAILED" }), ["DELETE"]);
  assert.deepEqual(removals({ ...SLIDE, ImportStatus: "IMPORTING" }), []);
  assert.deepEqual(removals({ ...SLIDE, Status: "TRANSFERRED" }), ["RESTORE", "DELETE"]);
  assert.deepEqual(removals({ ...SLIDE, Status: "DELETED" }), []);
  assert.deepEqual(removalState(removal("TRANSFER", "FAILED")), {
    state: "failed",
    text: "Archiving failed. It broke.",
  });
  assert.equal(removalState(removal("DELETE", "REQUESTED")).text, "Being deleted…");
  assert.equal(removalState(SLIDE), null);
  assert.equal(removalTitle("DELETE", [SLIDE]), "Delete “S-1-A”");
  assert.equal(removalTitle("RESTORE", [SLIDE, SLIDE]), "Restore 2 slides");
});

test("the case ID follows the slide ID unless the record has another", () => {
  assert.equal(caseOf("S-1-A"), "S-1");
  assert.equal(caseOf("S1"), "S1");
  assert.ok(followsSlideId(SLIDE));
  assert.ok(followsSlideId({ ...SLIDE, CaseID: null }));
  assert.ok(!followsSlideId({ ...SLIDE, CaseID: "X" }));
});

test("a slide ID contradicts a barcode that does not have it", () => {
  const slide = { ...SLIDE, Barcode: { text: "LAB7*s-1-a", reason: null } };
  assert.ok(!contradictsBarcode(slide, "S-1-A"));
  assert.ok(contradictsBarcode(slide, "S-2-A"));
  assert.ok(!contradictsBarcode({ ...SLIDE, Barcode: { text: null, reason: "none" } }, "S-2-A"));
});

test("an edit has the changed fields, without surrounding blanks; an empty field is removed", () => {
  assert.deepEqual(editOf(SLIDE, typed(" S-1-A ", "S-1")), {});
  assert.deepEqual(editOf(SLIDE, typed("S-2-A", "  ")), { SlideID: "S-2-A", CaseID: null });
  assert.deepEqual(editOf(SLIDE, typed("S-1-A", "S-1"), "GOOD"), { Status: "GOOD" });
  assert.deepEqual(editOf({ ...SLIDE, SlideID: null }, typed("", "S-1"), "NEW"), {});
  assert.equal(idOf("e\u0301"), "\u00e9", "composed, as the server keeps it");
});

test("somebody else's change: edited fields stay, others follow it, and the differences are listed", () => {
  const mine = typed("S-9-A", "S-1");
  assert.deepEqual(rebase(SLIDE, mine, { ...SLIDE, Version: 4 }), { typed: mine, differences: [] });
  assert.deepEqual(rebase(SLIDE, mine, { ...SLIDE, SlideID: "S-2-A", CaseID: "S-2", Status: "BAD" }, "GOOD"), {
    typed: typed("S-9-A", "S-2"),
    differences: [
      { field: "SlideID", now: "S-2-A", mine: "S-9-A" },
      { field: "CaseID", now: "S-2" },
      { field: "Status", now: "BAD", mine: "GOOD" },
    ],
  });
  const same = rebase(
    SLIDE,
    typed(" S-9-A", ""),
    { ...SLIDE, SlideID: "S-9-A", CaseID: undefined, Status: "GOOD" },
    "GOOD",
  );
  assert.deepEqual(same, { typed: typed("S-9-A", ""), differences: [] }, "both made the same changes");
  const emptied = rebase(SLIDE, typed("", "S-1"), { ...SLIDE, SlideID: "S-2-A" });
  assert.deepEqual(emptied.differences, [{ field: "SlideID", now: "S-2-A", mine: null }]);
});

test("a change is shown with action, person, old and new values", () => {
  const change = (By, Action, ...Changes) => entryOf({ Version: 2, At: "2024-05-17T10:00:00Z", By, Action, Changes });
  const field = (Field, From, To) => ({ Field, From, To });
  assert.deepEqual(change("ann", "EDIT", field("Status", "NEW", "GOOD"), field("SlideID", "7", "S-7-A")).lines, [
    "Slide ID: from “7” to “S-7-A”",
    "Status: from New to Good",
  ]);
  const bad = [field("ReviewReason", "LABEL", "OUT_OF_FOCUS"), field("ReviewNote", null, "left half")];
  assert.deepEqual(change("ann", "EDIT", ...bad).lines, [
    "Reason: from Label to Out of focus",
    "Note: from none to “left half”",
  ]);
  const removal = (State, Error) => JSON.stringify({ Operation: "TRANSFER", State, Error });
  assert.deepEqual(change("ann", "TRANSFER", field("Removal", null, removal("REQUESTED"))).lines, [
    "Archiving requested",
  ]);
  assert.deepEqual(
    change("removal", "TRANSFER", field("Removal", removal("REQUESTED"), removal("FAILED", "no room"))).lines,
    ["Archiving failed: no room"],
  );
  assert.deepEqual(change("ann", "TRANSFER", field("Removal", removal("REQUESTED"), null)).lines, [
    "Archiving finished",
  ]);
  const sent = change("cdr", "SEND", field("Sent", null, '{"Receipt": "r-1"}'), field("Odd", null, "{"));
  assert.equal(sent.who, "the system");
  assert.equal(change("ann", "EDIT").who, "ann");
  assert.deepEqual(sent.lines, ["CDR receipt: r-1"]);
  assert.deepEqual(sent.rest, ["Odd: from none to “{”"]);
  assert.deepEqual(change("x", "NOVEL", field("Removal", "no JSON", null)).lines, ["Removal finished"]);
});

test("a server's message becomes a sentence", () => {
  assert.equal(sentence("the slide is deleted"), "The slide is deleted.");
  assert.equal(sentence("Why?"), "Why?");
  assert.equal(describe(new Error("x")).detail, "x");
});

test("slides in progress are polled, less often while nothing changes, until they are done", async (context) => {
  const apis = ["setTimeout"];
  context.mock.timers.enable(parseInt(process.versions.node) < 20 ? apis : { apis });
  const settled = () => new Promise((resolve) => setImmediate(resolve));
  let record = { ...SLIDE, Status: "SEND" };
  let known = [record, { ...SLIDE, ImageID: "2" }];
  let asked = 0;
  const api = {
    getSlides: async (ids) => {
      assert.deepEqual(ids, ["1"]);
      asked += 1;
      if (asked === 2) throw new Error("no network");
      return [record];
    },
  };
  const watch = new Watch(
    api,
    () => known,
    (slides) => (known = slides),
  );
  watch.start();
  const pass = async (ms) => {
    context.mock.timers.tick(ms);
    await settled();
  };
  await pass(5_000);
  assert.equal(asked, 1);
  await pass(7_499);
  assert.equal(asked, 1);
  await pass(1);
  assert.equal(asked, 2);
  record = { ...record, Status: "SENT" };
  await pass(60_000);
  assert.equal(asked, 3);
  assert.equal(known[0].Status, "SENT");
  await pass(600_000);
  assert.equal(asked, 3);
});
