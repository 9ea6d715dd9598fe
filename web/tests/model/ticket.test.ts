import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { InstrumentState } from "../../src/api/types";
import { WORDS } from "../../src/model/messages";
import type { Unsubscribe } from "../../src/model/store";
import type { TicketView } from "../../src/model/ticket";
import { Desk } from "../support/exchange";
import { clock, fill, KRX_TYPES, order, SAMSUNG } from "../support/market";

let desk: Desk;
let view: TicketView;
let leave: Unsubscribe;

beforeEach(async () => {
  desk = await new Desk().live();
  desk.book(
    [
      [71300, 12650],
      [71200, 900],
    ],
    [
      [71400, 68],
      [71500, 50],
    ],
  );
  leave = desk.app.ticket.view.subscribe((now) => (view = now));
});

afterEach(() => {
  leave();
  desk.app.stop();
});

const says = () => WORDS.ko.say(view.sentence);
const ticket = () => desk.app.ticket;

describe("typing", () => {
  it("begins with the last price, and says what is missing", () => {
    expect(view.form.price).toBe("71,400");
    expect(says()).toBe("수량을 입력해 주세요.");
    expect(view.ready).toBe(false);
  });

  it("says what would happen, as it is typed", () => {
    ticket().set({ qty: "100" });
    expect(says()).toBe("68주는 바로 체결될 수 있고, 32주는 71,400원에서 기다립니다.");
    expect(view.ready).toBe(true);
    desk.book([[71300, 1]], [[71400, 500]]);
    expect(says()).toBe("71,400원에 100주가 바로 체결될 수 있습니다.");
    ticket().takePrice(71300);
    expect(says()).toBe("바로 체결되지 않고, 71,300원에서 1주 뒤에 줄을 섭니다.");
  });

  it("a pasted quantity of twenty digits is refused in words, and nothing breaks", () => {
    ticket().set({ qty: "12345678901234567890" });
    expect(view).toMatchObject({ ready: false, forecast: { kind: "refused", reason: "invalid_qty", field: "qty" } });
    expect(says()).toBe("주문할 수 있는 수보다 큽니다. 더 작은 수를 입력해 주세요.");
    ticket().stepQty(1);
    expect(view.form.qty).toBe("1");
    ticket().set({ qty: "<script>alert(1)</s" });
    expect(says()).toBe("숫자만 입력해 주세요.");
    ticket().set({ qty: "１,０００" });
    expect(view.draft.qty).toBe(1000);
  });

  it("steps the price by its own band and the quantity by shares", () => {
    ticket().stepPrice(1);
    expect(view.form.price).toBe("71,500");
    ticket().stepPrice(-10);
    expect(view.form.price).toBe("70,500");
    ticket().stepPrice(1000);
    expect(view.form.price).toBe("91,600");
    ticket().set({ price: "" });
    ticket().stepPrice(1);
    expect(view.form.price).toBe("71,400");
    ticket().stepQty(10);
    ticket().stepQty(-3);
    expect(view.form.qty).toBe("7");
    ticket().stepQty(-100);
    expect(view.form.qty).toBe("");
  });

  it("steps to the close where orders are at it alone", () => {
    const state = { ...SAMSUNG, phase: "close_price", fixed_price: 71300, order_types: ["limit"], immediate_types: [] };
    const news = { states: [state as InstrumentState], seq: 50, clock: null, at: Date.now() };
    desk.say({ kind: "market", news });
    expect(says()).toBe("지금은 종가 71,300원으로만 주문할 수 있습니다.");
    ticket().stepPrice(1);
    expect(view.form.price).toBe("71,300");
    ticket().stepPrice(1);
    expect(view.form.price).toBe("71,300");
  });

  it("portions are of what is possible", () => {
    expect(view.maxQty).toBe(140);
    ticket().takePortion(50);
    expect(view.form.qty).toBe("70");
    ticket().takePortion(100);
    expect(view.forecast.kind).not.toBe("refused");
    ticket().setMode("sell");
    expect(view.maxQty).toBe(0);
    ticket().takePortion(100);
    expect(view.form.qty).toBe("");
  });

  it("a fix is one press", () => {
    ticket().set({ price: "71,450", qty: "10" });
    expect(says()).toBe("이 가격대는 100원 단위로 주문합니다.");
    const [, dearer] = view.forecast.fixes;
    ticket().fix(dearer?.patch ?? {});
    expect(view.form.price).toBe("71,500");
    ticket().set({ qty: "1000" });
    ticket().fix(view.forecast.fixes[0]?.patch ?? {});
    expect(view.form.qty).toBe("139");
    expect(view.ready).toBe(true);
  });

  it("another instrument takes its own price and no quantity", () => {
    ticket().set({ qty: "5" });
    desk.app.select("000660");
    expect(view.form).toMatchObject({ price: "198,000", qty: "" });
  });

  it("says nothing of a fill without a live book, but lets the order be sent", () => {
    ticket().set({ qty: "10" });
    desk.link("book", "waiting", { attempt: 1 });
    expect(view.forecast.kind).toBe("open");
    expect(says()).toMatch(/호가를 기다리고/);
    expect(view.ready).toBe(true);
  });
});

