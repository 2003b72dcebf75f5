// The live connection: the protocol, what ends a connection, and when the next one follows.
import assert from "node:assert/strict";
import { afterEach, beforeEach, test } from "node:test";

import { RequestError } from "../../web/src/api/errors.js";
import { Live } from "../../web/src/api/live.js";
import { LiveRecords } from "../../web/src/live-records.js";
import { Watch } from "../../web/src/watch.js";

// Every browser has it; Node only since version 19.
globalThis.CustomEvent ??= class extends Event {
  constructor(type, { detail }) {
    super(type);
    this.detail = detail;
  }
};

const CONFIG = {
  graphqlUrl: "https://api.example.org/graphql",
  liveUrl: "wss://live.example.org/graphql",
};
const token = (number) =>
  ["{}", JSON.stringify({ iat: 1000, exp: 4600, number }), ""]
    .map((part) => Buffer.from(part).toString("base64url"))
    .join(".");

let sockets;
let tokens;
let events;
let live;

class Socket extends EventTarget {
  sent = [];
  closed = false;

  constructor(url, protocols) {
    super();
    Object.assign(this, { url: String(url), protocols });
    sockets.push(this);
  }

  send(text) {
    assert.equal(this.closed, false);
    this.sent.push(JSON.parse(text));
  }

  close() {
    this.closed = true;
    this.dispatchEvent(new Event("close"));
  }

  says(message) {
    this.dispatchEvent(Object.assign(new Event("message"), { data: JSON.stringify(message) }));
  }

  /** Accept the connection and its subscription. */
  accept() {
    this.dispatchEvent(new Event("open"));
    this.says({ type: "connection_ack", payload: { connectionTimeoutMs: 300_000 } });
    this.says({ type: "start_ack", id: this.sent.at(-1).id });
  }
}

/** Timers that move on request. Node.js 18 and 20 mock them in different ways. */
const clock = {
  real: { setTimeout, clearTimeout },
  install() {
    this.now = 0;
    this.timers = new Map();
    globalThis.setTimeout = (run, ms) => {
      const id = Symbol("timer");
      this.timers.set(id, { run, at: this.now + ms });
      return id;
    };
    globalThis.clearTimeout = (id) => this.timers.delete(id);
  },
  reset() {
    Object.assign(globalThis, this.real);
  },
  advance(ms) {
    this.now += ms;
    for (const [id, { run, at }] of [...this.timers]) if (at <= this.now && this.timers.delete(id)) run();
  },
};

/** Let promises settle. */
const settle = async () => {
  for (let turn = 0; turn < 10; turn += 1) await Promise.resolve();
};
const tick = async (ms) => {
  clock.advance(ms);
  await settle();
};

beforeEach(async () => {
  clock.install();
  sockets = [];
  events = [];
  tokens = {
    number: 1,
    idToken: async () => token(tokens.number),
    renewed: async (refused) => {
      if (refused === token(tokens.number)) tokens.number += 1;
      return token(tokens.number);
    },
  };
  live = new Live(CONFIG, tokens, { WebSocket: Socket, random: () => 1 });
  for (const type of ["change", "connected", "lost"]) {
    live.addEventListener(type, ({ detail }) => events.push([type, detail]));
  }
  live.start();
  await settle();
});

afterEach(() => {
  live.stop();
  clock.reset();
});

test("it connects with the token in a sub-protocol, and subscribes", () => {
  const [socket] = sockets;
  assert.equal(socket.url, CONFIG.liveUrl);
  assert.equal(socket.protocols[0], "graphql-ws");
  const header = JSON.parse(Buffer.from(socket.protocols[1].replace("header-", ""), "base64url"));
  assert.deepEqual(header, { Authorization: token(1), host: "api.example.org" });
  assert.match(socket.protocols[1], /^header-[\w-]+$/, "characters that a sub-protocol may have");

  socket.accept();
  assert.deepEqual(socket.sent[0], { type: "connection_init" });
  const { type, payload } = socket.sent[1];
  assert.equal(type, "start");
  assert.match(JSON.parse(payload.data).query, /onSlideChange/);
  assert.deepEqual(payload.extensions.authorization, header);
  assert.deepEqual(events, [["connected", { again: false }]]);
  assert.equal(live.connected, true);
});

test("changes are told, and other messages are ignored", () => {
  const [socket] = sockets;
  socket.accept();
  const change = { ImageID: "1", Version: 2 };
  socket.says({ type: "data", id: "1", payload: { data: { onSlideChange: change } } });
  socket.says({ type: "data", id: "1", payload: { data: { onSlideChange: null }, errors: [{}] } });
  socket.says({ type: "something new" });
  socket.dispatchEvent(Object.assign(new Event("message"), { data: "no JSON" }));
  assert.deepEqual(events.slice(1), [["change", change]]);
});

