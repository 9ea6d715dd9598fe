import { beforeEach, describe, expect, it } from "vitest";
import { Exchange } from "../../src/api/exchange";
import { Http } from "../../src/api/http";
import { WORDS } from "../../src/model/messages";
import { Orders } from "../../src/model/orders";
import { newRequestId, Trading, type Progress } from "../../src/model/trading";
import { fill, order } from "../support/market";

type Reply = () => Response | Error;
const problem = (status: number, code: string, more: object = {}, headers: Record<string, string> = {}): Reply => {
  return () => Response.json({ code, status, detail: code, ...more }, { status, headers });
};
const lost: Reply = () => new TypeError("connection reset");
const pending: Reply = () =>
  Response.json({ client_order_id: "web-1", status: "pending", order_id: null }, { status: 202 });
const NEW = { symbol: "005930", side: "buy", type: "limit", qty: 100, limit_price: 71300 } as const;

let replies: Reply[];
let calls: { method: string; url: string; body: Record<string, unknown> | null; headers: Record<string, string> }[];
let waits: number[];
let progress: Progress[];
let orders: Orders;
let trading: Trading;
let release: (() => void) | null;

beforeEach(() => {
  replies = [];
  calls = [];
  waits = [];
  progress = [];
  release = null;
  orders = new Orders();
  const http = new Http({
    fetch: (url, init) => {
      const body = typeof init.body === "string" ? (JSON.parse(init.body) as Record<string, unknown>) : null;
      calls.push({ method: init.method ?? "", url, body, headers: init.headers as Record<string, string> });
      const result = (replies.shift() ?? lost)();
      return result instanceof Error ? Promise.reject(result) : Promise.resolve(result);
    },
  });
  trading = new Trading(new Exchange(http), orders, (ms) => {
    waits.push(ms);
    return release === null ? Promise.resolve() : new Promise<void>(() => undefined);
  });
});

const told = (each: Progress) => progress.push(each);
const entered: Reply = () => Response.json({ ...order({ seq: 50 }), fills: [] }, { status: 201 });

