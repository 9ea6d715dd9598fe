/** The public market: instruments, live quotes, the clock, and of the selected instrument its book, tape and candles. */

import type { BookState, Indication, MarketNews, Tick } from "../api/feed/protocol";
import type { Exchange } from "../api/exchange";
import type { Clock, Instrument, InstrumentState, Phase, PhaseReason } from "../api/types";
import { Book } from "./book";
import { Candles } from "./candles";
import { ExchangeClock } from "./clock";
import { direction, rateX100, type Direction } from "./numbers";
import { KRW, Money, WON } from "./money";
import { isAuction } from "./phases";
import { Events, Store, type Readable } from "./store";
import { Tape } from "./tape";

export type Tag = "halted" | "vi" | "upper" | "lower";

/** An instrument's prices as they are shown. Null where there is none yet. */
export interface Quote {
  symbol: string;
  name: string;
  base: number;
  upper: number | null;
  lower: number | null;
  phase: Phase;
  halted: boolean;
  /** In a volatility interruption's auction. */
  vi: boolean;
  /** What the auction would give now; null outside auctions and without a match. */
  indicativePrice: number | null;
  indicativeQty: number | null;
  last: number | null;
  change: number;
  /** Hundredths of a percent. */
  rateX100: number;
  direction: Direction;
  open: number | null;
  high: number | null;
  low: number | null;
  volume: number;
  turnover: number;
  /** Whether the last price came over KIS's socket and nothing says that it is old. */
  live: boolean;
  limit: "upper" | "lower" | null;
  /** What the list marks it with: 정지, VI, 상한가, 하한가. */
  tag: Tag | null;
  /** Some of the day's prices, oldest first: the sparkline. */
  spark: readonly number[];
}

export const SPARK_POINTS = 40;
const TAPE_READ = 60;
/** Of the exchange's time. */
const SPARK_EVERY_MS = 30_000;

export type ListOrder = "listing" | "rate" | "turnover" | "name";

function quoteOf(instrument: Instrument, spark: readonly number[]): Quote {
  const last = instrument.last_price;
  const base = instrument.base_price;
  const shown = last ?? base;
  return tagged({
    symbol: instrument.symbol,
    name: instrument.name,
    base,
    upper: instrument.upper_limit,
    lower: instrument.lower_limit,
    ...ofState(instrument),
    last,
    change: shown - base,
    rateX100: rateX100(shown, base),
    direction: direction(shown, base),
    open: instrument.day_open,
    high: instrument.day_high,
    low: instrument.day_low,
    volume: instrument.day_volume,
    turnover: instrument.day_turnover,
    live: false,
    limit: limitOf(last, instrument.upper_limit, instrument.lower_limit),
    tag: null,
    spark,
  });
}

/** The part of a quote that the instrument's state tells. */
function ofState(state: InstrumentState): Pick<Quote, "phase" | "halted" | "vi" | "indicativePrice" | "indicativeQty"> {
  const { phase, phase_reason: reason } = state;
  const collects = isAuction(phase);
  return {
    phase,
    halted: phase === "halted",
    vi: phase === "vi_auction" || (collects && (reason === "vi_dynamic" || reason === "vi_static")),
    indicativePrice: collects ? state.indicative_price : null,
    indicativeQty: collects ? state.indicative_qty : null,
  };
}

function tagged(quote: Quote): Quote {
  return { ...quote, tag: quote.halted ? "halted" : quote.vi ? "vi" : quote.limit };
}

/** A quote once its instrument's state is another. `foreign`: its prices are another market's, and so is their base. */
export function withState(quote: Quote, state: InstrumentState, foreign = false): Quote {
  const next = { ...quote, ...ofState(state) };
  if (foreign) return tagged(next);
  const { base_price: base, upper_limit: upper, lower_limit: lower } = state;
  const shown = quote.last ?? base;
  return tagged({
    ...next,
    base,
    upper,
    lower,
    change: shown - base,
    rateX100: rateX100(shown, base),
    direction: direction(shown, base),
    limit: limitOf(quote.last, upper, lower),
  });
}

function limitOf(last: number | null, upper: number | null, lower: number | null): "upper" | "lower" | null {
  if (last === null) return null;
  if (upper !== null && last >= upper) return "upper";
  return lower !== null && last <= lower ? "lower" : null;
}

