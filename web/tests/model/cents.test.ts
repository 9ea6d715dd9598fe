/** The page's model on a venue whose prices have cents: typed, judged and said in dollars, sent in whole cents. */

import { afterEach, beforeEach, expect, it } from "vitest";
import type { Unsubscribe } from "../../src/model/store";
import type { TicketView } from "../../src/model/ticket";
import { Desk } from "../support/exchange";
import { ACME, fill, order } from "../support/market";

let desk: Desk;
let view: TicketView;
let leave: Unsubscribe;

beforeEach(async () => {
  desk = new Desk();
  desk.symbols = [ACME];
  desk.money = { price_scale: 2, currency: "USD" };
  desk.cash = 1_000_000;
  await desk.live();
  desk.book([[4125, 100]], [[4130, 50]], "ACME");
  leave = desk.app.ticket.view.subscribe((now) => (view = now));
});

afterEach(() => {
  leave();
  desk.app.stop();
});

const says = () => desk.app.words.get().say(view.sentence);
const fixes = () => view.forecast.fixes.map(({ label }) => desk.app.words.get().say(label));
const ticket = () => desk.app.ticket;

it("a price is typed, stepped and taken from the ladder with its cents", () => {
  expect(view.form.price).toBe("41.25");
  ticket().set({ price: "41.3", qty: "10" });
  expect(view.draft).toMatchObject({ price: 4130, qty: 10 });
  expect(says()).toBe("$41.30에 10주가 바로 체결될 수 있습니다.");
  ticket().stepPrice(1);
  expect(view.form.price).toBe("41.31");
  ticket().stepPrice(-10);
  expect([view.form.price, view.draft.price]).toEqual(["41.21", 4121]);
  ticket().takePrice(4125);
  expect([view.form.price, says()]).toEqual(["41.25", "바로 체결되지 않고, $41.25에서 100주 뒤에 줄을 섭니다."]);
  expect(view.cost).toMatchObject({ amount: 41250 });
});

it("a fraction of a cent is refused with the cents beside it", () => {
  ticket().set({ price: "41.255", qty: "1" });
  expect(view).toMatchObject({ ready: false, forecast: { kind: "refused", reason: "price_tick", field: "price" } });
  expect([says(), ...fixes()]).toEqual(["이 가격대는 $0.01 단위로 주문합니다.", "$41.25", "$41.26"]);
  ticket().fix(view.forecast.fixes[1]?.patch ?? {});
  expect([view.form.price, view.draft.price, view.ready]).toEqual(["41.26", 4126, true]);
  ticket().set({ price: "41.255" });
  ticket().stepPrice(1);
  expect(view.form.price).toBe("41.26");
});

it("a quantity stays whole", () => {
  ticket().set({ qty: "1.5" });
  expect(view).toMatchObject({ ready: false, forecast: { reason: "invalid_qty" } });
});

it("what is missing is said in dollars, in both languages", () => {
  ticket().set({ price: "41.30", qty: "1000" });
  expect([says(), ...fixes()]).toEqual([
    "현금이 $31,300.00 모자랍니다. 최대 242주까지 살 수 있습니다.",
    "242주로 바꾸기",
  ]);
  desk.app.preferences.set("language", "en");
  expect(says()).toBe("$31,300.00 short. You can buy up to 242.");
});

it("an order is sent in whole cents", async () => {
  desk.answers.set("POST /v1/orders", () =>
    Response.json({ ...order({ symbol: "ACME", limit_price: 4130 }), fills: [] }, { status: 201 }),
  );
  ticket().set({ price: "41.30", qty: "7" });
  await ticket().submit();
  const sent = desk.calls.find(({ method, path }) => method === "POST" && path === "/v1/orders");
  expect(sent?.body).toMatchObject({ symbol: "ACME", limit_price: 4130, qty: 7 });
});

it("a correction begins with the order's own price, and notices tell dollars", () => {
  desk.app.orders.takeOrder(order({ order_id: 7, symbol: "ACME", limit_price: 4125 }));
  ticket().amend(7);
  expect([view.form.price, view.draft.price]).toEqual(["41.25", 4125]);
  desk.app.toasts.fill(fill({ symbol: "ACME", price: 4130, qty: 2 }), null);
  desk.app.toasts.flush();
  const { say } = desk.app.words.get();
  const [toast] = desk.app.toasts.shown.get();
  expect(toast && [toast.title, ...toast.detail].map(say)).toContain("$41.30");
});
