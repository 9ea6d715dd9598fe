import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { AccountEvent, Clock, InstrumentState, OrderView } from "../../src/api/types";
import type { Tick } from "../../src/api/feed/protocol";
import { WORDS } from "../../src/model/messages";
import { Desk } from "../support/exchange";
import { clock, fill, HYNIX, order, SAMSUNG } from "../support/market";

let desk: Desk;
beforeEach(() => (desk = new Desk()));
afterEach(() => {
  desk.app.stop();
  vi.useRealTimers();
});

const events = (...list: [id: string, prev: string | null, type: "order" | "fill" | "account", data: unknown][]) =>
  desk.say({
    kind: "account",
    events: list.map(([id, prev, type, data]) => ({ ch: "account", id, prev, type, ts: null, data }) as AccountEvent),
  });
const balance = (seq: number, cash: number) => ({
  kind: "balance",
  account_id: 5,
  cash,
  reserved: 0,
  available: cash,
  seq,
  ts: "",
});
const toasts = () => desk.app.toasts.shown.get().map(({ title }) => WORDS.ko.say(title));
const reads = () => desk.paths().filter((path) => path === "GET /v1/account").length;
const tick = (price: number, symbol = "005930"): Tick => ({
  symbol,
  at: Date.now(),
  time: "100000",
  price,
  qty: 1,
  taker: "buy",
  change: 0,
  open: 70600,
  high: 72000,
  low: 70000,
  volume: 10,
  turnover: 714000,
  halted: false,
  limit: null,
});

describe("starting", () => {
  it("reads the market, says hello, watches, and reads the account no older than the stream", async () => {
    await desk.live();
    expect(desk.sent.map(({ kind }) => kind)).toEqual(["hello", "watch", "watch"]);
    expect(desk.sent[0]).toMatchObject({ accountId: 5, csrfToken: "token" });
    expect(desk.sent.at(-1)).toEqual({ kind: "watch", symbols: ["005930", "000660"], selected: "005930" });
    expect(desk.calls.find(({ path }) => path === "/v1/account")?.minSeq).toBe("40");
    expect(desk.app.orders.loaded.get()).toBe(true);
    expect(desk.app.totals()?.equity).toBe(10_000_000);
  });

  it("without a log-in there is a market and no account", async () => {
    desk.loggedIn = false;
    await desk.live();
    expect(desk.app.session.state.get()).toEqual({ kind: "out", ended: false });
    expect(desk.paths()).not.toContain("GET /v1/account");
    expect(WORDS.ko.say(desk.app.ticket.view.get().sentence)).toBe("로그인하면 주문할 수 있습니다.");
  });

  it("waits for a server that is not there yet", async () => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    let away = true;
    desk.answers.set("GET /v1/symbols", () => {
      if (!away) desk.answers.delete("GET /v1/symbols");
      return new TypeError("refused");
    });
    const starting = desk.app.start();
    await vi.advanceTimersByTimeAsync(600);
    expect(desk.app.market.instruments.get()).toEqual([]);
    away = false;
    await vi.advanceTimersByTimeAsync(10_000);
    await starting;
    expect(desk.app.market.instruments.get()).toHaveLength(2);
  });
});