/** A quote after a trade. `foreign`: the prices are the real market's, so its previous close and limits count. */
export function withTick(quote: Quote, tick: Tick, live: boolean, spark: readonly number[], foreign = false): Quote {
  const base = foreign ? tick.price - tick.change : quote.base;
  return tagged({
    ...quote,
    base,
    last: tick.price,
    change: tick.price - base,
    rateX100: rateX100(tick.price, base),
    direction: direction(tick.price, base),
    open: tick.open || quote.open,
    high: tick.high || quote.high,
    low: tick.low || quote.low,
    volume: tick.volume,
    turnover: tick.turnover,
    halted: tick.halted || quote.phase === "halted",
    live,
    limit: foreign ? tick.limit : limitOf(tick.price, quote.upper, quote.lower),
    spark,
  });
}

export class Market {
  /** In the order of listing. Told when an instrument's rules change, not its prices: those are in the quotes. */
  readonly instruments = new Store<readonly Instrument[]>([]);
  readonly selected = new Store<string | null>(null);
  /** How its prices and money are written. */
  readonly money = new Store<Money>(WON);
  /** The exchange's clock, running. */
  readonly time: ExchangeClock;
  /** Its last answer. */
  readonly clock: Readable<Clock | null>;
  /** How the selected instrument stands. */
  readonly stateNow = new Store<InstrumentState | null>(null);
  readonly phaseChanged = new Events<PhaseChange>();
  readonly indication = new Store<Indication | null>(null);
  readonly book = new Book();
  readonly tape = new Tape();
  readonly candles: Candles;
  readonly #exchange: Exchange;
  readonly #now: () => number;
  readonly #quotes = new Map<string, Store<Quote>>();
  /** How each instrument stands, and the command as of which that is. */
  readonly #states = new Map<string, { store: Store<InstrumentState>; seq: number }>();
  readonly #sparkAt = new Map<string, number>();
  /** 직전가, as it was last read. */
  readonly #previous = new Map<string, number | null>();
  #loadedSeq = 0;
  #live = false;
  #foreign = false;

  constructor(exchange: Exchange, now: () => number = Date.now) {
    this.#exchange = exchange;
    this.#now = now;
    this.time = new ExchangeClock(now);
    this.clock = this.time.state;
    this.candles = new Candles(exchange);
  }