test("an address without a host is the page's own", async () => {
  live = new Live({ graphqlUrl: "/graphql", liveUrl: "/graphql/realtime" }, tokens, {
    WebSocket: Socket,
    base: "http://localhost:8000/#slide=1",
  });
  live.start();
  await settle();
  assert.equal(sockets[1].url, "ws://localhost:8000/graphql/realtime");
});

test("without an address there is no connection", async () => {
  live = new Live({ graphqlUrl: CONFIG.graphqlUrl }, tokens, { WebSocket: Socket });
  live.start();
  await settle();
  assert.equal(sockets.length, 1, "that of the test before");
});

test("a lost connection is told once, and the next one says that changes may have been missed", async () => {
  sockets[0].accept();
  sockets[0].close();
  assert.deepEqual(events.at(-1), ["lost", null]);
  await tick(999);
  assert.equal(sockets.length, 1);
  await tick(1);
  sockets[1].accept();
  assert.deepEqual(events.at(-1), ["connected", { again: true }]);
  assert.equal(events.filter(([type]) => type === "lost").length, 1);
});

test("the pauses grow up to five minutes while no connection comes about", async () => {
  const pauses = [];
  for (let attempt = 0; attempt < 11; attempt += 1) {
    sockets.at(-1).close();
    let waited = 0;
    for (const before = sockets.length; sockets.length === before; waited += 500) await tick(500);
    pauses.push(waited / 1000);
  }
  assert.deepEqual(pauses, [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300]);
  assert.deepEqual(events, [], "nothing was lost");

  sockets.at(-1).accept();
  sockets.at(-1).close();
  const before = sockets.length;
  await tick(1_000);
  assert.equal(sockets.length, before + 1, "a connection resets the pause");
});

test("when the network is there again it does not wait", async () => {
  for (let attempt = 0; attempt < 6; attempt += 1) {
    sockets.at(-1).close();
    await tick(64_000);
  }
  sockets.at(-1).close();
  const before = sockets.length;
  live.hurry();
  live.hurry();
  await settle();
  assert.equal(sockets.length, before + 1);
});

test("a connection without a sign of life is given up", async () => {
  sockets[0].accept();
  for (let minute = 0; minute < 20; minute += 1) {
    await tick(60_000);
    sockets[0].says({ type: "ka" });
  }
  assert.equal(sockets[0].closed, false);
  await tick(300_000);
  assert.equal(sockets[0].closed, true);
  assert.equal(events.at(-1)[0], "lost");
});

test("a handshake that stalls is given up", async () => {
  await tick(15_000);
  assert.equal(sockets[0].closed, true);
  sockets[0].dispatchEvent(new Event("close"));
  await tick(1_000);
  assert.equal(sockets.length, 2, "one attempt follows, not two");
});

test("a refused token is replaced for the next attempt", async () => {
  sockets[0].dispatchEvent(new Event("open"));
  sockets[0].says({ type: "connection_error", payload: { errors: [{ errorType: "UnauthorizedException" }] } });
  sockets[0].close();
  await tick(1_000);
  const header = JSON.parse(Buffer.from(sockets[1].protocols[1].slice(7), "base64url"));
  assert.equal(header.Authorization, token(2));
  assert.equal(sockets.length, 2);
});

test("a subscription with a new token replaces that of the old one, without a gap", async () => {
  const [socket] = sockets;
  socket.accept();
  for (let minute = 0; minute < 60; minute += 1) {
    socket.says({ type: "ka" });
    await tick(60_000);
  }
  const start = socket.sent.at(-1);
  assert.equal(start.type, "start");
  assert.equal(start.payload.extensions.authorization.Authorization, token(2));
  socket.says({ type: "start_ack", id: start.id });
  assert.deepEqual(socket.sent.at(-1), { id: "1", type: "stop" });
  assert.equal(socket.closed, false);
  assert.deepEqual(events, [["connected", { again: false }]]);
});

test("who is signed out is told of nothing more", async () => {
  tokens.renewed = tokens.idToken = async () => {
    throw new RequestError("signed-out", "Please sign in again.");
  };
  sockets[0].accept();
  for (let minute = 0; minute < 60; minute += 1) {
    sockets[0].says({ type: "ka" });
    await tick(60_000);
  }
  assert.equal(sockets[0].closed, true);
  await tick(600_000);
  assert.equal(sockets.length, 1);
});

test("it ends when it is stopped, and after five minutes out of sight", async () => {
  sockets[0].accept();
  live.show(false);
  await tick(299_999);
  sockets[0].says({ type: "ka" });
  live.show(true);
  await tick(1);
  assert.equal(sockets[0].closed, false);
  live.show(false);
  await tick(150_000);
  sockets[0].says({ type: "ka" });
  assert.equal(sockets[0].closed, false);
  await tick(150_000);
  assert.equal(sockets[0].closed, true);
  await tick(600_000);
  assert.equal(sockets.length, 1);
  live.show(true);
  await settle();
  sockets[1].accept();
  assert.deepEqual(events.at(-1), ["connected", { again: true }]);
});