describe("order types", () => {
  const news = (changes: Partial<InstrumentState>, seq = 50) =>
    desk.say({ kind: "market", news: { states: [{ ...SAMSUNG, ...changes }], seq, clock: null, at: Date.now() } });
  const closing: Partial<InstrumentState> = {
    phase: "closing_auction",
    phase_until: "2026-11-23T06:30:00Z",
    indicative_price: 71400,
    indicative_qty: 500,
    order_types: ["limit", "market", "stop_limit"],
    immediate_types: [],
  };
  const forbidden = () => view.types.filter(({ allowed }) => !allowed).map(({ name }) => name);

  it("all are offered, each with the prices that it has", () => {
    expect(view.types.map(({ name }) => name)).toEqual(KRX_TYPES);
    expect(forbidden()).toEqual([]);
    const fields = KRX_TYPES.map((type) => {
      ticket().setType(type);
      return [type, view.hasPrice, view.hasStop];
    });
    expect(fields).toEqual([
      ["limit", true, false],
      ["market", false, false],
      ["conditional_limit", true, false],
      ["best_opposite", false, false],
      ["best_same", false, false],
      ["midpoint", false, false],
      ["stop_limit", true, true],
    ]);
    expect(view.form.price).toBe("71,400"); // kept through types without one
  });

  it("another phase forbids some at once, and says why", () => {
    ticket().set({ type: "best_opposite", qty: "10" });
    expect(view.forecast.kind).toBe("fill");
    news(closing);
    expect(forbidden()).toEqual(["conditional_limit", "best_opposite", "best_same", "midpoint"]);
    expect(view.conditions.map(({ allowed }) => allowed)).toEqual([true, false, false]);
    expect(says()).toBe("종가 단일가에는 최유리 주문을 받지 않습니다.");
    expect(view.ready).toBe(false);
    ticket().fix(view.forecast.fixes[0]?.patch ?? {});
    expect(says()).toBe("15:30에 한 가격으로 체결됩니다. 예상체결가 71,400원이면 이 주문은 체결될 수 있습니다.");
    expect(view.ready).toBe(true);
  });

  it("in a market that is shut nothing is sent, and it says when it opens", () => {
    desk.clock = {};
    const evening = clock({ now: "2026-11-23T12:00:00Z", phase: "closed", seq: 60 });
    desk.say({
      kind: "market",
      news: { states: [{ ...SAMSUNG, phase: "closed", order_types: [] }], seq: 60, clock: evening, at: Date.now() },
    });
    ticket().set({ qty: "1" });
    expect(says()).toBe("장이 끝났습니다. 내일 08:30부터 주문할 수 있습니다.");
    expect(view.ready).toBe(false);
  });

  it("another type drops a condition that it cannot carry", () => {
    ticket().set({ timeInForce: "ioc" });
    ticket().setType("best_opposite");
    expect(view.form.timeInForce).toBe("ioc");
    ticket().setType("conditional_limit");
    expect(view.form.timeInForce).toBe("day");
  });

  it("a stop has a price of its own, which steps and is sent", async () => {
    desk.answers.set("POST /v1/orders", () => Response.json({ ...order({ seq: 60 }), fills: [] }, { status: 201 }));
    ticket().setType("stop_limit");
    ticket().set({ qty: "10" });
    expect(says()).toMatch(/^스톱 가격을 입력해 주세요/);
    ticket().stepStop(1);
    ticket().stepStop(2);
    expect(view.form.stop).toBe("71,600");
    expect(view.forecast.kind).toBe("sleep");
    ticket().set({ stop: "가" });
    expect(view.forecast).toMatchObject({ reason: "invalid_stop_price", field: "stop" });
    ticket().set({ stop: "71,600" });
    ticket().takePrice(71700);
    expect(view.form.type).toBe("stop_limit");
    await ticket().submit();
    expect(desk.calls.at(-1)?.body).toMatchObject({ type: "stop_limit", limit_price: 71700, stop_price: 71600 });
  });

  it("a type without a price sends none", async () => {
    desk.answers.set("POST /v1/orders", () => Response.json({ ...order({ seq: 60 }), fills: [] }, { status: 201 }));
    ticket().set({ type: "midpoint", qty: "10", timeInForce: "day" });
    await ticket().submit();
    const body = desk.calls.at(-1)?.body ?? {};
    expect(Object.keys(body).sort()).toEqual(["client_order_id", "qty", "side", "symbol", "time_in_force", "type"]);
    ticket().takePrice(71300);
    expect(view.form.type).toBe("limit");
  });
});

