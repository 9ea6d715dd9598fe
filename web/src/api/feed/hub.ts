/** The feed itself: one account stream, one KIS socket, one book socket, for all tabs of the browser. Runs in a
 * SharedWorker, or in the page where there is none. Knows no DOM. */

import { AccountStream } from "../sse";
import { BookSocket } from "../booksocket";
import { REAL_TIME, type Clockwork, type OpenSocket, type TimerId } from "../clockwork";
import { Exchange } from "../exchange";
import { Http, type Fetch } from "../http";
import { BOOK, TRADES, type BookRecord, type TradeRecord } from "../kis/layouts";
import { KisSocket, type Registration } from "../kis/socket";
import type { InstrumentState } from "../types";
import type { BookState, FromFeed, Indication, LinkName, LinkStatus, MarketNews, Tick, ToFeed } from "./protocol";

export interface HubOptions {
  /** The page's origin: `http://host:port`. */
  origin: string;
  /** How long timers may be late before the machine must have slept. Hidden pages run timers once a minute; workers do not. */
  sleepMs: number;
  fetch?: Fetch;
  openSocket?: OpenSocket;
  time?: Clockwork;
  random?: () => number;
}

export const BOOK_DEPTH = 50;
/** Frames are gathered for so long and handed on together: about thirty times a second. */
export const FLUSH_MS = 33;
const BEAT_MS = 5_000;
/** A tab that was not heard from for so long is gone; if it speaks after all, it is taken in again. */
const TAB_GONE_MS = 10 * 60_000;

interface Tab {
  post: (message: FromFeed) => void;
  symbols: string[];
  selected: string | null;
  heardAt: number;
}

const KST_OFFSET_MS = 9 * 3600 * 1000;

/** KIS's day and time of a trade in milliseconds since 1970; the day of `now` in Korea where it says none. */
export function tradeTime(day: string, time: string, now: number): number {
  const date = day === "" ? new Date(now + KST_OFFSET_MS).toISOString().slice(0, 10).replaceAll("-", "") : day;
  const at = Date.parse(
    `${date.slice(0, 4)}-${date.slice(4, 6)}-${date.slice(6, 8)}T${time.slice(0, 2)}:${time.slice(2, 4)}:${time.slice(4, 6)}+09:00`,
  );
  return Number.isNaN(at) ? now : at;
}

export function tickOf(record: TradeRecord, now: number): Tick {
  return {
    symbol: record.symbol,
    at: tradeTime(record.trading_day, record.time, now),
    time: record.time,
    price: record.price,
    qty: record.qty,
    taker: record.taker === "1" ? "buy" : record.taker === "5" ? "sell" : null,
    change: record.change,
    open: record.open_price,
    high: record.high_price,
    low: record.low_price,
    volume: record.volume,
    turnover: record.turnover,
    halted: record.halted === "Y",
    limit: record.change_sign === 1 ? "upper" : record.change_sign === 4 ? "lower" : null,
  };
}

export function indicationOf(record: BookRecord): Indication {
  const expected = record.expected_price > 0;
  return {
    symbol: record.symbol,
    hour: record.hour_code,
    expectedPrice: expected ? record.expected_price : null,
    expectedQty: expected ? record.expected_qty : null,
    totalAsk: record.total_ask_qty,
    totalBid: record.total_bid_qty,
  };
}

export class FeedHub {
  readonly #options: HubOptions;
  readonly #time: Clockwork;
  readonly #tabs = new Set<Tab>();
  readonly #account: AccountStream;
  readonly #kis: KisSocket;
  readonly #book: BookSocket;
  readonly #http: Http;
  #accountId: number | null = null;
  #csrfToken: string | null = null;
  #greeted = false;
  #head = 0;
  #flush: TimerId | null = null;
  #latest = new Map<string, Tick>();
  #trades: Tick[] = [];
  #books = new Map<string, BookState>();
  #indications = new Map<string, Indication>();
  #lastTicks = new Map<string, Tick>();
  /** What was told of the market since the last hand-over, and all that is known of it. */
  #news: MarketNews | null = null;
  #market: MarketNews | null = null;
  #beatAt: number;
  readonly #live = new Set<LinkName>();

