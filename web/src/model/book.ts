/** The selected instrument's order book: ours, always. The ladder draws from it once a frame. */

import type { BookState } from "../api/feed/protocol";
import type { Level } from "../api/types";
import type { Depth } from "./forecast";
import { Store } from "./store";

export interface BookNow {
  symbol: string | null;
  bids: readonly Level[];
  asks: readonly Level[];
  /** Whether it came over an open stream that was heard from of late. */
  live: boolean;
  /** Whether anything was received for this symbol. */
  known: boolean;
}

/** Levels that are asked for: enough for the ladder's ten, and for forecasts of orders that go deeper. */
export const BOOK_DEPTH = 50;
export const LADDER_LEVELS = 10;

const EMPTY: BookNow = { symbol: null, bids: [], asks: [], live: false, known: false };

export class Book {
  readonly now = new Store<BookNow>(EMPTY);
  #live = false;

  clear(symbol: string | null): void {
    this.now.set({ ...EMPTY, symbol });
  }

  take(state: BookState): void {
    this.now.set({ symbol: state.symbol, bids: state.bids, asks: state.asks, live: this.#live, known: true });
  }

  setLive(live: boolean): void {
    this.#live = live;
    if (this.now.get().live !== live && this.now.get().known) this.now.update((book) => ({ ...book, live }));
  }

  /** For a forecast: null while the book is not known or no longer live. */
  depth(): Depth | null {
    const book = this.now.get();
    if (!book.known || !book.live) return null;
    return {
      bids: book.bids,
      asks: book.asks,
      whole: book.bids.length < BOOK_DEPTH && book.asks.length < BOOK_DEPTH,
    };
  }
}
