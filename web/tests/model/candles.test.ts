import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { Exchange } from "../../src/api/exchange";
import type { Tick } from "../../src/api/feed/protocol";
import { Http } from "../../src/api/http";
import type { CandleView } from "../../src/api/types";
import { bucketOf, Candles, type Candle } from "../../src/model/candles";

const at = (time: string) => Date.parse(`2026-11-23T${time}Z`);
const view = (time: string, close: number, volume = 10): CandleView => ({
  ts: `2026-11-23T${time}Z`,
  open: close,
  high: close,
  low: close,
  close,
  volume,
  turnover: 0,
  trade_count: 1,
});
const tick = (time: string, price: number, qty = 1, symbol = "005930"): Tick => ({
  symbol,
  at: at(time),
  time: "000000",
  price,
  qty,
  taker: null,
  change: 0,
  open: 0,
  high: 0,
  low: 0,
  volume: 0,
  turnover: 0,
  halted: false,
  limit: null,
});

let pages: ((url: string) => CandleView[])[];
let asked: string[];
let candles: Candles;
let updates: Candle[];

beforeEach(() => {
  vi.useFakeTimers();
  pages = [];
  asked = [];
  updates = [];
  const http = new Http({
    fetch: (url) => {
      asked.push(decodeURIComponent(url));
      const page = pages.shift();
      return Promise.resolve(Response.json({ symbol: "005930", interval: "1m", candles: page?.(url) ?? [], seq: 1 }));
    },
  });
  candles = new Candles(new Exchange(http));
  candles.updated.on((candle) => updates.push(candle));
});
afterEach(() => vi.useRealTimers());

describe("intervals", () => {
  it("begin at whole minutes, and days at Korean midnight", () => {
    expect(bucketOf(at("01:00:59") / 1000, "1m")).toBe(at("01:00:00") / 1000);
    expect(bucketOf(at("01:14:59") / 1000, "5m")).toBe(at("01:10:00") / 1000);
    expect(bucketOf(at("01:14:59") / 1000, "1d")).toBe(Date.parse("2026-11-22T15:00:00Z") / 1000);
    expect(bucketOf(at("15:00:00") / 1000, "1d")).toBe(at("15:00:00") / 1000);
  });
});

describe("candles", () => {
  it("history is oldest first, and trades grow the newest", async () => {
    pages.push(() => [view("01:01:00", 71300), view("01:00:00", 71200)]);
    await candles.load("005930", "1m");
    expect(candles.now.get()).toMatchObject({ state: "ready", more: false });
    expect(candles.all.map(({ close }) => close)).toEqual([71200, 71300]);
    candles.take([tick("01:01:05", 71500, 3), tick("01:01:06", 71100, 2), tick("01:01:07", 1, 1, "000660")]);
    expect(updates).toEqual([
      { time: at("01:01:00") / 1000, open: 71300, high: 71500, low: 71100, close: 71100, volume: 15 },
    ]);
  });

  it("a new minute begins a candle, and the ended one becomes the exchange's own", async () => {
    pages.push(() => [view("01:01:00", 71300)]);
    await candles.load("005930", "1m");
    candles.take([tick("01:02:00", 71400, 4)]);
    expect(candles.all).toHaveLength(2);
    pages.push(() => [view("01:01:00", 71350, 99)]);
    await vi.advanceTimersByTimeAsync(1500);
    expect(asked.at(-1)).toContain("from=2026-11-23T01:01:00.000Z&to=2026-11-23T01:02:00.000Z");
    expect(candles.all[0]).toMatchObject({ close: 71350, volume: 99 });
    expect(updates.at(-1)).toMatchObject({ time: at("01:01:00") / 1000, volume: 99 });
  });

  it("on a fast clock, where many end before they can be read, all become the exchange's own", async () => {
    pages.push(() => [view("01:01:00", 71300)]);
    await candles.load("005930", "1m");
    for (let minute = 2; minute < 9; minute += 1) {
      candles.take([tick(`01:0${minute}:00`, 71400, 4)]);
      await vi.advanceTimersByTimeAsync(200);
    }
    pages.push(() => [view("01:07:00", 71407, 7), view("01:04:00", 71404, 4), view("01:01:00", 71401, 1)]);
    await vi.advanceTimersByTimeAsync(1500);
    expect(asked.at(-1)).toContain("from=2026-11-23T01:01:00.000Z&to=");
    expect([0, 3].map((place) => candles.all[place]?.close)).toEqual([71401, 71404]);
  });

  it("trades that come while history is read are not lost and not counted twice", async () => {
    pages.push(() => [view("01:01:00", 71300, 10)]);
    const loading = candles.load("005930", "1m");
    candles.take([tick("01:01:30", 71900, 5)]);
    await loading;
    expect(candles.all.at(-1)).toMatchObject({ high: 71900, close: 71900, volume: 10 });
  });

  it("a late trade of an ended candle changes nothing", async () => {
    pages.push(() => [view("01:01:00", 71300)]);
    await candles.load("005930", "1m");
    candles.take([tick("01:00:59", 1)]);
    expect(candles.all).toHaveLength(1);
    expect(candles.all[0]?.low).toBe(71300);
  });

  it("the newest request counts", async () => {
    pages.push(
      () => [view("01:01:00", 1)],
      () => [view("01:01:00", 2)],
    );
    await Promise.all([candles.load("005930", "1m"), candles.load("000660", "1m")]);
    expect(candles.now.get().symbol).toBe("000660");
    expect(candles.all.map(({ close }) => close)).toEqual([2]);
  });

  it("older ones are read before the oldest", async () => {
    pages.push(() => Array.from({ length: 500 }, (_, index) => view("01:00:00", index)));
    await candles.load("005930", "1m");
    expect(candles.now.get().more).toBe(true);
    pages.push(() => [view("00:59:00", 7)]);
    expect(await candles.loadOlder()).toBe(true);
    expect(asked.at(-1)).toContain("to=2026-11-23T01:00:00.000Z");
    expect(candles.all[0]?.close).toBe(7);
    expect(await candles.loadOlder()).toBe(false);
  });

  it("a failure is said, and the next call tries again", async () => {
    const failing = new Candles(new Exchange(new Http({ fetch: () => Promise.reject(new TypeError("away")) })));
    await expect(failing.load("005930", "1m")).rejects.toThrow();
    expect(failing.now.get().state).toBe("failed");
  });
});