  /** Read instruments and the clock. Throws what the calls throw. */
  async load(): Promise<void> {
    const asked = this.#now();
    const [symbols, clock] = await Promise.all([this.#exchange.symbols(), this.#exchange.clock()]);
    this.time.take(clock.body, (asked + this.#now()) / 2);
    // An exchange that began anew counts from the beginning: what was heard of the old one is no newer.
    if (symbols.body.seq < this.#loadedSeq) for (const known of this.#states.values()) known.seq = 0;
    this.#loadedSeq = symbols.body.seq;
    const { price_scale: scale, currency } = symbols.body;
    const known = this.money.get();
    if (known.scale !== scale || known.currency !== currency)
      this.money.set(scale === 0 && currency === KRW ? WON : new Money(scale, currency));
    for (const instrument of symbols.body.symbols) {
      this.#previous.set(instrument.symbol, instrument.previous_price);
      const known = this.#quotes.get(instrument.symbol);
      const fresh = quoteOf(instrument, known?.get().spark ?? []);
      if (known === undefined) this.#quotes.set(instrument.symbol, new Store(fresh));
      // A live price is newer than any that was asked for.
      else if (this.#foreign) known.update((quote) => ({ ...quote, name: fresh.name }));
      else if (known.get().live) known.update((quote) => tagged({ ...fresh, ...dayOf(quote, fresh), live: true }));
      else known.set(fresh);
      this.#takeState(stateOf(instrument), symbols.body.seq);
    }
    if (rulesText(symbols.body.symbols) !== rulesText(this.instruments.get())) {
      this.instruments.set(symbols.body.symbols);
    }
  }

  instrument(symbol: string | null): Instrument | null {
    return this.instruments.get().find((each) => each.symbol === symbol) ?? null;
  }

  name(symbol: string): string {
    return this.instrument(symbol)?.name ?? symbol;
  }

  /** How an instrument stands; undefined for one that is not listed. */
  state(symbol: string): Readable<InstrumentState> | undefined {
    return this.#states.get(symbol)?.store;
  }

  /** 직전가 (KRX rules 1.4): today's last trade's price, before it the base price. */
  previous(symbol: string): number | null {
    const instrument = this.instrument(symbol);
    if (instrument === null) return null;
    const base = this.state(symbol)?.get().base_price ?? instrument.base_price;
    const quote = this.#quotes.get(symbol)?.get();
    if (quote === undefined || this.#foreign) return this.#previous.get(symbol) ?? base;
    return quote.open === null ? base : quote.last;
  }

  /** An instrument's quote; undefined for one that is not listed. */
  quote(symbol: string): Readable<Quote> | undefined {
    return this.#quotes.get(symbol);
  }

  last(symbol: string): number | null {
    return this.#quotes.get(symbol)?.get().last ?? null;
  }

  /** The symbols to show: those that match the query, favourites first, in an order that is taken now and stays. */
  list(query: string, order: ListOrder, favourites: ReadonlySet<string>): string[] {
    const wanted = query.normalize("NFC").trim().toLowerCase();
    const found = this.instruments
      .get()
      .filter((each) => each.symbol.toLowerCase().includes(wanted) || each.name.toLowerCase().includes(wanted));
    const quote = (each: Instrument) => this.#quotes.get(each.symbol)?.get();
    const sorted = [...found];
    if (order === "name") sorted.sort((a, b) => a.name.localeCompare(b.name, "ko"));
    if (order === "rate") sorted.sort((a, b) => (quote(b)?.rateX100 ?? 0) - (quote(a)?.rateX100 ?? 0));
    if (order === "turnover") sorted.sort((a, b) => (quote(b)?.turnover ?? 0) - (quote(a)?.turnover ?? 0));
    const symbols = sorted.map((each) => each.symbol);
    return [
      ...symbols.filter((symbol) => favourites.has(symbol)),
      ...symbols.filter((symbol) => !favourites.has(symbol)),
    ];
  }

  select(symbol: string): void {
    if (this.selected.get() === symbol || this.instrument(symbol) === null) return;
    this.book.clear(symbol);
    this.tape.clear(symbol);
    this.indication.set(null);
    this.stateNow.set(this.state(symbol)?.get() ?? null);
    this.selected.set(symbol);
  }

  /** Read the selected instrument's recent trades, no older than a command; own ones are marked. */
  async loadTape(ownTrades: ReadonlySet<number>, minSeq?: number): Promise<void> {
    const symbol = this.selected.get();
    if (symbol === null || this.#foreign) return;
    const trades = (await this.#exchange.trades(symbol, TAPE_READ, minSeq)).body.trades;
    this.tape.fill(symbol, trades, ownTrades);
  }

  // What the feed brings

  takeTicks(latest: readonly Tick[], trades: readonly Tick[]): void {
    for (const tick of latest) {
      const store = this.#quotes.get(tick.symbol);
      if (store === undefined) continue;
      const spark = this.#spark(tick, store.get().spark);
      store.set(withTick(store.get(), tick, this.#live, spark, this.#foreign));
    }
    const symbol = this.selected.get();
    const own = symbol === null ? [] : trades.filter((tick) => tick.symbol === symbol);
    if (own.length > 0) {
      this.tape.take(own);
      this.candles.take(own);
    }
  }

  takeBooks(books: readonly BookState[]): void {
    for (const book of books) if (book.symbol === this.selected.get()) this.book.take(book);
  }

  /** How instruments stand now, and the clock, as the `market` channel tells them. */
  takeNews(news: MarketNews): void {
    if (news.clock !== null) this.time.take(news.clock, news.at);
    for (const state of news.states) this.#takeState(state, news.seq);
  }

  #takeState(state: InstrumentState, seq: number): void {
    const { symbol } = state;
    const known = this.#states.get(symbol);
    if (known === undefined) this.#states.set(symbol, { store: new Store(state), seq });
    else if (seq < known.seq) {
      // Read before it was heard: a quote that was made of the reading goes back to what is known.
      this.#quotes.get(symbol)?.update((quote) => withState(quote, known.store.get(), this.#foreign));
      return;
    } else {
      const before = known.store.get();
      known.seq = seq;
      if (JSON.stringify(before) === JSON.stringify(state)) return;
      known.store.set(state);
      this.#quotes.get(symbol)?.update((quote) => withState(quote, state, this.#foreign));
      if (before.phase !== state.phase || before.phase_reason !== state.phase_reason) {
        this.phaseChanged.emit({ symbol, before: before.phase, phase: state.phase, reason: state.phase_reason });
      }
    }
    if (symbol === this.selected.get()) this.stateNow.set(state);
  }

  takeIndications(indications: readonly Indication[]): void {
    for (const each of indications) if (each.symbol === this.selected.get()) this.indication.set(each);
  }

  /** Whether prices are the real market's instead of this exchange's: then its own trades and candles do not go with
   * them, and tape and chart begin with what comes. */
  setForeign(foreign: boolean): void {
    if (foreign === this.#foreign) return;
    this.#foreign = foreign;
    this.candles.setForeign(foreign);
    this.tape.clear(this.selected.get());
    for (const store of this.#quotes.values()) store.update((quote) => ({ ...quote, spark: [] }));
  }

  /** Whether prices may be called live: the KIS socket is open and was heard from of late. */
  setLive(live: boolean): void {
    if (live === this.#live) return;
    this.#live = live;
    // Becoming live again proves nothing about a price that has not come since: each waits for its next trade.
    if (!live) this.tape.broken();
    if (!live) for (const store of this.#quotes.values()) store.update((quote) => ({ ...quote, live: false }));
  }

  /** The subscription was answered and the socket speaks: the prices that were read since are the newest there are. */
  confirmLive(): void {
    if (this.#live && !this.#foreign)
      for (const store of this.#quotes.values()) store.update((quote) => ({ ...quote, live: true }));
  }

  #spark(tick: Tick, spark: readonly number[]): readonly number[] {
    const before = this.#sparkAt.get(tick.symbol) ?? 0;
    const now = this.time.now();
    if (spark.length > 0 && now - before < SPARK_EVERY_MS) return spark;
    this.#sparkAt.set(tick.symbol, now);
    return [...spark, tick.price].slice(-SPARK_POINTS);
  }

  /** Give the list's sparklines a past. */
  async loadSparks(): Promise<void> {
    if (this.#foreign) return;
    await Promise.all(
      this.instruments.get().map(async ({ symbol }) => {
        const page = await this.#exchange.candles(symbol, "15m", { limit: SPARK_POINTS });
        const closes = page.body.candles.map((candle) => candle.close).reverse();
        this.#quotes.get(symbol)?.update((quote) => ({ ...quote, spark: closes }));
      }),
    );
  }
}

/** An instrument that went to another phase, or whose phase has another reason. */
export interface PhaseChange {
  symbol: string;
  before: Phase;
  phase: Phase;
  reason: PhaseReason | null;
}

/** The part of a row that the `market` channel tells, too. */
function stateOf(instrument: Instrument): InstrumentState {
  const { symbol, phase, phase_since, phase_until, phase_reason, indicative_price, indicative_qty } = instrument;
  const { vi_count, vi_static_lower, vi_static_upper, vi_dynamic_lower, vi_dynamic_upper } = instrument;
  const { base_price, upper_limit, lower_limit, order_types, immediate_types } = instrument;
  return {
    symbol,
    phase,
    phase_since,
    phase_until,
    phase_reason,
    indicative_price,
    indicative_qty,
    vi_count,
    vi_static_lower,
    vi_static_upper,
    vi_dynamic_lower,
    vi_dynamic_upper,
    base_price,
    upper_limit,
    lower_limit,
    order_types,
    immediate_types,
  };
}

/** What an instrument is, without its prices and its phase: those are in quotes and states, and change too often. */
const NO_STATE = {
  phase: "",
  phase_since: "",
  phase_until: "",
  phase_reason: "",
  indicative_price: 0,
  indicative_qty: 0,
  vi_count: 0,
  vi_static_lower: 0,
  vi_static_upper: 0,
  vi_dynamic_lower: 0,
  vi_dynamic_upper: 0,
  order_types: [],
  immediate_types: [],
};

function rulesText(instruments: readonly Instrument[]): string {
  return JSON.stringify(
    instruments.map((each) => ({
      ...each,
      ...NO_STATE,
      last_price: 0,
      previous_price: 0,
      day_vwap: "",
      change: 0,
      change_percent: "",
      day_open: 0,
      day_high: 0,
      day_low: 0,
      day_volume: 0,
      day_turnover: 0,
    })),
  );
}

/** The day's figures of a live quote, against the base price and the limits that hold now. */
function dayOf(quote: Quote, now: Quote): Partial<Quote> {
  const { last, open, high, low, volume, turnover } = quote;
  const price = last ?? now.base;
  return {
    last,
    open,
    high,
    low,
    volume,
    turnover,
    change: price - now.base,
    rateX100: rateX100(price, now.base),
    direction: direction(price, now.base),
    limit: limitOf(last, now.upper, now.lower),
  };
}
