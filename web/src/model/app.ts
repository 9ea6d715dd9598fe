/** The page's state, whole: wires the parts, and brings what the feed says to them. Knows no DOM. */

import { Exchange } from "../api/exchange";
import type { FeedPort, FromFeed, MarketNews } from "../api/feed/protocol";
import { Http, NoAnswer, Problem, type Fetch } from "../api/http";
import type { AccountEvent, OrderView } from "../api/types";
import { Account, type Holding, type Totals } from "./account";
import { Chain, seqOf } from "./chain";
import { Connection } from "./connection";
import { Market, type PhaseChange } from "./market";
import { Words, WORDS, type Sentence } from "./messages";
import { WON } from "./money";
import { Orders, ownLevels, type OwnLevel } from "./orders";
import { Preferences, type Storage } from "./preferences";
import { Session } from "./session";
import { Story } from "./story";
import { derive, type Readable, type Unsubscribe } from "./store";
import { Ticket } from "./ticket";
import { Toasts } from "./toasts";
import { Trading } from "./trading";

export interface AppParts {
  feed: FeedPort;
  storage?: Storage;
  fetch?: Fetch;
  now?: () => number;
  /** Whether the page was opened over https. */
  secure?: boolean;
}

const RETRY_MS = [500, 1000, 2000, 4000, 8000] as const;
/** Refusals after which the page's idea of the market must be an old one. */
const OF_THE_MARKET: ReadonlySet<string> = new Set(["halted", "market_closed", "price_limit", "price_tick"]);
/** Reasons that cancel an order that waited. */
const ENDED_LATER: ReadonlySet<string> = new Set(["midpoint_void", "cash_ran_out", "self_trade"]);
const MEANWHILE_MS = 1200;
/** How often instruments and the clock are read: phases, halts, a new day and new listings come by no stream. */
const MARKET_EVERY_MS = 5_000;

export class App {
  readonly preferences: Preferences;
  /** Says things in the language that is set. */
  readonly words: Readable<Words>;
  readonly session: Session;
  readonly connection: Connection;
  readonly market: Market;
  readonly account: Account;
  readonly orders: Orders;
  readonly trading: Trading;
  readonly ticket: Ticket;
  readonly toasts: Toasts;
  /** The story of the order that it is open for. */
  readonly story: Story;
  /** Own open orders of the selected instrument by `side:price`. */
  readonly ownLevels: Readable<ReadonlyMap<string, OwnLevel>>;
  readonly exchange: Exchange;

  readonly #feed: FeedPort;
  readonly #chain = new Chain();
  readonly #leave: Unsubscribe[] = [];
  #timers: ReturnType<typeof setInterval>[] = [];
  #loading: Promise<void> | null = null;
  #loadAgain: number | null = null;
  #meanwhile: { head: number; fills: number; timer: ReturnType<typeof setTimeout> } | null = null;
  #stopped = false;

  constructor(parts: AppParts) {
    const now = parts.now ?? Date.now;
    this.#feed = parts.feed;
    this.preferences = new Preferences(parts.storage ?? null);
    const http = new Http(parts.fetch ? { fetch: parts.fetch } : {});
    this.exchange = new Exchange(http);
    this.session = new Session(this.exchange);
    this.connection = new Connection(now);
    this.connection.setSecure(parts.secure ?? false);
    this.market = new Market(this.exchange, now);
    this.words = derive([this.preferences.language, this.market.money], (language, money) =>
      money === WON ? WORDS[language] : new Words(language, money),
    );
    this.account = new Account();
    this.orders = new Orders();
    this.trading = new Trading(this.exchange, this.orders);
    this.toasts = new Toasts((symbol) => this.market.name(symbol));
    this.ticket = new Ticket(this);
    this.story = new Story(this.exchange, this.orders, this.preferences.language, this.market.money);
    this.ownLevels = derive([this.orders.open, this.orders.queue, this.market.selected], ownLevels);
  }