describe("an order", () => {
  it("is entered under an id of its own, and known at once", async () => {
    replies = [
      () => Response.json({ ...order({ seq: 50, filled_qty: 30 }), fills: [fill({ seq: 50 })] }, { status: 201 }),
    ];
    const outcome = await trading.enter(NEW, told);
    expect(outcome).toMatchObject({ ok: true, replayed: false });
    expect(calls[0]?.body).toMatchObject(NEW);
    expect(calls[0]?.body?.["client_order_id"]).toMatch(/^web-[0-9a-f]{24}$/);
    expect(orders.open.get()).toHaveLength(1);
    expect(orders.fills.get()).toHaveLength(1);
    expect(progress).toEqual(["sending"]);
    expect(trading.roundTrip.get()).toBeGreaterThanOrEqual(0);
  });

  it("whose answer was lost is sent again under the same id", async () => {
    replies = [lost, problem(503, "overloaded"), entered];
    expect(await trading.enter(NEW, told)).toMatchObject({ ok: true });
    expect(new Set(calls.map(({ body }) => body?.["client_order_id"])).size).toBe(1);
    expect(calls).toHaveLength(3);
    expect(progress).toEqual(["sending", "confirming", "confirming"]);
    expect(waits).toEqual([300, 700]);
  });

  it("that was refused is not sent again, and says why in the page's words", async () => {
    const refused = order({ status: "rejected", leaves_qty: 0, canceled_qty: 100, reject_reason: "insufficient_cash" });
    replies = [problem(422, "insufficient_cash", { order: refused })];
    const outcome = await trading.enter(NEW, told);
    expect(outcome).toMatchObject({ ok: false, code: "insufficient_cash" });
    if (!outcome.ok) expect(WORDS.ko.say(outcome.sentence)).toBe("주문에 필요한 현금이 모자랍니다.");
    expect(calls).toHaveLength(1);
    expect(orders.all.get()[0]?.status).toBe("rejected");
  });

  it("too many of them: says when to try again", async () => {
    replies = [problem(429, "rate_limited", {}, { "Retry-After": "2" })];
    const outcome = await trading.enter(NEW, told);
    if (!outcome.ok)
      expect(WORDS.ko.say(outcome.sentence)).toBe("주문이 너무 잦습니다. 2초 뒤에 다시 보낼 수 있습니다.");
    expect(outcome.ok).toBe(false);
  });

  it("a reason of a newer server comes with its own sentence", async () => {
    replies = [problem(422, "of_next_year", { detail: "내년의 규칙입니다." })];
    const outcome = await trading.enter(NEW, told);
    if (!outcome.ok) expect(WORDS.ko.say(outcome.sentence)).toBe("내년의 규칙입니다.");
    expect(outcome.ok).toBe(false);
  });

  it("is given up after many tries, and it is said that the server was not reached", async () => {
    const outcome = await trading.enter(NEW, told);
    expect(outcome).toMatchObject({ ok: false, code: null, sentence: { key: "refused.network" } });
    expect(calls).toHaveLength(12);
    expect(waits.at(-1)).toBe(5000);
  });

  it("pressing again while there is no answer sends it at once", async () => {
    release = () => undefined; // waits do not end by themselves
    replies = [lost, entered];
    const outcome = trading.enter(NEW, told);
    await new Promise((resolve) => setTimeout(resolve, 5));
    expect(calls).toHaveLength(1);
    trading.hurry();
    expect(await outcome).toMatchObject({ ok: true });
    expect(calls).toHaveLength(2);
  });

  it("whose outcome the gateway does not know yet is asked for again under the same id", async () => {
    replies = [pending, pending, entered];
    expect(await trading.enter(NEW, told)).toMatchObject({ ok: true });
    expect(new Set(calls.map(({ body }) => body?.["client_order_id"])).size).toBe(1);
    expect(progress).toEqual(["sending", "confirming", "confirming"]);
  });

  it("that is pending is settled as soon as the stream tells of it", async () => {
    release = () => undefined; // waits do not end by themselves
    replies = [pending, entered];
    const outcome = trading.enter(NEW, told);
    await new Promise((resolve) => setTimeout(resolve, 5));
    expect(progress).toEqual(["sending", "confirming"]);
    orders.takeOrder(order({ order_id: 900, client_order_id: "another's" }));
    await new Promise((resolve) => setTimeout(resolve, 5));
    expect(calls).toHaveLength(1);
    const id = calls[0]?.body?.["client_order_id"] as string;
    orders.takeOrder(order({ seq: 50, client_order_id: id }));
    expect(await outcome).toMatchObject({ ok: true });
    expect(calls).toHaveLength(2);
  });

  it("an error of the program is no refusal", async () => {
    replies = [() => Response.json({ order_id: 1 }, { status: 201 })]; // without fills
    await expect(trading.enter(NEW, told)).rejects.toThrow(TypeError);
  });
});

describe("corrections and cancels", () => {
  it("mark the order as busy while they are under way", async () => {
    orders.takeOrder(order({ order_id: 7, seq: 10 }));
    replies = [
      () => Response.json({ ...order({ seq: 51, status: "canceled", canceled_qty: 100, leaves_qty: 0 }), fills: [] }),
    ];
    const running = trading.cancel(7);
    expect(trading.busy.get().has(7)).toBe(true);
    expect(await running).toMatchObject({ ok: true });
    expect(trading.busy.get().has(7)).toBe(false);
    expect(calls[0]).toMatchObject({ method: "DELETE", url: "/v1/orders/7" });
    expect(calls[0]?.headers["Onseju-Client-Request-Id"]).toMatch(/^web-/);
    expect(orders.open.get()).toEqual([]);
  });

  it("of a done order are refused in words", async () => {
    replies = [problem(409, "order_done")];
    const outcome = await trading.correct(7, { limit_price: 71200 });
    if (!outcome.ok) expect(WORDS.ko.say(outcome.sentence)).toBe("이미 체결되었거나 취소된 주문입니다.");
    expect(outcome.ok).toBe(false);
  });

  it("all at once", async () => {
    const canceled = [1, 2].map((order_id) =>
      order({ order_id, status: "canceled", canceled_qty: 100, leaves_qty: 0 }),
    );
    replies = [() => Response.json({ canceled, count: 2 })];
    expect(await trading.cancelAll({ symbol: "005930" })).toEqual({ ok: true, count: 2 });
    expect(calls[0]?.url).toBe("/v1/orders?symbol=005930");
    replies = [problem(401, "session_ended")];
    expect(await trading.cancelAll()).toMatchObject({ ok: false });
  });
});

it("ids are never the same", () => {
  expect(new Set(Array.from({ length: 1000 }, newRequestId)).size).toBe(1000);
});