describe("events", () => {
  it("count once and in order; a gap is repaired by reading anew", async () => {
    await desk.live();
    events(["j-41-0", "j-3-0", "order", order({ seq: 41 })], ["j-41-1", "j-41-0", "account", balance(41, 9_000_000)]);
    events(["j-41-1", "j-41-0", "account", balance(41, 1)]);
    expect(desk.app.account.balance.get()?.cash).toBe(9_000_000);
    expect(desk.app.orders.open.get()).toHaveLength(1);
    const before = reads();
    desk.seq = 45;
    events(["j-45-0", "j-44-0", "account", balance(45, 8_000_000)]);
    expect(desk.app.connection.gaps.get()).toBe(1);
    await desk.quiet();
    expect(reads()).toBe(before + 1);
    expect(desk.calls.filter(({ path }) => path === "/v1/account").at(-1)?.minSeq).toBe("45");
    events(["j-46-0", "j-45-0", "account", balance(46, 7_000_000)]);
    expect(desk.app.connection.gaps.get()).toBe(1);
    expect(desk.app.connection.lastSeq.get()).toBe(46);
  });

  it("that end an order though nobody asked are told, with why", async () => {
    await desk.live();
    const one = (order_id: number, seq: number, changes: Partial<OrderView> = {}) =>
      order({ order_id, seq, qty: 10, ...changes });
    const gone = { status: "canceled", canceled_qty: 10 } as const;
    events(
      ["j-41-0", "j-3-0", "order", one(1, 41)],
      ["j-41-1", "j-41-0", "order", one(2, 41)],
      ["j-41-2", "j-41-1", "order", one(3, 41)],
      ["j-41-3", "j-41-2", "order", one(4, 41)],
      ["j-42-0", "j-41-3", "order", one(1, 42, { ...gone, status: "expired", end_reason: "day_ended" })],
      ["j-42-1", "j-42-0", "order", one(2, 42, { ...gone, end_reason: "midpoint_void" })],
      ["j-42-2", "j-42-1", "order", one(3, 42, { ...gone, end_reason: "ioc_remainder" })],
      ["j-42-3", "j-42-2", "order", one(4, 42, gone)],
    );
    expect(toasts()).toEqual([
      "삼성전자 10주 주문이 장 마감으로 종료되었습니다",
      "삼성전자 10주 주문이 종료되었습니다",
    ]);
    expect(desk.app.toasts.shown.get()[1]?.detail).toEqual([{ key: "reason", params: { code: "midpoint_void" } }]);
  });

  it("many gaps while one reading is under way are one more reading", async () => {
    await desk.live();
    const before = reads();
    for (let seq = 50; seq < 60; seq += 1) events([`j-${seq * 2}-0`, `j-${seq * 2 - 1}-0`, "account", balance(seq, 1)]);
    await desk.quiet();
    await desk.quiet();
    expect(reads() - before).toBe(2);
  });

  it("a reset reads everything anew and says so", async () => {
    await desk.live();
    const before = reads();
    desk.say({
      kind: "account",
      events: [{ ch: "account", id: "k-7-0", prev: null, type: "reset", ts: null, data: {} }],
    });
    await desk.quiet();
    expect(reads()).toBe(before + 1);
    expect(toasts()).toEqual(["오래 떨어져 있어 처음부터 다시 읽었습니다. 빠진 것은 없습니다."]);
    events(["k-8-0", "k-7-0", "account", balance(8, 5)]);
    expect(desk.app.connection.gaps.get()).toBe(0);
  });
});

describe("coming back", () => {
  it("says once what happened meanwhile", async () => {
    await desk.live();
    vi.useFakeTimers();
    desk.link("account", "waiting", { attempt: 1, retryAt: Date.now() + 500 });
    desk.link("account", "live");
    desk.opened(true, 52);
    events(
      ["j-51-0", "j-3-0", "fill", fill({ seq: 51, trade_id: 1 })],
      ["j-52-0", "j-51-0", "fill", fill({ seq: 52, trade_id: 2, leaves_qty: 0 })],
      ["j-53-0", "j-52-0", "fill", fill({ seq: 53, trade_id: 3, order_id: 8 })],
    );
    vi.advanceTimersByTime(1300);
    expect(toasts()).toContain("다시 연결되었습니다. 그 사이 체결 2건이 있었습니다.");
    expect(toasts().filter((text) => text.startsWith("다시"))).toHaveLength(1);
    vi.useRealTimers();
    await desk.quiet();
    expect(reads()).toBe(1);
  });

  it("after sleep everything is read anew", async () => {
    await desk.live();
    desk.calls.length = 0;
    desk.say({ kind: "woke", sleptMs: 3_600_000 });
    await desk.quiet();
    for (const path of ["GET /v1/session", "GET /v1/symbols", "GET /v1/clock", "GET /v1/account", "GET /v1/orders"]) {
      expect(desk.paths(), path).toContain(path);
    }
    expect(desk.paths().some((path) => path.startsWith("GET /v1/candles"))).toBe(true);
  });

  it("a session that ended is not an account", async () => {
    await desk.live();
    desk.loggedIn = false;
    desk.link("account", "refused", { reason: "session_ended" });
    expect(desk.app.session.state.get()).toEqual({ kind: "out", ended: true });
    expect(desk.app.account.balance.get()).toBeNull();
    expect(desk.sent.at(-1)).toMatchObject({ kind: "hello", accountId: null });
  });

  it("another tab's log-out is followed", async () => {
    await desk.live();
    desk.loggedIn = false;
    desk.say({ kind: "account-open", accountId: null, resumed: false, head: 0, lastId: null });
    await desk.quiet();
    expect(desk.app.session.state.get().kind).toBe("out");
  });
});