  /** Begin: ask who one is, read the market, listen. Resolves when there is something to show. */
  async start(): Promise<void> {
    this.#leave.push(
      this.#feed.listen((message) => this.take(message)),
      this.preferences.language.subscribe((language) => (this.exchange.http.language = language)),
      this.session.state.subscribe(() => this.#sessionChanged()),
      this.market.selected.subscribe((symbol) => this.#selected(symbol)),
      this.preferences.settings.subscribe(({ interval }) => this.#showCandles(interval)),
      this.orders.filled.on(({ fill, order }) => {
        this.market.tape.mark(fill);
        if (this.#meanwhile !== null && fill.seq <= this.#meanwhile.head) this.#meanwhile.fills += 1;
        this.toasts.fill(fill, order);
      }),
      this.ticket.sending.subscribe((sending) => {
        if (sending.kind === "done" && !sending.outcome.ok && OF_THE_MARKET.has(sending.outcome.code ?? "")) {
          void this.#quietly(this.market.load());
        }
      }),
      this.market.phaseChanged.on((change) => this.#phaseChanged(change)),
      this.orders.changed.on(({ order, before }) => this.#ended(order, before)),
    );
    this.#timers.push(
      setInterval(() => {
        if (this.connection.counting) this.connection.tick();
      }, 1000),
      setInterval(() => void this.#quietly(this.#readMarket()), MARKET_EVERY_MS),
    );
    await this.#insist(() => Promise.all([this.session.check(), this.market.load()]));
    this.#watch();
    const wanted = this.preferences.settings.get().selected;
    const first = this.market.instruments.get()[0]?.symbol;
    const symbol = wanted !== null && this.market.instrument(wanted) ? wanted : first;
    if (symbol !== undefined) this.select(symbol);
    void this.#quietly(this.market.loadSparks());
  }

  stop(): void {
    this.#stopped = true;
    for (const leave of this.#leave.splice(0)) leave();
    for (const timer of this.#timers.splice(0)) clearInterval(timer);
    if (this.#meanwhile !== null) clearTimeout(this.#meanwhile.timer);
    this.market.candles.stop();
    this.toasts.clear();
    this.story.stop();
    this.#feed.close();
  }

  select(symbol: string): void {
    if (this.market.instrument(symbol) === null || this.market.selected.get() === symbol) return;
    this.market.select(symbol);
    this.ticket.follow(symbol);
  }

  /** Try every lost connection again now. */
  retry(): void {
    this.#feed.send({ kind: "retry" });
  }

  /** The price that the page shows for a symbol: the last one, before a first trade the base price. */
  readonly priceOf = (symbol: string): number | null => {
    const quote = this.market.quote(symbol)?.get();
    return quote === undefined ? null : (quote.last ?? quote.base);
  };

  holdings(): Holding[] {
    return this.account.holdings(this.priceOf);
  }

  totals(): Totals | null {
    return this.account.totals(this.priceOf);
  }

  /** What the feed says. */
  take(message: FromFeed): void {
    switch (message.kind) {
      case "link":
        this.#takeLink(message.status);
        break;
      case "kis":
        this.connection.takeKis(message.status);
        if (message.status.mode !== null) this.market.setForeign(message.status.mode !== "simulator");
        break;
      case "account-open":
        this.#opened(message.accountId, message.head, message.resumed, message.lastId);
        break;
      case "account":
        this.orders.together(() => message.events.forEach((event) => this.#takeEvent(event)));
        break;
      case "queue":
        this.orders.takeQueue(message.places);
        break;
      case "book":
        this.market.takeBooks(message.books);
        break;
      case "market":
        this.#takeNews(message.news);
        break;
      case "ticks":
        this.market.takeTicks(message.latest, message.trades);
        break;
      case "indication":
        this.market.takeIndications(message.indications);
        break;
      case "woke":
        void this.#readEverything();
        break;
    }
  }

  // The account

  #takeEvent(event: AccountEvent): void {
    if (event.type === "reset") {
      this.#chain.start(event.id);
      this.toasts.info({ key: "link.reset" }, { kind: "link" });
      void this.reload(seqOf(event.id));
      return;
    }
    const verdict = this.#chain.take(event);
    if (verdict === "repeat") return;
    if (verdict === "gap") {
      this.connection.gaps.update((gaps) => gaps + 1);
      void this.reload(seqOf(event.id));
    }
    this.connection.heard(seqOf(event.id));
    if (event.type === "order") this.orders.takeOrder(event.data);
    else if (event.type === "fill") this.orders.takeFill(event.data);
    else if (event.type === "account") this.account.take(event.data);
  }

  #opened(accountId: number | null, head: number, resumed: boolean, lastId: string | null): void {
    if (accountId !== this.session.accountId) {
      void this.#quietly(this.session.check()); // another tab logged in or out
      return;
    }
    this.connection.heard(head);
    if (resumed && this.#chain.lastId !== null) {
      this.#awaitMeanwhile(head);
      return;
    }
    this.#chain.start(lastId);
    void this.reload(Math.max(head, seqOf(lastId)));
  }

  /** Say once what happened while the connection was lost. */
  #awaitMeanwhile(head: number): void {
    if (this.#meanwhile !== null) clearTimeout(this.#meanwhile.timer);
    const timer = setTimeout(() => {
      const fills = this.#meanwhile?.fills ?? 0;
      this.#meanwhile = null;
      this.toasts.info(fills > 0 ? { key: "link.back", params: { fills } } : { key: "link.back_quiet" }, {
        kind: "link",
      });
    }, MEANWHILE_MS);
    this.#meanwhile = { head, fills: this.#meanwhile?.fills ?? 0, timer };
  }

  /** Read the account's state anew, not older than a command. Calls while one is under way become one more. */
  reload(minSeq = 0): Promise<void> {
    if (this.#loading !== null) {
      this.#loadAgain = Math.max(this.#loadAgain ?? 0, minSeq);
      return this.#loading;
    }
    this.#loading = this.#insist(() => this.#read(minSeq)).finally(() => {
      this.#loading = null;
      const again = this.#loadAgain;
      this.#loadAgain = null;
      if (again !== null) void this.reload(again);
    });
    return this.#loading;
  }

  async #read(minSeq: number): Promise<void> {
    const accountId = this.session.accountId;
    if (accountId === null) return;
    const [account, positions, open, recent, fills] = await Promise.all([
      this.exchange.account(minSeq),
      this.exchange.positions(minSeq),
      this.exchange.orders({ status: "open", limit: 1000 }, minSeq),
      this.exchange.orders({ status: "done", limit: 200 }, minSeq),
      this.exchange.fills({ limit: 200 }, minSeq),
    ]);
    if (accountId !== this.session.accountId) return;
    this.account.load(account.body, positions.body.positions);
    this.orders.load(open.body.orders, recent.body.orders, fills.body.fills, open.body.seq);
    this.connection.heard(open.body.seq);
  }

  // The market

  #takeNews(news: MarketNews): void {
    const day = this.market.clock.get()?.trading_day;
    this.market.takeNews(news);
    if (day !== undefined && this.market.clock.get()?.trading_day !== day) void this.#quietly(this.#newDay());
  }

  /** Rows that only a reading brings, and the chart of the day that begins. */
  async #newDay(): Promise<void> {
    await this.market.load();
    const { symbol, interval } = this.market.candles.now.get();
    if (symbol !== null) await this.market.candles.load(symbol, interval);
  }

  /** Say that an order ended though nobody asked, and why. */
  #ended(order: OrderView, before: OrderView | null): void {
    const { end_reason: why, status, symbol } = order;
    if (before === null || !(status === "expired" || (status === "canceled" && ENDED_LATER.has(why ?? "")))) return;
    const params = { name: this.market.name(symbol), qty: order.canceled_qty - before.canceled_qty };
    // The day's end is said by the notice itself.
    const title: Sentence =
      why === null || why === "day_ended" ? { key: "done.expired", params } : { key: "done.ended", params };
    const detail: Sentence[] = title.key === "done.ended" ? [{ key: "reason", params: { code: why ?? "" } }] : [];
    this.toasts.info(title, { symbol, orderId: order.order_id, detail });
  }

  /** Say once that an instrument that one looks at, holds or has orders for is interrupted or halted. */
  #phaseChanged({ symbol, phase, reason }: PhaseChange): void {
    const held = (this.account.positions.get().get(symbol)?.qty ?? 0) > 0;
    const ordered = this.orders.open.get().some((order) => order.symbol === symbol);
    if (!held && !ordered && symbol !== this.market.selected.get()) return;
    const name = this.market.name(symbol);
    if (reason === "vi_dynamic" || reason === "vi_static") {
      const at = reason === "vi_dynamic" ? "dynamic" : "static";
      this.toasts.info({ key: "market.vi", params: { name, at } }, { symbol });
    } else if (phase === "halted") this.toasts.info({ key: "market.halted", params: { name } }, { symbol });
  }

  /** Instruments and the clock; on a new day the chart, too. */
  async #readMarket(): Promise<void> {
    const { market } = this;
    const day = market.clock.get()?.trading_day;
    const listed = market.instruments.get().length;
    await market.load();
    if (market.instruments.get().length !== listed) this.#watch();
    const { symbol, interval } = market.candles.now.get();
    if (market.clock.get()?.trading_day !== day && symbol !== null) await market.candles.load(symbol, interval);
  }

