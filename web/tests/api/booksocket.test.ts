import { beforeEach, describe, expect, it } from "vitest";
import { applyLevels, BookSocket, PING_MS, SILENT_MS } from "../../src/api/booksocket";
import type { BookState, LinkStatus, MarketNews } from "../../src/api/feed/protocol";
import type { Level, Phase, QueuePlace } from "../../src/api/types";
import { clock, SAMSUNG } from "../support/market";
import { FakeSocket } from "../support/socket";
import { FakeTime } from "../support/time";

const level = (price: number, qty: number): Level => [price, qty, 1];

describe("levels", () => {
  it("are changed, added, deleted and kept in order", () => {
    const asks = [level(100, 5), level(101, 6), level(103, 7)];
    expect(applyLevels(asks, [level(101, 0), level(102, 9), level(100, 4)], "asks")).toEqual([
      level(100, 4),
      level(102, 9),
      level(103, 7),
    ]);
    const bids = [level(99, 5), level(97, 6)];
    expect(applyLevels(bids, [level(98, 1), level(97, 0)], "bids")).toEqual([level(99, 5), level(98, 1)]);
    expect(applyLevels(bids, [], "bids")).toBe(bids);
    expect(applyLevels(bids, [level(50, 0)], "bids")).toEqual(bids);
  });
});