// Records that follow

const shown = (number, more) => ({
  ImageID: String(number),
  Version: 3,
  Status: "NEW",
  ImportStatus: "IMPORTED",
  ...more,
});

function follow(slides) {
  const told = { requests: [], updates: [], arrived: [], missed: 0 };
  const source = new EventTarget();
  const api = {
    getSlides: async (imageIds) => {
      told.requests.push(imageIds);
      if (told.fails) throw new RequestError("network", "no answer");
      return imageIds.map((imageId) => shown(imageId, { Version: 4 }));
    },
  };
  const records = new LiveRecords(source, api, {
    shown: () => slides,
    update: (updated) => told.updates.push(...updated),
    arrived: (imageIds) => told.arrived.push(...imageIds),
    missed: () => (told.missed += 1),
  });
  const emit = (type, detail) => source.dispatchEvent(new CustomEvent(type, { detail }));
  return { told, emit, records };
}

test("the records of all slides that changed within a second are read at once", async () => {
  const { told, emit } = follow([shown(1), shown(2), shown(3)]);
  emit("change", { ImageID: "1", Version: 4 });
  await tick(500);
  emit("change", { ImageID: "2", Version: 4 });
  emit("change", { ImageID: "1", Version: 5 });
  emit("change", { ImageID: "99", Version: 7 });
  await tick(500);
  assert.deepEqual(told.requests, [["1", "2"]], "and none of slides that are not shown");
  assert.deepEqual(
    told.updates.map(({ ImageID }) => ImageID),
    ["1", "2"],
  );
  assert.deepEqual(told.arrived, []);
});

test("progress is shown without a request", async () => {
  const importing = shown(1, { ImportStatus: "IMPORTING", TilesRendered: 10, TilesTotal: 90, SlideID: "S1" });
  const { told, emit } = follow([importing]);
  const { ImageID, Version, Status, ImportStatus, TilesTotal } = importing;
  emit("change", { ImageID, Version, Status, ImportStatus, TilesRendered: 50, TilesTotal });
  await tick(1_000);
  assert.deepEqual(told.requests, []);
  assert.deepEqual(told.updates, [{ ...importing, TilesRendered: 50 }]);
  emit("change", { ImageID, Version, Status, ImportStatus: "IMPORTED", TilesRendered: 90, TilesTotal });
  await tick(1_000);
  assert.deepEqual(told.requests, [["1"]]);
});

test("new slides are announced, deleted and older ones are not", async () => {
  const { told, emit } = follow([]);
  emit("change", { ImageID: "1", Version: 1, Status: "NEW" });
  emit("change", { ImageID: "2", Version: 2, Status: "DELETED" });
  emit("change", { ImageID: "3", Version: 9, Status: "GOOD" });
  emit("change", { ImageID: "4", Version: 2, Status: "NEW" });
  await tick(1_000);
  assert.deepEqual(told.arrived, ["1", "4"]);
});

test("after a reconnection everything that is shown is read again, a hundred at once", async () => {
  const { told, emit } = follow(Array.from({ length: 150 }, (_, number) => shown(number)));
  emit("connected", { again: false });
  await tick(1_000);
  assert.deepEqual(told.requests, []);
  emit("connected", { again: true });
  await tick(1_000);
  await settle();
  assert.deepEqual(
    told.requests.map((imageIds) => imageIds.length),
    [100, 50],
  );
  assert.equal(told.missed, 1);
});

test("a failed request leaves what is shown, and what comes later is read", async () => {
  const { told, emit } = follow([shown(1)]);
  told.fails = true;
  emit("change", { ImageID: "1", Version: 4 });
  await tick(1_000);
  assert.deepEqual(told.updates, []);
  told.fails = false;
  emit("change", { ImageID: "1", Version: 5 });
  await tick(1_000);
  assert.equal(told.updates.length, 1);
});

test("after the sign-out nothing is read", async () => {
  const { told, emit, records } = follow([shown(1)]);
  emit("change", { ImageID: "1", Version: 4 });
  records.clear();
  await tick(2_000);
  assert.deepEqual(told.requests, []);
});

test("polling slows down while the connection tells of changes", async () => {
  const requests = [];
  const api = { live: { connected: false }, getSlides: async (imageIds) => requests.push(imageIds) && [] };
  const watch = new Watch(
    api,
    () => [shown(1, { ImportStatus: "IMPORTING" })],
    () => {},
  );
  watch.start();
  await tick(5_000);
  assert.equal(requests.length, 1);
  api.live.connected = true;
  watch.start();
  await tick(59_999);
  assert.equal(requests.length, 1);
  await tick(1);
  assert.equal(requests.length, 2);
  watch.stop();
});