  #takeLink(status: Parameters<Connection["takeLink"]>[0]): void {
    const before = this.connection.link(status.name);
    this.connection.takeLink(status);
    const live = status.state === "live";
    const became = live && before.state !== "live";
    if (status.name === "book") {
      this.market.book.setLive(live);
      if (became && before.attempt > 0) void this.#quietly(this.#readMarket());
    }
    if (status.name === "account" && status.reason === "session_ended") this.session.ended();
    if (status.name === "kis") {
      this.market.setLive(live);
      if (became) void this.#quietly(this.#confirmPrices());
    }
  }

  /** The socket speaks again: read the prices that it did not bring, then they are as live as it is. */
  async #confirmPrices(): Promise<void> {
    await this.market.load();
    this.market.confirmLive();
    const seq = this.market.clock.get()?.seq;
    const { symbol, interval } = this.market.candles.now.get();
    await Promise.all([this.#loadTape(seq), symbol === null ? null : this.market.candles.load(symbol, interval, seq)]);
  }

  #loadTape(minSeq?: number): Promise<void> {
    return this.market.loadTape(new Set(this.orders.fills.get().map((fill) => fill.trade_id)), minSeq);
  }

  async #readEverything(): Promise<void> {
    await this.#quietly(Promise.all([this.session.check(), this.#confirmPrices()]));
    await this.reload();
  }

  #selected(symbol: string | null): void {
    if (symbol === null) return;
    this.preferences.set("selected", symbol);
    this.#watch();
    this.#showCandles(this.preferences.settings.get().interval);
    void this.#quietly(this.#loadTape());
  }

  #showCandles(interval: Parameters<Market["candles"]["load"]>[1]): void {
    const symbol = this.market.selected.get();
    const shown = this.market.candles.now.get();
    if (symbol === null || (shown.symbol === symbol && shown.interval === interval)) return;
    void this.#quietly(this.market.candles.load(symbol, interval));
  }

  #watch(): void {
    const symbols = this.market.instruments.get().map((each) => each.symbol);
    this.#feed.send({ kind: "watch", symbols, selected: this.market.selected.get() });
  }

  #sessionChanged(): void {
    const state = this.session.state.get();
    this.connection.setLoggedIn(state.kind === "in");
    if (state.kind === "unknown") return;
    this.#chain.start(null);
    this.account.clear();
    this.orders.clear();
    this.#feed.send({
      kind: "hello",
      language: this.preferences.settings.get().language,
      csrfToken: this.exchange.http.csrfToken,
      accountId: this.session.accountId,
    });
  }

  // Trying

  /** Until it succeeds: a server that restarts, or is not there yet, answers later. */
  async #insist(run: () => Promise<unknown>): Promise<void> {
    for (let tries = 0; !this.#stopped; tries += 1) {
      try {
        await run();
        return;
      } catch (error) {
        if (error instanceof Problem && error.status === 401) {
          this.session.ended();
          return;
        }
        const passing =
          error instanceof NoAnswer || (error instanceof Problem && (error.status >= 500 || error.status === 429));
        if (!passing) throw error;
        await new Promise((resolve) => setTimeout(resolve, RETRY_MS[Math.min(tries, RETRY_MS.length - 1)]));
      }
    }
  }

  /** What a later event or reconnect repeats anyway: a refusal or a lost answer is not an error of the page. */
  async #quietly(run: Promise<unknown>): Promise<void> {
    try {
      await run;
    } catch (error) {
      if (!(error instanceof NoAnswer || error instanceof Problem)) throw error;
    }
  }
}
