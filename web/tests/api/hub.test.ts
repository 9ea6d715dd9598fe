import { beforeEach, describe, expect, it } from "vitest";
import { FeedHub, FLUSH_MS, indicationOf, tickOf, tradeTime } from "../../src/api/feed/hub";
import type { FromFeed, MarketNews, ToFeed } from "../../src/api/feed/protocol";
import { decodeFrame } from "../../src/api/kis/codec";
import type { BookRecord, TradeRecord } from "../../src/api/kis/layouts";
import { clock, HYNIX, SAMSUNG } from "../support/market";
import { BOOK_FRAME, TRADE_FRAME } from "../support/samples";
import { FakeSocket } from "../support/socket";
import { FakeTime, settle } from "../support/time";

const HELLO: ToFeed = { kind: "hello", language: "ko", csrfToken: "t", accountId: 5 };
const OK = JSON.stringify({
  header: { tr_id: "H0STCNT0", tr_key: "005930" },
  body: { rt_cd: "0", msg_cd: "OPSP0000" },
});

class Tab {
  readonly heard: FromFeed[] = [];
  readonly take: (message: ToFeed) => void;

  constructor(hub: FeedHub) {
    this.take = hub.connect((message) => this.heard.push(message)).take;
  }

  of<Kind extends FromFeed["kind"]>(kind: Kind): Extract<FromFeed, { kind: Kind }>[] {
    return this.heard.filter((message) => message.kind === kind) as Extract<FromFeed, { kind: Kind }>[];
  }
}

let time: FakeTime;
let hub: FeedHub;
let streams: number;
let approvals: number;

/** A server that gives approvals and opens streams that say hello. */
function serve(url: string): Promise<Response> {
  if (url.endsWith("/v1/kis/approval")) {
    approvals += 1;
    const approval = { approval_key: `k${approvals}`, url: null, mode: "simulator", layout: "new", registrations: 41 };
    return Promise.resolve(Response.json(approval));
  }
  streams += 1;
  const body = new ReadableStream<Uint8Array>({
    start: (controller) => controller.enqueue(new TextEncoder().encode("retry: 1000\nid:j1-40-0\n\n")),
  });
  return Promise.resolve(new Response(body, { headers: { "Onseju-Seq": "40" } }));
}

async function breathe(): Promise<void> {
  for (let turn = 0; turn < 5; turn += 1) {
    await new Promise((resolve) => setImmediate(resolve));
    await settle();
  }
}

const socket = (part: string) => {
  const found = FakeSocket.opened.filter(({ url, closed }) => url.includes(part) && !closed).at(-1);
  if (found === undefined) throw new Error(`no open socket to ${part}`);
  return found;
};

const requestsOf = (wire: FakeSocket) => wire.json.map(({ header }) => (header as { tr_type: string }).tr_type);

beforeEach(() => {
  FakeSocket.opened = [];
  time = new FakeTime();
  streams = approvals = 0;
  hub = new FeedHub({
    origin: "http://exchange.test",
    sleepMs: 15_000,
    fetch: (url) => serve(url),
    openSocket: (url) => new FakeSocket(url),
    time,
    random: () => 0,
  });
});

async function opened(): Promise<Tab> {
  const tab = new Tab(hub);
  tab.take(HELLO);
  tab.take({ kind: "watch", symbols: ["005930", "000660"], selected: "005930" });
  await breathe();
  socket("/tryitout").accept();
  socket("/v1/ws").accept();
  socket("/tryitout").say(OK);
  return tab;
}