  constructor(options: HubOptions) {
    this.#options = options;
    const time = (this.#time = options.time ?? REAL_TIME);
    const shared = { time, ...(options.random ? { random: options.random } : {}) };
    const sockets = options.openSocket ? { open: options.openSocket } : {};
    const fetching = options.fetch ? { fetch: options.fetch } : {};
    this.#http = new Http({ base: options.origin, ...fetching });
    const exchange = new Exchange(this.#http);
    const ws = options.origin.replace(/^http/, "ws");
    this.#account = new AccountStream({
      base: options.origin,
      onOpen: (opened) => {
        this.#head = opened.head;
        this.#tell({ kind: "account-open", accountId: this.#accountId, ...opened });
      },
      onEvents: (events) => this.#tell({ kind: "account", events }),
      onLink: (status) => this.#link(status),
      ...fetching,
      ...shared,
    });
    this.#book = new BookSocket({
      url: () => `${ws}/v1/ws`,
      depth: BOOK_DEPTH,
      onBook: (book) => {
        this.#books.set(book.symbol, book);
        this.#soon();
      },
      onMarket: (news) => this.#takeMarket(news),
      onQueue: (places) => this.#tell({ kind: "queue", places }),
      onLink: (status) => this.#link(status),
      ...sockets,
      ...shared,
    });
    this.#kis = new KisSocket({
      approve: async () => (await exchange.kisApproval()).body,
      ownUrl: () => `${ws}/tryitout`,
      secure: options.origin.startsWith("https:"),
      onRecords: (decoded) => {
        if (decoded.tr === TRADES) this.#takeTrades(decoded.records);
        else for (const record of decoded.records) this.#indications.set(record.symbol, indicationOf(record));
        this.#soon();
      },
      onLink: (status) => this.#link(status),
      onStatus: (status) => this.#tell({ kind: "kis", status }),
      ...sockets,
      ...shared,
    });
    this.#beatAt = time.now();
    this.#beat();
  }

  /** Take in a tab; what it says goes to the answer's `take`. */
  connect(post: (message: FromFeed) => void): { take: (message: ToFeed) => void; leave: () => void } {
    const tab: Tab = { post, symbols: [], selected: null, heardAt: this.#time.now() };
    return {
      take: (message) => this.#take(tab, message),
      leave: () => this.#leave(tab),
    };
  }

  stop(): void {
    this.#account.stop();
    this.#kis.stop();
    this.#book.stop();
  }

  #take(tab: Tab, message: ToFeed): void {
    tab.heardAt = this.#time.now();
    if (message.kind === "bye") {
      this.#leave(tab);
      return;
    }
    if (!this.#tabs.has(tab)) {
      this.#tabs.add(tab);
      this.#welcome(tab);
      if (tab.symbols.length > 0) this.#watch(); // it is back
    }
    if (message.kind === "hello") this.#greet(tab, message);
    else if (message.kind === "watch") {
      const selected = tab.selected;
      tab.symbols = message.symbols;
      tab.selected = message.selected;
      this.#watch();
      if (tab.selected !== null && tab.selected !== selected) this.#showKnown(tab, tab.selected);
    } else if (message.kind === "retry") {
      this.#account.retry();
      this.#kis.retry();
      this.#book.retry();
    }
    if (message.kind === "hello" || message.kind === "watch") this.#book.start();
  }

  #leave(tab: Tab): void {
    if (this.#tabs.delete(tab)) this.#watch();
  }

  /** What a new tab must know of what went before it. */
  #welcome(tab: Tab): void {
    for (const status of [this.#account.status, this.#book.status, this.#kis.status])
      tab.post({ kind: "link", status });
    tab.post({ kind: "kis", status: this.#kis.kisStatus });
    if (this.#market !== null) tab.post({ kind: "market", news: this.#market });
    if (this.#lastTicks.size > 0) tab.post({ kind: "ticks", latest: [...this.#lastTicks.values()], trades: [] });
  }

  #showKnown(tab: Tab, symbol: string): void {
    const book = this.#book.book(symbol);
    if (book !== null) tab.post({ kind: "book", books: [book] });
  }

  #greet(tab: Tab, hello: Extract<ToFeed, { kind: "hello" }>): void {
    this.#http.language = hello.language;
    this.#http.csrfToken = hello.csrfToken;
    const same = this.#greeted && hello.accountId === this.#accountId;
    const renewed = hello.csrfToken !== this.#csrfToken;
    this.#greeted = true;
    this.#accountId = hello.accountId;
    this.#csrfToken = hello.csrfToken;
    const refused = this.#account.status.state === "refused";
    if (same && !renewed && !refused) {
      if (this.#account.isLive) {
        const { lastId } = this.#account;
        tab.post({ kind: "account-open", accountId: this.#accountId, resumed: false, head: this.#head, lastId });
      }
      return;
    }
    // Another session: its own stream, its own queue places, its own approval key.
    this.#book.setAccount(hello.accountId !== null, renewed);
    this.#kis.stop();
    if (hello.accountId === null) {
      this.#account.stop();
      this.#tell({ kind: "account-open", accountId: null, resumed: false, head: 0, lastId: null });
      return;
    }
    this.#account.start();
    this.#kis.start();
  }

  #watch(): void {
    const tabs = [...this.#tabs];
    const selected = [...new Set(tabs.map((tab) => tab.selected).filter((symbol) => symbol !== null))];
    const listed = [...new Set(tabs.flatMap((tab) => tab.symbols))];
    this.#book.want(selected);
    const registrations: Registration[] = [
      ...selected.map((key): Registration => ({ tr: TRADES, key })),
      ...selected.map((key): Registration => ({ tr: BOOK, key })),
      ...listed.map((key): Registration => ({ tr: TRADES, key })),
    ];
    this.#kis.want(registrations);
  }

  #takeTrades(records: readonly TradeRecord[]): void {
    const now = this.#time.now();
    for (const record of records) {
      const tick = tickOf(record, now);
      this.#latest.set(tick.symbol, tick);
      for (const tab of this.#tabs) {
        if (tab.selected === tick.symbol) {
          this.#trades.push(tick);
          break;
        }
      }
    }
  }

  #takeMarket(news: MarketNews): void {
    this.#news = merged(this.#news, news);
    this.#market = merged(this.#market, news);
    this.#soon();
  }

  #soon(): void {
    if (this.#flush !== null) return;
    this.#flush = this.#time.setTimeout(() => {
      this.#flush = null;
      this.#hand();
    }, FLUSH_MS);
  }

  /** Hand on what was gathered. */
  #hand(): void {
    if (this.#latest.size > 0) {
      const latest = [...this.#latest.values()];
      for (const tick of latest) this.#lastTicks.set(tick.symbol, tick);
      this.#tell({ kind: "ticks", latest, trades: this.#trades });
      this.#latest = new Map();
      this.#trades = [];
    }
    if (this.#news !== null) {
      this.#tell({ kind: "market", news: this.#news });
      this.#news = null;
    }
    if (this.#books.size > 0) {
      this.#tell({ kind: "book", books: [...this.#books.values()] });
      this.#books = new Map();
    }
    if (this.#indications.size > 0) {
      this.#tell({ kind: "indication", indications: [...this.#indications.values()] });
      this.#indications = new Map();
    }
  }

  #link(status: LinkStatus): void {
    // Prices of before must not reach a tab that comes after the connection was lost.
    if (status.name === "kis" && status.state !== "live") this.#lastTicks.clear();
    if (status.name === "book" && status.state !== "live") this.#market = null;
    this.#tell({ kind: "link", status });
    const live = status.state === "live";
    if (live && !this.#live.has(status.name)) this.#serverIsBack(status.name);
    if (live) this.#live.add(status.name);
    else this.#live.delete(status.name);
  }

  /** One connection to our server works again: the others need not wait any longer. The real KIS is another server. */
  #serverIsBack(name: LinkName): void {
    if (name === "kis") return;
    if (name !== "account") this.#account.retry();
    if (name !== "book") this.#book.retry();
    if (this.#kis.isOurs) this.#kis.retry();
  }

  #tell(message: FromFeed): void {
    for (const tab of this.#tabs) tab.post(message);
  }

  /** Notices sleep by its own lateness, and tabs that are gone. */
  #beat(): void {
    this.#time.setTimeout(() => {
      const now = this.#time.now();
      const slept = now - this.#beatAt - BEAT_MS;
      this.#beatAt = now;
      if (slept >= this.#options.sleepMs) this.#wake(slept);
      for (const tab of this.#tabs) if (now - tab.heardAt > TAB_GONE_MS && slept < BEAT_MS) this.#leave(tab);
      this.#beat();
    }, BEAT_MS);
  }

  #wake(sleptMs: number): void {
    for (const tab of this.#tabs) tab.heardAt = this.#time.now();
    this.#lastTicks.clear();
    this.#account.restart();
    this.#kis.restart();
    this.#book.restart();
    this.#tell({ kind: "woke", sleptMs });
  }
}

/** News on top of older news: of each instrument the newest state, and the newest clock. */
function merged(known: MarketNews | null, news: MarketNews): MarketNews {
  if (known === null) return news;
  const states = new Map(
    [...known.states, ...news.states].map((each): [string, InstrumentState] => [each.symbol, each]),
  );
  const { clock, at } = news.clock === null ? known : news;
  return { states: [...states.values()], seq: news.seq, clock, at };
}