describe("prices", () => {
  const quote = (symbol = "005930") => desk.app.market.quote(symbol)?.get();

  it("are live only while KIS's socket is", async () => {
    await desk.live();
    expect(quote()?.live).toBe(true);
    desk.say({ kind: "ticks", latest: [tick(71600)], trades: [tick(71600)] });
    expect(quote()).toMatchObject({
      last: 71600,
      change: 1100,
      rateX100: 156,
      direction: "up",
      live: true,
      high: 72000,
    });
    for (const state of ["silent", "waiting", "connecting", "off", "refused"] as const) {
      desk.link("kis", "live");
      await desk.quiet();
      expect(quote()?.live).toBe(true);
      desk.link("kis", state);
      expect(quote()?.live).toBe(false);
    }
  });

  it("of before a lost connection are not called live when it is back, until they are confirmed", async () => {
    await desk.live();
    desk.link("kis", "waiting");
    desk.answers.set("GET /v1/clock", () => {
      desk.answers.delete("GET /v1/clock");
      return new TypeError("lost");
    });
    desk.link("kis", "live");
    expect(quote()?.live).toBe(false);
    await desk.quiet();
    expect(quote()?.live).toBe(false); // the confirmation was lost
    desk.say({ kind: "ticks", latest: [tick(71700)], trades: [] });
    expect([quote()?.live, quote("000660")?.live]).toEqual([true, false]);
  });

  it("of the real market bring their own previous close, and our own past does not go with them", async () => {
    await desk.live();
    const status = { mode: "live" as const, used: 2, limit: 41, left_out: [], frames: 1, broken: {} };
    desk.say({ kind: "kis", status });
    await desk.quiet();
    expect(quote()?.spark).toEqual([]);
    desk.calls.length = 0;
    const foreign = { ...tick(250_500), change: -19_500, limit: "lower" as const };
    desk.say({ kind: "ticks", latest: [foreign], trades: [foreign] });
    expect(quote()).toMatchObject({
      base: 270_000,
      change: -19_500,
      rateX100: -722,
      direction: "down",
      limit: "lower",
    });
    expect(desk.app.market.candles.all).toHaveLength(1);
    desk.link("kis", "waiting");
    desk.link("kis", "live");
    await desk.quiet();
    expect(quote()).toMatchObject({ last: 250_500, base: 270_000, live: false });
    expect(desk.paths().filter((path) => /candles|trades/.test(path))).toEqual([]);
  });

  it("a new day is noticed, and with it the chart and new instruments", async () => {
    vi.useFakeTimers({ toFake: ["setInterval", "clearInterval"] });
    await desk.live();
    desk.calls.length = 0;
    await vi.advanceTimersByTimeAsync(5_000);
    await desk.quiet();
    expect(desk.paths().sort()).toEqual(["GET /v1/clock", "GET /v1/symbols"]);
    desk.answers.set("GET /v1/clock", () =>
      Response.json(clock({ now: new Date().toISOString(), trading_day: "2026-11-24", seq: 60 })),
    );
    const fresh = { ...SAMSUNG, symbol: "035420", name: "NAVER" };
    desk.answers.set("GET /v1/symbols", () =>
      Response.json({ symbols: [{ ...SAMSUNG, base_price: 71400 }, fresh], seq: 60 }),
    );
    desk.sent.length = 0;
    await vi.advanceTimersByTimeAsync(5_000);
    await desk.quiet();
    expect(desk.paths()).toContain("GET /v1/candles/005930");
    expect(quote()).toMatchObject({ base: 71400, change: 0, direction: "flat", live: true });
    desk.answers.set("GET /v1/symbols", () => Response.json({ symbols: [SAMSUNG, HYNIX, fresh], seq: 61 }));
    await vi.advanceTimersByTimeAsync(5_000);
    await desk.quiet();
    expect(desk.sent.at(-1)).toEqual({ kind: "watch", symbols: ["005930", "000660", "035420"], selected: "005930" });
  });

  describe("how instruments stand", () => {
    const news = (changes: Partial<InstrumentState>, seq: number, told: Partial<Clock> | null = null) =>
      desk.say({
        kind: "market",
        news: {
          states: [{ ...SAMSUNG, ...changes }],
          seq,
          clock: told === null ? null : clock({ seq, ...told }),
          at: Date.now(),
        },
      });
    const vi = { phase: "vi_auction", phase_reason: "vi_dynamic", vi_count: 1 } as const;

    it("marks the list, and shows what an auction would give", async () => {
      await desk.live();
      news({ ...vi, indicative_price: 72000, indicative_qty: 30 }, 50);
      expect(quote()).toMatchObject({
        tag: "vi",
        vi: true,
        indicativePrice: 72000,
        indicativeQty: 30,
        phase: vi.phase,
      });
      expect(desk.app.market.stateNow.get()).toMatchObject(vi);
      news({ phase: "halted" }, 51);
      expect(quote()).toMatchObject({ tag: "halted", halted: true, vi: false, indicativePrice: null });
      news({}, 52);
      expect(quote()?.tag).toBeNull();
      desk.say({ kind: "ticks", latest: [tick(91600)], trades: [] });
      expect(quote()?.tag).toBe("upper");
      news({ phase: "closing_auction", phase_reason: "vi_static" }, 53);
      expect(quote()?.tag).toBe("vi");
    });

    it("a reading that is older than what was heard does not take it back", async () => {
      await desk.live();
      desk.seq = 45;
      news(vi, 50);
      await desk.app.market.load();
      expect([quote()?.tag, desk.app.market.state("005930")?.get().phase]).toEqual(["vi", "vi_auction"]);
      desk.seq = 51;
      await desk.app.market.load();
      expect(quote()?.tag).toBeNull();
      news(vi, 90);
      desk.seq = 3; // another journal
      await desk.app.market.load();
      expect(quote()?.tag).toBeNull();
    });

    it("an interruption of what one looks at or holds is told once", async () => {
      await desk.live();
      news(vi, 50);
      news({ ...vi, indicative_price: 72000 }, 51);
      desk.say({ kind: "market", news: { states: [{ ...HYNIX, ...vi }], seq: 52, clock: null, at: 0 } });
      expect(toasts()).toEqual(["삼성전자: 동적 변동성완화장치가 발동해 2분 단일가로 바뀌었습니다"]);
      news({ phase: "halted" }, 53);
      expect(toasts().at(-1)).toBe("삼성전자: 거래가 정지되었습니다. 취소만 할 수 있습니다");
    });

    it("a new day that is heard of brings its base price, limits and chart at once", async () => {
      await desk.live();
      desk.calls.length = 0;
      const limits = { base_price: 71400, upper_limit: 92800, lower_limit: 50000 };
      news({ phase: "pre_open", ...limits }, 60, { trading_day: "2026-11-24", phase: "pre_open" });
      expect(quote()).toMatchObject({ base: 71400, upper: 92800, lower: 50000, change: 0, direction: "flat" });
      await desk.quiet();
      expect(desk.paths()).toContain("GET /v1/symbols");
      expect(desk.paths()).toContain("GET /v1/candles/005930");
    });

    it("the clock runs at its own speed between answers", async () => {
      await desk.live();
      news({}, 60, { now: "2026-11-23T00:00:00Z", speed: 570, market_hours: "fast" });
      const began = desk.app.market.time.now();
      await new Promise((resolve) => setTimeout(resolve, 20));
      expect(desk.app.market.time.now() - began).toBeGreaterThanOrEqual(19 * 570);
    });

    it("the previous price is the last one of today, before it the base price", async () => {
      await desk.live();
      expect(desk.app.market.previous("005930")).toBe(71400);
      desk.say({ kind: "ticks", latest: [tick(71900)], trades: [] });
      expect(desk.app.market.previous("005930")).toBe(71900);
      expect(desk.app.market.previous("999999")).toBeNull();
      desk.answers.set("GET /v1/symbols", () =>
        Response.json({ symbols: [SAMSUNG, { ...HYNIX, day_open: null }], seq: 61 }),
      );
      desk.link("kis", "waiting");
      await desk.app.market.load();
      expect(desk.app.market.previous("000660")).toBe(HYNIX.base_price);
    });
  });

  it("make holdings and totals", async () => {
    desk.held = [
      {
        kind: "position",
        account_id: 5,
        symbol: "005930",
        qty: 10,
        reserved_qty: 0,
        available_qty: 10,
        cost_amount: 700_000,
        avg_cost: "70000",
        realized_profit: 0,
        seq: 3,
        ts: "",
        last_price: 71400,
        market_value: 714_000,
        unrealized_profit: 14_000,
      },
    ];
    await desk.live();
    desk.say({ kind: "ticks", latest: [tick(72000)], trades: [] });
    expect(desk.app.holdings()[0]).toMatchObject({ price: 72000, profit: 20_000 });
    expect(desk.app.totals()).toMatchObject({ equity: 10_720_000, profit: 20_000 });
  });

  it("a click on another instrument asks for its book, tape and candles", async () => {
    await desk.live();
    desk.book([[71300, 1]], []);
    desk.app.select("000660");
    expect(desk.app.market.book.now.get()).toMatchObject({ symbol: "000660", known: false, bids: [] });
    desk.book([[71300, 1]], []); // one that was still under way
    expect(desk.app.market.book.now.get().known).toBe(false);
    await desk.quiet();
    expect(desk.paths()).toContain("GET /v1/candles/000660");
    expect(desk.paths()).toContain("GET /v1/trades/000660");
    expect(desk.app.preferences.settings.get().selected).toBe("000660");
    desk.app.select("999999");
    expect(desk.app.market.selected.get()).toBe("000660");
  });

  it("the list is found by name and code, favourites first", async () => {
    await desk.live();
    const { market } = desk.app;
    expect(market.list("", "listing", new Set())).toEqual(["005930", "000660"]);
    expect(market.list("", "listing", new Set(["000660"]))).toEqual(["000660", "005930"]);
    expect(market.list("하이닉스", "name", new Set())).toEqual(["000660"]);
    expect(market.list("0059", "rate", new Set())).toEqual(["005930"]);
    expect(market.list("없는", "turnover", new Set())).toEqual([]);
  });
});