describe("one feed for all tabs", () => {
  it("opens one of each, and tells every tab", async () => {
    const first = await opened();
    const second = new Tab(hub);
    second.take(HELLO);
    second.take({ kind: "watch", symbols: ["005930", "000660"], selected: "000660" });
    await breathe();
    expect([streams, approvals, FakeSocket.opened.length]).toEqual([1, 1, 2]);
    expect(second.of("account-open")).toEqual([
      { kind: "account-open", accountId: 5, resumed: false, head: 40, lastId: "j1-40-0" },
    ]);
    socket("/tryitout").say(TRADE_FRAME);
    await time.pass(FLUSH_MS);
    expect(first.of("ticks")).toHaveLength(1);
    expect(second.of("ticks")).toHaveLength(1);
    const states = second.of("link").map(({ status }) => [status.name, status.state]);
    expect(states).toContainEqual(["kis", "live"]);
    expect(states).toContainEqual(["book", "live"]);
  });

  it("registers what any tab looks at, the selected ones first", async () => {
    await opened();
    const second = new Tab(hub);
    second.take({ kind: "watch", symbols: ["005930", "000660"], selected: "000660" });
    const wanted = socket("/tryitout").json.map((message) => (message["body"] as { input: object }).input);
    expect(wanted).toEqual([
      { tr_id: "H0STCNT0", tr_key: "005930" },
      { tr_id: "H0STASP0", tr_key: "005930" },
      { tr_id: "H0STCNT0", tr_key: "000660" },
      { tr_id: "H0STASP0", tr_key: "000660" },
    ]);
    second.take({ kind: "bye" });
    const last = socket("/tryitout").json.at(-1) as { header: { tr_type: string }; body: { input: object } };
    expect([last.header.tr_type, last.body.input]).toEqual(["2", { tr_id: "H0STASP0", tr_key: "000660" }]);
  });

  it("gathers frames and hands them on about thirty times a second", async () => {
    const tab = await opened();
    for (let frame = 0; frame < 50; frame += 1) socket("/tryitout").say(TRADE_FRAME);
    socket("/tryitout").say(BOOK_FRAME);
    expect(tab.of("ticks")).toHaveLength(0);
    await time.pass(FLUSH_MS);
    expect(tab.of("ticks")).toHaveLength(1);
    expect(tab.of("ticks")[0]?.latest).toHaveLength(1);
    expect(tab.of("ticks")[0]?.trades).toHaveLength(50);
    expect(tab.of("indication")).toHaveLength(1);
  });

  it("hands on how instruments stand, newest first known, and tells a later tab all of it", async () => {
    const tab = await opened();
    const told = (symbols: object[], id: string, prev: string | null, at: string | null) =>
      socket("/v1/ws").sayJson({
        ch: "market",
        id,
        prev,
        type: prev === null ? "snapshot" : "delta",
        ts: null,
        data: { symbols, clock: at === null ? null : clock({ now: at }) },
      });
    told([SAMSUNG, HYNIX], "j-5-0", null, "2026-11-23T01:00:00Z");
    told([{ ...SAMSUNG, phase: "vi_auction" }], "j-6-0", "j-5-0", null);
    expect(tab.of("market")).toHaveLength(0);
    await time.pass(FLUSH_MS);
    const phases = (news: MarketNews | undefined) => news?.states.map(({ symbol, phase }) => [symbol, phase]);
    const whole = [
      ["005930", "vi_auction"],
      ["000660", "continuous"],
    ];
    expect(tab.of("market").map(({ news }) => phases(news))).toEqual([whole]);
    expect(tab.of("market")[0]?.news).toMatchObject({ seq: 6, clock: { now: "2026-11-23T01:00:00Z" } });
    told([{ ...HYNIX, phase: "halted" }], "j-7-0", "j-6-0", null);
    await time.pass(FLUSH_MS);
    expect(phases(tab.of("market").at(-1)?.news)).toEqual([["000660", "halted"]]);
    const second = new Tab(hub);
    second.take({ kind: "alive" });
    expect(phases(second.of("market")[0]?.news)).toEqual([whole[0], ["000660", "halted"]]);
    socket("/v1/ws").hangUp();
    const third = new Tab(hub);
    third.take({ kind: "alive" });
    expect(third.of("market")).toHaveLength(0);
  });

  it("gives a tab that comes later the prices that are live, and none that are not", async () => {
    await opened();
    socket("/tryitout").say(TRADE_FRAME);
    await time.pass(FLUSH_MS);
    const second = new Tab(hub);
    second.take({ kind: "alive" });
    expect(second.of("ticks")).toHaveLength(1);
    socket("/tryitout").hangUp();
    const third = new Tab(hub);
    third.take({ kind: "alive" });
    expect(third.of("ticks")).toHaveLength(0);
  });
});

