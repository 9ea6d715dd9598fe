import { beforeEach, describe, expect, it } from "vitest";
import type { AccountView, BalanceView, HoldingView, PositionView } from "../../src/api/types";
import { Account } from "../../src/model/account";

const TS = "2026-11-23T01:00:00Z";

function balance(seq: number, cash: number, reserved = 0): BalanceView {
  const days = { settled_cash: cash - 300, cash_d1: cash - 200, cash_d2: cash };
  return { kind: "balance", account_id: 5, cash, reserved, available: cash - reserved, ...days, seq, ts: TS };
}

function position(seq: number, changes: Partial<PositionView> = {}): PositionView {
  const qty = changes.qty ?? 10;
  return {
    kind: "position",
    account_id: 5,
    symbol: "005930",
    qty,
    reserved_qty: 0,
    available_qty: qty,
    cost_amount: qty * 70000,
    avg_cost: qty ? "70000" : null,
    realized_profit: 0,
    seq,
    ts: TS,
    ...changes,
  };
}

function read(seq: number, realized: number, held: PositionView[]): [AccountView, HoldingView[]] {
  const account = { ...balance(seq, 1_000_000), market_value: 0, cost_amount: 0, unrealized_profit: 0, total_value: 0 };
  return [
    { ...account, realized_profit: realized },
    held.map((each) => ({ ...each, last_price: 1, market_value: 1, unrealized_profit: 1 })),
  ];
}

const priceOf = (symbol: string) => ({ "005930": 71400, "000660": 198000 })[symbol] ?? null;

let account: Account;
beforeEach(() => (account = new Account()));

describe("money and shares", () => {
  it("are valued at the prices that are shown", () => {
    account.load(...read(10, 500, [position(9)]));
    expect(account.holdings(priceOf)).toEqual([
      {
        symbol: "005930",
        qty: 10,
        reserved: 0,
        available: 10,
        averageCost: "70000",
        cost: 700_000,
        price: 71400,
        value: 714_000,
        profit: 14_000,
        rateX100: 200,
      },
    ]);
    expect(account.totals(priceOf)).toEqual({
      cash: 1_000_000,
      settled: 999_700,
      d1: 999_800,
      d2: 1_000_000,
      reserved: 0,
      available: 1_000_000,
      value: 714_000,
      cost: 700_000,
      profit: 14_000,
      realized: 500,
      equity: 1_714_000,
    });
  });

  it("follow events, and never go back", () => {
    account.load(...read(10, 0, [position(9)]));
    account.take(balance(12, 900_000, 50_000));
    account.take(balance(11, 5));
    expect(account.balance.get()?.available).toBe(850_000);
    account.take(position(12, { qty: 12, reserved_qty: 5, available_qty: 7 }));
    account.take(position(11, { qty: 1 }));
    expect(account.sharesOf("005930")).toEqual({ available: 7, held: 5 });
    expect(account.sharesOf("000660")).toEqual({ available: 0, held: 0 });
    expect(account.sharesOf(null)).toEqual({ available: 0, held: 0 });
  });

  it("an event that came before the answer stands where it is newer", () => {
    account.take(balance(15, 700_000));
    account.take(position(15, { qty: 30 }));
    account.load(...read(10, 0, [position(9)]));
    expect(account.balance.get()?.cash).toBe(700_000);
    expect(account.positions.get().get("005930")?.qty).toBe(30);
    account.load(...read(20, 0, [position(9)]));
    expect(account.balance.get()?.cash).toBe(1_000_000);
    expect(account.positions.get().get("005930")?.qty).toBe(10);
  });

  it("what was sold out is gone from the list, but its profit is not", () => {
    account.load(...read(10, 0, [position(9)]));
    account.take(position(12, { qty: 0, cost_amount: 0, avg_cost: null, realized_profit: 14_000 }));
    expect(account.holdings(priceOf)).toEqual([]);
    expect(account.totals(priceOf)?.realized).toBe(14_000);
  });

  it("profit realized before, on what is bought again, counts once", () => {
    account.load(...read(10, 9_000, []));
    expect(account.totals(priceOf)?.realized).toBe(9_000);
    account.take(position(8, { qty: 0, realized_profit: 9_000 })); // from before the account was read
    expect(account.totals(priceOf)?.realized).toBe(9_000);
    account.take(position(12, { qty: 3, realized_profit: 9_000 }));
    expect(account.totals(priceOf)?.realized).toBe(9_000);
    account.take(position(13, { qty: 0, realized_profit: 9_500 }));
    expect(account.totals(priceOf)?.realized).toBe(9_500);
  });

  it("there is nothing to say before it was read", () => {
    expect(account.totals(priceOf)).toBeNull();
    account.load(...read(10, 0, [position(9)]));
    account.clear();
    expect([account.totals(priceOf), account.holdings(priceOf)]).toEqual([null, []]);
  });
});
