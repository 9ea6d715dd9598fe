/** What tabs and the shared feed say to each other. Plain data only: it crosses a `MessagePort`. */

import type { AccountEvent, Clock, InstrumentState, KisMode, Level, QueuePlace } from "../types";

/** A trade, or the newest state of a symbol, from KIS's H0STCNT0. */
export interface Tick {
  symbol: string;
  /** Milliseconds since 1970 of the trade's second. */
  at: number;
  /** `HHMMSS`, Korean time. */
  time: string;
  price: number;
  qty: number;
  /** Who came to the other: `1` a buyer, `5` a seller, `3` before the open. */
  taker: "buy" | "sell" | null;
  change: number;
  open: number;
  high: number;
  low: number;
  volume: number;
  turnover: number;
  halted: boolean;
  /** At the day's limit, as KIS's sign says. */
  limit: "upper" | "lower" | null;
}

/** What H0STASP0 tells beyond our own book: the indicative price of an auction, and the totals. */
export interface Indication {
  symbol: string;
  hour: string;
  expectedPrice: number | null;
  expectedQty: number | null;
  totalAsk: number;
  totalBid: number;
}

/** Our own book, best levels first, as of event `id`. */
export interface BookState {
  symbol: string;
  id: string | null;
  bids: Level[];
  asks: Level[];
}

/** How instruments stand now, as of command `seq`, and the clock as it was when this machine's showed `at`. */
export interface MarketNews {
  /** Those that changed. */
  states: InstrumentState[];
  seq: number;
  clock: Clock | null;
  at: number;
}

export type LinkName = "account" | "book" | "kis";

/** `silent`: open, but nothing was heard for too long; what is shown is not live. */
export type LinkState = "off" | "connecting" | "live" | "silent" | "waiting" | "refused";

/** Why a link is as it is, in words that the model turns into a sentence. */
export type LinkReason =
  | "lost"
  | "flapping"
  | "key_superseded"
  | "in_use"
  | "no_approval"
  | "mixed_content"
  | "session_ended"
  | "too_many"
  | "busy"
  | null;

export interface LinkStatus {
  name: LinkName;
  state: LinkState;
  reason: LinkReason;
  /** Tries since the last time it was live. */
  attempt: number;
  /** When the next try begins, in milliseconds since 1970. */
  retryAt: number | null;
  /** When something was last heard. */
  heardAt: number | null;
  /** Closes within the last minutes. */
  closes: number;
}

export interface KisStatus {
  mode: KisMode | null;
  /** Registrations used, of at most `limit`. */
  used: number;
  limit: number;
  /** Listed symbols that found no room. */
  left_out: string[];
  frames: number;
  /** Frames that could not be read, by fault. */
  broken: Record<string, number>;
}

export type ToFeed =
  | { kind: "hello"; language: "ko" | "en"; csrfToken: string | null; accountId: number | null }
  | { kind: "watch"; symbols: string[]; selected: string | null }
  /** Connect now, whatever the back-off says. */
  | { kind: "retry" }
  | { kind: "alive" }
  | { kind: "bye" };

export type FromFeed =
  | { kind: "link"; status: LinkStatus }
  | { kind: "kis"; status: KisStatus }
  /** The account's stream is open. `head` is the exchange's newest command then: events up to it happened meanwhile. */
  | { kind: "account-open"; accountId: number | null; resumed: boolean; head: number; lastId: string | null }
  | { kind: "account"; events: AccountEvent[] }
  | { kind: "queue"; places: QueuePlace[] }
  | { kind: "book"; books: BookState[] }
  | { kind: "market"; news: MarketNews }
  | { kind: "ticks"; latest: Tick[]; trades: Tick[] }
  | { kind: "indication"; indications: Indication[] }
  /** The machine slept: everything that is shown must be read anew. */
  | { kind: "woke"; sleptMs: number };

/** A tab's end of the feed. */
export interface FeedPort {
  send(message: ToFeed): void;
  listen(run: (message: FromFeed) => void): () => void;
  close(): void;
}
