/** The account's money and shares, and what they are worth at the prices that are shown. */

import type { AccountView, BalanceView, HoldingView, PositionView } from "../api/types";
import { Store } from "./store";

export interface Holding {
  symbol: string;
  qty: number;
  reserved: number;
  available: number;
  /** Decimal string. */
  averageCost: string | null;
  cost: number;
  /** The last price; the base price before a first trade. */
  price: number;
  value: number;
  profit: number;
  /** Hundredths of a percent of the cost. */
  rateX100: number;
}

export interface Totals {
  cash: number;
  /** What of it is settled (D, 예수금), and what will be on D+1 and D+2. */
  settled: number;
  d1: number;
  d2: number;
  reserved: number;
  available: number;
  /** What the shares are worth. */
  value: number;
  cost: number;
  profit: number;
  realized: number;
  /** Cash and shares. */
  equity: number;
}

export type PriceOf = (symbol: string) => number | null;

export class Account {
  readonly balance = new Store<BalanceView | null>(null);
  /** By symbol; those that were sold out have quantity 0. */
  readonly positions = new Store<ReadonlyMap<string, PositionView>>(new Map());
  /** Profit realized on what is not among the positions. */
  #realizedElsewhere = 0;
  #loadedSeq = 0;

  clear(): void {
    this.balance.set(null);
    this.positions.set(new Map());
    this.#realizedElsewhere = 0;
    this.#loadedSeq = 0;
  }

  /** Take what was read. Values are absolute, so events that came meanwhile stand where they are newer. */
  load(account: AccountView, holdings: readonly HoldingView[]): void {
    const now = this.balance.get();
    const { account_id, cash, reserved, available, settled_cash, cash_d1, cash_d2, seq, ts } = account;
    if (now === null || now.seq <= seq) {
      const days = { settled_cash, cash_d1, cash_d2 };
      this.balance.set({ kind: "balance", account_id, cash, reserved, available, ...days, seq, ts });
    }
    const positions = new Map(holdings.map((holding): [string, PositionView] => [holding.symbol, holding]));
    const told = holdings.reduce((sum, holding) => sum + holding.realized_profit, 0);
    this.#realizedElsewhere = account.realized_profit - told;
    this.#loadedSeq = seq;
    const newer = [...this.positions.get().values()].filter((position) => position.seq > seq);
    this.positions.set(positions);
    for (const position of newer) this.take(position);
  }

  take(view: BalanceView | PositionView): void {
    if (view.kind === "balance") {
      const now = this.balance.get();
      if (now === null || now.seq <= view.seq) this.balance.set(view);
      return;
    }
    const known = this.positions.get().get(view.symbol);
    if (known === undefined) {
      if (view.seq <= this.#loadedSeq) return; // sold out before the account was read
      // Bought anew: what it had realized before was told with the account, and comes again with the position.
      this.#realizedElsewhere -= view.realized_profit;
    } else if (known.seq > view.seq) return;
    this.positions.set(new Map(this.positions.get()).set(view.symbol, view));
  }

  /** Shares of a symbol that a new sell may offer, and those that open sells hold. */
  sharesOf(symbol: string | null): { available: number; held: number } {
    const position = symbol === null ? undefined : this.positions.get().get(symbol);
    return { available: position?.available_qty ?? 0, held: position?.reserved_qty ?? 0 };
  }

  holdings(priceOf: PriceOf): Holding[] {
    const held: Holding[] = [];
    for (const position of this.positions.get().values()) {
      if (position.qty === 0) continue;
      const price = priceOf(position.symbol) ?? 0;
      const value = price * position.qty;
      const profit = value - position.cost_amount;
      held.push({
        symbol: position.symbol,
        qty: position.qty,
        reserved: position.reserved_qty,
        available: position.available_qty,
        averageCost: position.avg_cost,
        cost: position.cost_amount,
        price,
        value,
        profit,
        rateX100: position.cost_amount > 0 ? Math.trunc((profit * 10_000) / position.cost_amount) : 0,
      });
    }
    return held.sort((a, b) => a.symbol.localeCompare(b.symbol));
  }

  totals(priceOf: PriceOf): Totals | null {
    const balance = this.balance.get();
    if (balance === null) return null;
    const held = this.holdings(priceOf);
    const sum = (pick: (holding: Holding) => number) => held.reduce((total, each) => total + pick(each), 0);
    const value = sum((each) => each.value);
    const realized = [...this.positions.get().values()].reduce((total, each) => total + each.realized_profit, 0);
    return {
      cash: balance.cash,
      settled: balance.settled_cash,
      d1: balance.cash_d1,
      d2: balance.cash_d2,
      reserved: balance.reserved,
      available: balance.available,
      value,
      cost: sum((each) => each.cost),
      profit: sum((each) => each.profit),
      realized: realized + this.#realizedElsewhere,
      equity: balance.cash + value,
    };
  }
}