describe("sending", () => {
  const answer = (changes: object) => () =>
    Response.json({ ...order({ seq: 60, qty: 100 }), fills: [], ...changes }, { status: 201 });

  it("sends what is typed, and makes room for the next", async () => {
    desk.answers.set("POST /v1/orders", answer({ fills: [fill({ seq: 60 })], filled_qty: 30, leaves_qty: 70 }));
    ticket().set({ qty: "100" });
    expect(await ticket().submit()).toMatchObject({ ok: true });
    expect(desk.calls.at(-1)?.body).toMatchObject({
      symbol: "005930",
      side: "buy",
      type: "limit",
      qty: 100,
      limit_price: 71400,
      time_in_force: "day",
    });
    expect(view.form.qty).toBe("");
    expect(ticket().sending.get().kind).toBe("done");
    ticket().set({ qty: "1" });
    expect(ticket().sending.get().kind).toBe("idle");
  });

  it("a market order carries no price", async () => {
    desk.answers.set("POST /v1/orders", answer({}));
    ticket().set({ type: "market", qty: "5" });
    await ticket().submit();
    expect(desk.calls.at(-1)?.body).not.toHaveProperty("limit_price");
  });

  it("what is refused, unclear or under way is not sent", async () => {
    const before = desk.calls.length;
    expect(await ticket().submit()).toBeNull();
    ticket().set({ price: "71,450", qty: "1" });
    expect(await ticket().submit()).toBeNull();
    expect(desk.calls).toHaveLength(before);
  });

  it("pressing twice enters once", async () => {
    desk.answers.set("POST /v1/orders", answer({}));
    ticket().set({ qty: "10" });
    const [first, second] = await Promise.all([ticket().submit(), ticket().submit()]);
    expect([first?.ok, second]).toEqual([true, null]);
    expect(desk.paths().filter((path) => path === "POST /v1/orders")).toHaveLength(1);
  });

  it("a refusal after all is told in the box until something is typed", async () => {
    desk.answers.set("POST /v1/orders", () => Response.json({ code: "market_closed", detail: "x" }, { status: 422 }));
    ticket().set({ qty: "10" });
    expect(await ticket().submit()).toMatchObject({ ok: false, code: "market_closed" });
    expect(says()).toBe("지금은 주문을 받지 않는 시간입니다.");
    expect(view.form.qty).toBe("10");
    ticket().set({ qty: "11" });
    expect(says()).toMatch(/체결될 수 있습니다/);
  });

  it("offline nothing is sent, and it is said", async () => {
    ticket().set({ qty: "10" });
    desk.link("account", "waiting", { attempt: 1, retryAt: Date.now() + 3000 });
    expect(says()).toBe("연결이 끊겨 있어 지금은 주문을 보내지 않습니다.");
    expect(await ticket().submit()).toBeNull();
    desk.link("account", "live");
    expect(view.ready).toBe(true);
  });
});

