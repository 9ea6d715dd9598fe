/** The chart's candles: history from the exchange, the newest grown by trades as they come. */

import type { Exchange } from "../api/exchange";
import type { Tick } from "../api/feed/protocol";
import type { CandleView, Interval } from "../api/types";
import { Events, Store } from "./store";

/** Times in seconds since 1970, as the chart takes them. */
export interface Candle {
  time: number;
  open: number;
  high: number;
  low: number;
  close: number;
  volume: number;
}

export interface CandlesNow {
  symbol: string | null;
  interval: Interval;
  candles: readonly Candle[];
  state: "empty" | "loading" | "ready" | "failed";
  /** Whether older ones may exist. */
  more: boolean;
}

export const SECONDS: Record<Interval, number> = {
  "1m": 60,
  "3m": 180,
  "5m": 300,
  "15m": 900,
  "30m": 1800,
  "60m": 3600,
  "1d": 86400,
};

const KST_S = 9 * 3600;
const PAGE = 500;

/** The beginning of the interval that holds a time; days are Korean days. */
export function bucketOf(seconds: number, interval: Interval): number {
  const width = SECONDS[interval];
  const shift = interval === "1d" ? KST_S : 0;
  return Math.floor((seconds + shift) / width) * width - shift;
}

function candleOf(view: CandleView): Candle {
  const { open, high, low, close, volume } = view;
  return { time: Math.floor(Date.parse(view.ts) / 1000), open, high, low, close, volume };
}

export class Candles {
  /** Set when the whole changes: another symbol, another interval, history. */
  readonly now = new Store<CandlesNow>({ symbol: null, interval: "1m", candles: [], state: "empty", more: false });
  /** A candle that changed or began: the newest, or an ended one that the exchange's own has replaced (the chart's
   * `update(candle, true)`). */
  readonly updated = new Events<Candle>();
  readonly #exchange: Exchange;
  #candles: Candle[] = [];
  #waiting: Tick[] = [];
  #load = 0;
  #mend: ReturnType<typeof setTimeout> | null = null;
  /** The first candle that has ended since the last mending. */
  #ended: number | null = null;
  #foreign = false;

  constructor(exchange: Exchange) {
    this.#exchange = exchange;
  }

  /** All candles as they are now, the grown last one included. */
  get all(): readonly Candle[] {
    return this.#candles;
  }

  /** Whether trades are the real market's: the exchange has no history of those. */
  setForeign(foreign: boolean): void {
    this.#foreign = foreign;
    const { symbol, interval } = this.now.get();
    if (symbol === null) return;
    this.now.update((now) => ({ ...now, symbol: null }));
    void this.load(symbol, interval).catch(() => undefined); // said by the state
  }

  /** Read a symbol's history, no older than a command. A newer call makes an older one's answer void. */
  async load(symbol: string, interval: Interval, minSeq?: number): Promise<void> {
    const load = ++this.#load;
    const again = this.now.get().symbol === symbol && this.now.get().interval === interval;
    this.#stopMending();
    this.#waiting = [];
    if (!again) this.#candles = [];
    this.now.set({ symbol, interval, candles: this.#candles, state: again ? "ready" : "loading", more: false });
    if (this.#foreign) {
      this.#show("ready", false);
      return;
    }
    try {
      const page = (await this.#exchange.candles(symbol, interval, { limit: PAGE }, minSeq)).body;
      if (load !== this.#load) return;
      this.#candles = page.candles.map(candleOf).reverse();
      const waiting = this.#waiting;
      this.#waiting = [];
      for (const tick of waiting) this.#grow(tick, true);
      this.#show("ready", page.candles.length === PAGE);
    } catch (error) {
      if (load === this.#load) this.#show("failed", false);
      throw error;
    }
  }

  /** Read older candles; false when there are none. */
  async loadOlder(): Promise<boolean> {
    const { symbol, interval, more, state } = this.now.get();
    const oldest = this.#candles[0];
    if (symbol === null || !more || state !== "ready" || oldest === undefined) return false;
    const load = this.#load;
    const to = new Date(oldest.time * 1000).toISOString();
    const page = (await this.#exchange.candles(symbol, interval, { to, limit: PAGE })).body;
    if (load !== this.#load) return false;
    this.#candles = [...page.candles.map(candleOf).reverse(), ...this.#candles];
    this.#show("ready", page.candles.length === PAGE);
    return page.candles.length > 0;
  }

  /** Trades of the symbol that is shown, oldest first. */
  take(ticks: readonly Tick[]): void {
    const { symbol, state } = this.now.get();
    let touched = false;
    for (const tick of ticks) {
      if (tick.symbol !== symbol) continue;
      if (state === "loading") this.#waiting.push(tick);
      else {
        this.#grow(tick, false);
        touched = true;
      }
    }
    const last = this.#candles.at(-1);
    if (touched && last !== undefined) this.updated.emit(last);
  }

  stop(): void {
    this.#load += 1;
    this.#stopMending();
  }

  /** `seen`: history that was read after this trade came holds its volume already. */
  #grow(tick: Tick, seen: boolean): void {
    const time = bucketOf(tick.at / 1000, this.now.get().interval);
    const last = this.#candles.at(-1);
    if (last !== undefined && time < last.time) return; // of a candle that has ended: the exchange's own is right
    if (last === undefined || time > last.time) {
      const { price } = tick;
      this.#candles.push({ time, open: price, high: price, low: price, close: price, volume: tick.qty });
      if (last !== undefined) this.#mendSoon(last.time);
      return;
    }
    this.#candles[this.#candles.length - 1] = {
      ...last,
      high: Math.max(last.high, tick.price),
      low: Math.min(last.low, tick.price),
      close: tick.price,
      volume: last.volume + (seen ? 0 : tick.qty),
    };
  }

  #show(state: CandlesNow["state"], more: boolean): void {
    this.now.update((now) => ({ ...now, candles: [...this.#candles], state, more }));
  }

  /** A candle has ended: take the exchange's own, which has every trade once. On a fast clock many end before it comes. */
  #mendSoon(time: number): void {
    if (this.#foreign) return;
    this.#ended ??= time;
    const load = this.#load;
    this.#mend ??= setTimeout(() => {
      const from = this.#ended;
      this.#mend = null;
      this.#ended = null;
      if (from !== null) void this.#mendFrom(from, load);
    }, 1500);
  }

  async #mendFrom(time: number, load: number): Promise<void> {
    const { symbol, interval } = this.now.get();
    const growing = this.#candles.at(-1);
    if (symbol === null || growing === undefined) return;
    const from = new Date(time * 1000).toISOString();
    const to = new Date(growing.time * 1000).toISOString();
    const page = await this.#exchange.candles(symbol, interval, { from, to, limit: PAGE }).catch(() => null);
    if (load !== this.#load) return; // the next history brings them
    for (const view of page?.body.candles.toReversed() ?? []) {
      const mended = candleOf(view);
      const place = this.#candles.findIndex((candle) => candle.time === mended.time);
      if (place < 0) continue;
      this.#candles[place] = mended;
      this.updated.emit(mended);
    }
  }

  #stopMending(): void {
    if (this.#mend !== null) clearTimeout(this.#mend);
    this.#mend = null;
    this.#ended = null;
  }
}
