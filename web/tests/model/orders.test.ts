import { beforeEach, describe, expect, it } from "vitest";
import { isNewer, Orders, ownLevels } from "../../src/model/orders";
import { fill, order } from "../support/market";

let orders: Orders;
let filled: string[];
let changed: string[];

beforeEach(() => {
  orders = new Orders();
  filled = [];
  changed = [];
  orders.filled.on(({ fill: each, order: of }) => filled.push(`${each.trade_id}:${of?.filled_qty ?? "?"}`));
  orders.changed.on(({ order: each, before }) => changed.push(`${before?.status ?? "none"}>${each.status}`));
});

describe("orders", () => {
  it("an event counts once, whichever way it comes", () => {
    const accepted = order({ seq: 10 });
    expect(orders.takeOrder(accepted)).toBe(true);
    expect(orders.takeOrder({ ...accepted })).toBe(false);
    expect(changed).toEqual(["none>new"]);
  });

  it("an older event changes nothing", () => {
    orders.takeOrder(order({ seq: 12, status: "canceled", canceled_qty: 100, leaves_qty: 0 }));
    expect(orders.takeOrder(order({ seq: 10 }))).toBe(false);
    expect(orders.open.get()).toEqual([]);
  });

  it("within one command an order only gets on: the answer first, then the same events", () => {
    const answer = order({ seq: 10, status: "filled", filled_qty: 100, leaves_qty: 0 });
    const fills = [
      fill({ seq: 10, trade_id: 1, qty: 60, filled_qty: 60, leaves_qty: 40 }),
      fill({ seq: 10, trade_id: 2, qty: 40, filled_qty: 100, leaves_qty: 0, status: "filled" }),
    ];
    orders.takeOrder(answer);
    fills.forEach((each) => orders.takeFill(each));
    orders.takeOrder(order({ seq: 10 }));
    fills.forEach((each) => orders.takeFill({ ...each }));
    expect(orders.get(7)).toEqual(answer);
    expect(filled).toEqual(["1:100", "2:100"]);
    expect(changed).toEqual(["none>filled"]);
  });

  it("fills make the order what the fill says", () => {
    orders.takeOrder(order({ seq: 10 }));
    orders.takeFill(fill({ seq: 11, trade_id: 1 }));
    expect(orders.get(7)).toMatchObject({ filled_qty: 30, leaves_qty: 70, status: "partially_filled", seq: 11 });
    expect(orders.open.get()).toHaveLength(1);
    orders.takeFill(fill({ seq: 12, trade_id: 2, qty: 70, filled_qty: 100, leaves_qty: 0, status: "filled" }));
    expect(orders.open.get()).toEqual([]);
    expect(orders.fills.get().map(({ trade_id }) => trade_id)).toEqual([2, 1]);
    expect(orders.fillsOf(7)).toHaveLength(2);
  });

  it("a fill may come before its order", () => {
    orders.takeFill(fill({ seq: 11, trade_id: 1 }));
    orders.takeOrder(order({ seq: 10 }));
    expect(filled).toEqual(["1:?"]);
    expect(orders.fills.get()).toHaveLength(1);
    expect(orders.get(7)).toMatchObject({ filled_qty: 30, leaves_qty: 70, status: "partially_filled", seq: 11 });
  });

  it("a fill may come before the page that was read as of an earlier command", () => {
    orders.takeFill(fill({ seq: 11, trade_id: 1 }));
    orders.takeFill(fill({ seq: 12, trade_id: 2, qty: 70, filled_qty: 100, leaves_qty: 0, status: "filled" }));
    orders.load([order({ seq: 10 })], [], [], 10);
    expect(orders.open.get()).toEqual([]);
    expect(orders.get(7)).toMatchObject({ filled_qty: 100, leaves_qty: 0, status: "filled", seq: 12 });
  });

  it("a fill that the page which was read already holds changes nothing", () => {
    orders.takeFill(fill({ seq: 11, trade_id: 1 }));
    const read = order({ seq: 12, status: "canceled", filled_qty: 30, leaves_qty: 0, canceled_qty: 70 });
    orders.load([], [read], [], 12);
    expect(orders.get(7)).toEqual(read);
  });

  it("a trade with oneself is two fills", () => {
    orders.takeFill(fill({ trade_id: 5, order_id: 7 }));
    orders.takeFill(fill({ trade_id: 5, order_id: 8, side: "sell" }));
    expect(orders.fills.get()).toHaveLength(2);
  });

  it("history makes no noise, and what it tells is not told again", () => {
    const past = fill({ seq: 9, trade_id: 3 });
    orders.load([order({ seq: 10 })], [], [past], 20);
    orders.takeFill({ ...past });
    expect(filled).toEqual([]);
    expect(orders.loaded.get()).toBe(true);
  });

  it("what was read anew replaces what has ended since, but not what is newer", () => {
    orders.takeOrder(order({ order_id: 1, seq: 10 }));
    orders.takeOrder(order({ order_id: 2, seq: 30 }));
    orders.load([], [order({ order_id: 1, seq: 15, status: "canceled", canceled_qty: 100, leaves_qty: 0 })], [], 20);
    expect(orders.get(1)?.status).toBe("canceled");
    expect(orders.open.get().map(({ order_id }) => order_id)).toEqual([2]);
    orders.load([], [], [], 40);
    expect(orders.open.get()).toEqual([]);
  });

  it("many changes are one notice", () => {
    let notices = 0;
    orders.all.subscribe(() => (notices += 1));
    orders.together(() => {
      for (let id = 1; id <= 50; id += 1) orders.takeOrder(order({ order_id: id }));
    });
    expect(notices).toBe(2);
    expect(orders.all.get()[0]?.order_id).toBe(50);
  });

  it("does not keep everything for ever", () => {
    orders.together(() => {
      for (let id = 1; id <= 2000; id += 1) {
        orders.takeOrder(order({ order_id: id, status: "filled", filled_qty: 100, leaves_qty: 0 }));
        orders.takeFill(fill({ order_id: id, trade_id: id, filled_qty: 100, leaves_qty: 0, status: "filled" }));
      }
    });
    expect(orders.all.get().length).toBeLessThan(700);
    expect(orders.fills.get()).toHaveLength(1000);
    expect(orders.get(2000)).not.toBeNull();
  });

  it("a correction is newer though nothing was filled", () => {
    const before = order({ seq: 10 });
    expect(isNewer({ ...before, limit_price: 71200 }, before)).toBe(true);
    expect(isNewer({ ...before, qty: 120, leaves_qty: 120 }, before)).toBe(true);
    expect(isNewer({ ...before, seq: 9, limit_price: 71200 }, before)).toBe(false);
  });
});

describe("own levels", () => {
  it("gather orders of one side and price, with what stands ahead of the first", () => {
    const own = [
      order({ order_id: 1 }),
      order({ order_id: 2, qty: 20 }),
      order({ order_id: 3, side: "sell", limit_price: 71500 }),
      order({ order_id: 4, symbol: "000660" }),
      order({ order_id: 5, type: "market", limit_price: null }),
      order({ order_id: 6, type: "stop_limit", limit_price: 71300, stop_price: 71000 }),
    ];
    const place = (order_id: number, ahead_qty: number) => ({
      order_id,
      ahead_qty,
      leaves_qty: 1,
      level_qty: 9000,
      ahead_orders: 2,
    });
    const queue = new Map([
      [1, place(1, 8000)],
      [2, place(2, 8100)],
    ]);
    const levels = ownLevels(own, queue, "005930");
    expect([...levels.keys()]).toEqual(["buy:71300", "sell:71500"]);
    expect(levels.get("buy:71300")).toMatchObject({ qty: 120, ahead: 8000 });
    expect(levels.get("sell:71500")).toMatchObject({ qty: 100, ahead: null });
  });
});