describe("correcting", () => {
  const mine = order({ order_id: 9, seq: 50, qty: 100, limit_price: 71300 });
  beforeEach(() => {
    desk.say({
      kind: "account",
      events: [{ ch: "account", id: "j-50-0", prev: null, type: "order", ts: null, data: mine }],
    });
  });

  it("begins with the order as it stands, and sends only what changes", async () => {
    ticket().amend(9);
    expect(view.form).toMatchObject({ mode: "amend", price: "71,300", qty: "100" });
    expect(view.forecast.reason).toBe("nothing_to_correct");
    ticket().set({ qty: "60" });
    expect(says()).toBe("수량만 60주로 줄어듭니다. 순서는 그대로입니다.");
    desk.answers.set("PATCH /v1/orders/9", () =>
      Response.json({ ...mine, seq: 51, canceled_qty: 40, leaves_qty: 60, fills: [] }),
    );
    expect(await ticket().submit()).toMatchObject({ ok: true });
    expect(Object.keys(desk.calls.at(-1)?.body ?? {}).sort()).toEqual(["client_order_id", "leaves_qty"]);
    expect(desk.app.orders.get(9)?.leaves_qty).toBe(60);
    expect(view.form.mode).toBe("buy");
  });

  it("changes type and stop, and says what that does", async () => {
    const take = (changes: Parameters<typeof order>[0], id: string, prev: string) =>
      desk.say({
        kind: "account",
        events: [{ ch: "account", id, prev, type: "order", ts: null, data: order(changes) }],
      });
    const patched = async () => {
      desk.answers.set("PATCH /v1/orders/9", () => Response.json({ ...mine, seq: 70, fills: [] }));
      await ticket().submit();
      return Object.fromEntries(
        Object.entries(desk.calls.at(-1)?.body ?? {}).filter(([name]) => name !== "client_order_id"),
      );
    };
    ticket().amend(9);
    expect(view.types.filter(({ allowed }) => !allowed).map(({ name }) => name)).toEqual(["midpoint", "stop_limit"]);
    ticket().setType("best_same");
    expect(WORDS.ko.say(view.note ?? { key: "forecast.no_symbol" })).toBe(
      "순서가 맨 뒤로 갑니다. 묶인 돈이 7,130,000원에서 9,160,000원으로 바뀝니다.",
    );
    expect(await patched()).toEqual({ type: "best_same" });

    const asleep = { order_id: 11, type: "stop_limit" as const, limit_price: 71600, stop_price: 71500, seq: 71 };
    take(asleep, "j-71-0", "j-50-0");
    ticket().amend(11);
    expect(view.form).toMatchObject({ type: "stop_limit", price: "71,600", stop: "71,500" });
    expect(view.types.filter(({ allowed }) => allowed).map(({ name }) => name)).toEqual(["stop_limit"]);
    ticket().set({ stop: "71,700" });
    expect(view.forecast.kind).toBe("sleep");
    desk.answers.set("PATCH /v1/orders/11", () => Response.json({ ...order(asleep), seq: 72, fills: [] }));
    await ticket().submit();
    expect(desk.calls.at(-1)?.body).toMatchObject({ stop_price: 71700 });
    expect(desk.calls.at(-1)?.body).not.toHaveProperty("limit_price");

    take({ order_id: 12, type: "best_opposite", limit_price: 71300, seq: 73 }, "j-73-0", "j-71-0");
    ticket().amend(12);
    expect(view.form).toMatchObject({ type: "limit", price: "71,300" });
    expect(view.forecast.reason).toBe("nothing_to_correct");
  });

  it("without an order says to choose one; a done order is let go", () => {
    ticket().setMode("amend");
    expect(says()).toBe("미체결에서 정정할 주문을 골라 주세요.");
    ticket().amend(9);
    const done = { ...mine, seq: 52, status: "canceled" as const, canceled_qty: 100, leaves_qty: 0 };
    desk.say({
      kind: "account",
      events: [{ ch: "account", id: "j-52-0", prev: "j-50-0", type: "order", ts: null, data: done }],
    });
    expect(says()).toBe("미체결에서 정정할 주문을 골라 주세요.");
  });
});
