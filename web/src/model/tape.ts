/** The selected instrument's trades, newest first, from KIS frames; own fills are marked. */

import type { Tick } from "../api/feed/protocol";
import type { FillView, PublicTrade, Side } from "../api/types";
import { clockTime, kisTime } from "./numbers";
import { Store } from "./store";

export interface TapeRow {
  /** Grows by one with each row, so that a view can tell what is new. */
  id: number;
  /** `HH:MM:SS` in Korean time. */
  time: string;
  price: number;
  qty: number;
  taker: Side | null;
  mine: boolean;
}

export const TAPE_ROWS = 100;

export class Tape {
  readonly rows = new Store<readonly TapeRow[]>([]);
  #symbol: string | null = null;
  #next = 1;
  /** Own fills whose trade has not been seen yet. */
  #own: { price: number; qty: number; time: string }[] = [];

  clear(symbol: string | null): void {
    this.#symbol = symbol;
    this.#own = [];
    this.rows.set([]);
  }

  /** Recent trades that were asked for; what came live meanwhile stays on top. */
  fill(symbol: string, trades: readonly PublicTrade[]): void {
    if (symbol !== this.#symbol) return;
    const live = this.rows.get();
    const oldest = live.at(-1);
    const past = trades.map((trade) => ({
      id: 0,
      time: clockTime(trade.ts),
      price: trade.price,
      qty: trade.qty,
      taker: trade.taker_side,
      mine: false,
    }));
    // Both lists know the time to the second only: what is of the oldest live second or later is taken as seen.
    const older = oldest === undefined ? past : past.filter((row) => row.time < oldest.time);
    this.rows.set([...live, ...older].slice(0, TAPE_ROWS));
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
    if (fresh.length > 0) this.rows.set([...fresh, ...this.rows.get()].slice(0, TAPE_ROWS));
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