it("a tab that left and comes back gets what it looked at", async () => {
  const tab = await opened();
  tab.take({ kind: "bye" });
  expect(
    requestsOf(socket("/tryitout"))
      .slice(-3)
      .every((type) => type === "2"),
  ).toBe(true);
  tab.take({ kind: "alive" });
  expect(requestsOf(socket("/tryitout")).slice(-3)).toEqual(["1", "1", "1"]);
});

describe("sessions", () => {
  it("without one there is the public book and no KIS", async () => {
    const tab = new Tab(hub);
    tab.take({ ...HELLO, csrfToken: null, accountId: null });
    tab.take({ kind: "watch", symbols: ["005930"], selected: "005930" });
    await breathe();
    expect([streams, approvals]).toEqual([0, 0]);
    socket("/v1/ws").accept();
    const channels = socket("/v1/ws").json.map((message) => (message["channels"] as { name: string }[])[0]?.name);
    expect(channels).toEqual(["book", "market"]);
  });

  it("another one begins everything anew, and every tab hears of it", async () => {
    const first = await opened();
    const second = new Tab(hub);
    second.take({ ...HELLO, csrfToken: "other", accountId: 6 });
    await breathe();
    expect([streams, approvals]).toEqual([2, 2]);
    expect(first.of("account-open").at(-1)).toMatchObject({ accountId: 6, resumed: false });
    second.take({ ...HELLO, csrfToken: null, accountId: null });
    expect(first.of("account-open").at(-1)).toMatchObject({ accountId: null });
  });
});

describe("a server that was away", () => {
  it("is found again by all connections when one has found it", async () => {
    await opened();
    for (let turn = 0; turn < 6; turn += 1) {
      for (const part of ["/tryitout", "/v1/ws"])
        FakeSocket.opened
          .filter(({ url }) => url.includes(part))
          .at(-1)
          ?.hangUp();
      await time.pass(4_000);
    }
    const before = FakeSocket.opened.filter(({ url }) => url.includes("/tryitout")).length;
    socket("/tryitout").hangUp();
    socket("/v1/ws").accept();
    await breathe();
    expect(FakeSocket.opened.filter(({ url }) => url.includes("/tryitout"))).toHaveLength(before + 1);
    socket("/tryitout").accept();
    socket("/tryitout").hangUp();
    await breathe();
    expect(FakeSocket.opened.filter(({ url }) => url.includes("/tryitout"))).toHaveLength(before + 1);
  });
});

describe("sleep", () => {
  it("connects everything anew and says so", async () => {
    const tab = await opened();
    await time.pass(20_000);
    expect(tab.of("woke")).toHaveLength(0);
    await time.sleep(3_600_000);
    await breathe();
    expect(tab.of("woke")).toHaveLength(1);
    expect(tab.of("woke")[0]?.sleptMs).toBeGreaterThan(3_500_000);
    const kis = tab.of("link").filter(({ status }) => status.name === "kis");
    expect(kis.at(-1)?.status.state).toBe("connecting");
    expect([streams, approvals]).toEqual([2, 1]);
  });
});

describe("records as the page takes them", () => {
  const trade = decodeFrame(TRADE_FRAME).records[0] as TradeRecord;
  const book = decodeFrame(BOOK_FRAME).records[0] as BookRecord;

  it("a trade has its Korean day and second", () => {
    const tick = tickOf(trade, 0);
    expect(new Date(tick.at).toISOString()).toBe("2023-06-12T00:33:54.000Z");
    expect(tick).toMatchObject({
      symbol: "005930",
      price: 71900,
      qty: 1,
      taker: "buy",
      volume: 3052507,
      halted: false,
    });
    expect(tickOf({ ...trade, taker: "3" }, 0).taker).toBeNull();
  });

  it("a trade without a day is of today in Korea", () => {
    const now = Date.parse("2026-11-23T16:00:00Z");
    expect(new Date(tradeTime("", "010203", now)).toISOString()).toBe("2026-11-23T16:02:03.000Z");
    expect(tradeTime("20261399", "010203", now)).toBe(now);
  });

  it("a zero indicative price is none", () => {
    expect(indicationOf(book)).toMatchObject({ expectedPrice: null, expectedQty: null, totalAsk: 1159362 });
    expect(indicationOf({ ...book, expected_price: 71400, expected_qty: 9 })).toMatchObject({ expectedPrice: 71400 });
  });
});
