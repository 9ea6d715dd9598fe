import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { WORDS } from "../../src/model/messages";
import type { Unsubscribe } from "../../src/model/store";
import type { TicketView } from "../../src/model/ticket";
import { Desk } from "../support/exchange";
import { fill, order } from "../support/market";

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