describe("the book's socket", () => {
  let time: FakeTime;
  let links: LinkStatus[];
  let books: BookState[];
  let news: MarketNews[];
  let places: QueuePlace[][];
  let socket: BookSocket;
  const link = () => links.at(-1) as LinkStatus;
  const snapshot = (id: string, bids: Level[], asks: Level[], symbol = "005930") => ({
    ch: "book",
    id,
    prev: null,
    type: "snapshot",
    ts: null,
    data: { symbol, depth: 50, bids, asks },
  });
  const delta = (id: string, prev: string, bids: Level[], asks: Level[]) => ({
    ...snapshot(id, bids, asks),
    prev,
    type: "delta",
  });

  beforeEach(() => {
    FakeSocket.opened = [];
    time = new FakeTime();
    links = [];
    books = [];
    news = [];
    places = [];
    socket = new BookSocket({
      url: () => "ws://exchange.test/v1/ws",
      depth: 50,
      onBook: (book) => books.push(book),
      onMarket: (each) => news.push(each),
      onQueue: (each) => places.push(each),
      onLink: (status) => links.push(status),
      open: (url) => new FakeSocket(url),
      time,
      random: () => 0,
    });
  });

  const channelsOf = (wire: FakeSocket) =>
    wire.json.map(({ channels }) => (channels as { name: string }[] | undefined)?.[0]?.name);

  function open(): FakeSocket {
    socket.want(["005930"]);
    socket.start();
    FakeSocket.last.accept();
    return FakeSocket.last;
  }

  it("subscribes, takes the snapshot and then the deltas along prev", () => {
    const wire = open();
    expect(wire.json).toEqual([
      { op: "subscribe", id: "1", channels: [{ name: "book", symbols: ["005930"], depth: 50 }] },
      { op: "subscribe", id: "2", channels: [{ name: "market" }] },
    ]);
    wire.sayJson({ id: "1", status: 200, body: {} });
    wire.sayJson(snapshot("j-1-0", [level(99, 5)], [level(101, 6)]));
    wire.sayJson(delta("j-2-0", "j-1-0", [], [level(101, 0), level(102, 3)]));
    expect(books.at(-1)).toEqual({ symbol: "005930", id: "j-2-0", bids: [level(99, 5)], asks: [level(102, 3)] });
    expect(link().state).toBe("live");
  });

  it("asks for a new snapshot when a delta is missing, and shows nothing wrong meanwhile", () => {
    const wire = open();
    wire.sayJson(snapshot("j-1-0", [level(99, 5)], []));
    wire.sayJson(delta("j-3-0", "j-2-0", [level(98, 5)], []));
    wire.sayJson(delta("j-4-0", "j-3-0", [level(97, 5)], []));
    expect(books).toHaveLength(1);
    expect(wire.json.at(-1)).toMatchObject({ op: "subscribe", channels: [{ name: "book", symbols: ["005930"] }] });
    wire.sayJson(snapshot("j-4-0", [level(97, 5)], []));
    expect(books.at(-1)?.bids).toEqual([level(97, 5)]);
  });

  it("changes symbols on the open connection", () => {
    const wire = open();
    socket.want(["000660"]);
    expect(wire.json.slice(2).map(({ op, channels }) => [op, channels])).toEqual([
      ["unsubscribe", [{ name: "book", symbols: ["005930"], depth: 50 }]],
      ["subscribe", [{ name: "book", symbols: ["000660"], depth: 50 }]],
    ]);
    wire.sayJson(snapshot("j-5-0", [level(1, 1)], []));
    expect(books).toEqual([]);
  });

  describe("how instruments stand", () => {
    const told = (id: string, prev: string | null, phase: Phase, now: string | null = null) => ({
      ch: "market",
      id,
      prev,
      type: prev === null ? "snapshot" : "delta",
      ts: null,
      data: { symbols: [{ ...SAMSUNG, phase }], clock: now === null ? null : clock({ now }) },
    });

    it("comes as a snapshot and then as deltas along prev, with the clock as it was heard", () => {
      const wire = open();
      wire.sayJson(told("j-5-0", null, "continuous", "2026-11-23T01:00:00Z"));
      wire.sayJson(told("j-6-0", "j-5-0", "vi_auction"));
      expect(news.map(({ states, seq }) => [states[0]?.phase, seq])).toEqual([
        ["continuous", 5],
        ["vi_auction", 6],
      ]);
      expect(news[0]).toMatchObject({ clock: { now: "2026-11-23T01:00:00Z" }, at: time.now() });
      expect(news[1]?.clock).toBeNull();
    });

    it("is asked for anew when a delta is missing, and again by a new connection", async () => {
      const wire = open();
      wire.sayJson(told("j-4-0", "j-3-0", "halted")); // before any snapshot
      wire.sayJson(told("j-5-0", null, "continuous"));
      wire.sayJson(told("j-9-0", "j-8-0", "halted"));
      wire.sayJson(told("j-10-0", "j-9-0", "halted"));
      expect(news).toHaveLength(1);
      expect(channelsOf(wire).filter((name) => name === "market")).toHaveLength(2);
      wire.sayJson(told("j-10-0", null, "halted"));
      expect(news.at(-1)?.states[0]?.phase).toBe("halted");
      wire.hangUp();
      await time.pass(500);
      FakeSocket.last.accept();
      FakeSocket.last.sayJson(told("j-11-0", "j-10-0", "continuous"));
      expect(news).toHaveLength(2);
    });
  });

  it("asks for the places in the queue when somebody is logged in", () => {
    socket.setAccount(true, false);
    const wire = open();
    expect(wire.json.at(-1)).toMatchObject({ op: "subscribe", channels: [{ name: "queue" }] });
    const place = { order_id: 7, ahead_qty: 3, leaves_qty: 1, level_qty: 4, ahead_orders: 1 };
    wire.sayJson({
      ch: "queue",
      id: "j-1-0",
      prev: null,
      type: "positions",
      ts: null,
      data: { positions: [place], seq: 1 },
    });
    expect(places).toEqual([[place]]);
    socket.setAccount(true, false);
    expect(FakeSocket.opened).toHaveLength(1);
    socket.setAccount(true, true);
    expect(FakeSocket.opened).toHaveLength(2);
  });

  it("pings, and hangs up on silence", async () => {
    const wire = open();
    await time.pass(PING_MS);
    expect(wire.json.at(-1)).toMatchObject({ op: "ping" });
    wire.sayJson({ id: "2", status: 200 });
    await time.pass(SILENT_MS);
    expect(link().state).toBe("live");
    await time.pass(PING_MS);
    expect(links.slice(-2).map(({ state }) => state)).toEqual(["waiting", "connecting"]);
    expect(wire.closed).toBe(true);
  });

  it("comes back and subscribes again; old books are forgotten", async () => {
    const wire = open();
    wire.sayJson(snapshot("j-1-0", [level(99, 5)], []));
    wire.hangUp();
    expect(link()).toMatchObject({ state: "waiting", reason: "lost", retryAt: time.now() + 500 });
    await time.pass(500);
    FakeSocket.last.accept();
    expect(FakeSocket.opened).toHaveLength(2);
    expect(channelsOf(FakeSocket.last)).toEqual(["book", "market"]);
    expect(socket.book("005930")).toBeNull();
    FakeSocket.last.sayJson(delta("j-2-0", "j-1-0", [level(98, 1)], []));
    expect(books).toHaveLength(1);
  });

  it("is the public's again when the session ends", async () => {
    socket.setAccount(true, false);
    const wire = open();
    wire.hangUp(4009);
    expect(link().reason).toBe("session_ended");
    await time.pass(500);
    FakeSocket.last.accept();
    expect(channelsOf(FakeSocket.last)).toEqual(["book", "market"]);
  });

  it("passes over what it does not understand", () => {
    const wire = open();
    wire.say("{");
    wire.sayJson({ ch: "news", data: {} });
    wire.sayJson(snapshot("j-1-0", [], [], "999999"));
    expect(books).toEqual([]);
    expect(link().state).toBe("live");
  });
});
