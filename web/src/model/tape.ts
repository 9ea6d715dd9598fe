/** The selected instrument's trades, newest first, from KIS frames; own fills are marked. */

import type { Tick } from "../api/feed/protocol";
import type { FillView, PublicTrade, Side } from "../api/types";
import { clockTime, kisTime } from "./numbers";
import { Store } from "./store";

export interface TapeRow {
  /** Another one for each row, so that a view can tell what is new. */
  id: number;
  /** `HH:MM:SS` in Korean time. */
  time: string;
  price: number;
  qty: number;
  taker: Side | null;
  mine: boolean;
}

export const TAPE_ROWS = 100;

function rowKey(row: Pick<TapeRow, "time" | "price" | "qty">): string {
  return `${row.time} ${row.price} ${row.qty}`;
}

/** How many of the first live trades the end of what was read holds already. Both are stretches of one sequence, oldest
 * first; KIS's trades have no number to tell them apart by. */
export function overlap(read: readonly string[], live: readonly string[]): number {
  for (let count = Math.min(read.length, live.length); count > 0; count -= 1) {
    const start = read.length - count;
    let same = true;
    for (let index = 0; same && index < count; index += 1) same = read[start + index] === live[index];
    if (same) return count;
  }
  return 0;
}

export class Tape {
  readonly rows = new Store<readonly TapeRow[]>([]);
  #symbol: string | null = null;
  #next = 1;
  /** Rows that came live since the beginning or the last `broken`: there is no gap among them. */
  #unbroken = 0;
  /** Own fills whose trade has not been seen yet. */
  #own: { price: number; qty: number; time: string }[] = [];

  clear(symbol: string | null): void {
    this.#symbol = symbol;
    this.#own = [];
    this.#unbroken = 0;
    this.rows.set([]);
  }

  /** The connection was lost: trades may be missing between what is shown and what comes next. */
  broken(): void {
    this.#unbroken = 0;
  }

  /** Recent trades that were asked for, newest first, replace everything but the live trades that are newer. */
  fill(symbol: string, trades: readonly PublicTrade[], ownTrades: ReadonlySet<number> = new Set()): void {
    if (symbol !== this.#symbol) return;
    const live = this.rows.get().slice(0, this.#unbroken);
    const read = trades.map((trade) => ({
      id: 0,
      time: clockTime(trade.ts),
      price: trade.price,
      qty: trade.qty,
      taker: trade.taker_side,
      mine: ownTrades.has(trade.trade_id),
    }));
    const seen = overlap(read.map(rowKey).reverse(), live.map(rowKey).reverse());
    const newer = live.slice(0, live.length - seen);
    const older = read.map((row) => ({ ...row, id: this.#next++ }));
    this.#unbroken = Math.min(newer.length + older.length, TAPE_ROWS);
    this.rows.set([...newer, ...older].slice(0, TAPE_ROWS));
  }

  take(ticks: readonly Tick[]): void {
    const fresh: TapeRow[] = [];
    for (const tick of ticks) {
      if (tick.symbol !== this.#symbol) continue;
      const time = kisTime(tick.time);
      const own = this.#own.findIndex(
        (each) => each.price === tick.price && each.qty === tick.qty && each.time === time,
      );
      if (own >= 0) this.#own.splice(own, 1);
      fresh.unshift({ id: this.#next++, time, price: tick.price, qty: tick.qty, taker: tick.taker, mine: own >= 0 });
    }
    if (fresh.length === 0) return;
    this.#unbroken = Math.min(this.#unbroken + fresh.length, TAPE_ROWS);
    this.rows.set([...fresh, ...this.rows.get()].slice(0, TAPE_ROWS));
  }

  /** An own fill: its trade is in the tape already, or will be in a moment. */
  mark(fill: FillView): void {
    if (fill.symbol !== this.#symbol) return;
    const own = { price: fill.price, qty: fill.qty, time: clockTime(fill.ts) };
    const rows = this.rows.get();
    const place = rows.findIndex(
      (row) => !row.mine && row.price === own.price && row.qty === own.qty && row.time === own.time,
    );
    if (place < 0) {
      this.#own = [...this.#own.slice(-49), own];
      return;
    }
    this.rows.set(rows.map((row, index) => (index === place ? { ...row, mine: true } : row)));
  }
}
