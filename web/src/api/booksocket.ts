/** Our own book, how the instruments stand, and the places in the queue over `/v1/ws`: snapshots, then deltas along `prev`. */

import { Backoff } from "./backoff";
import { openWebSocket, REAL_TIME, type Clockwork, type OpenSocket, type SocketLike, type TimerId } from "./clockwork";
import type { BookState, LinkReason, LinkState, LinkStatus, MarketNews } from "./feed/protocol";
import type { Envelope, Level, MarketData, QueuePlace } from "./types";

export interface BookData {
  symbol: string;
  depth: number;
  bids: Level[];
  asks: Level[];
}

/** Levels with changes applied: quantities are absolute and 0 deletes. */
export function applyLevels(levels: readonly Level[], changes: readonly Level[], side: "bids" | "asks"): Level[] {
  if (changes.length === 0) return levels as Level[];
  const byPrice = new Map(levels.map((level) => [level[0], level]));
  for (const change of changes) {
    if (change[1] === 0) byPrice.delete(change[0]);
    else byPrice.set(change[0], change);
  }
  const sign = side === "asks" ? 1 : -1;
  return [...byPrice.values()].sort((a, b) => sign * (a[0] - b[0]));
}

/** The command's number in an event's id, `JOURNAL-seq-idx`. */
function seqOf(id: string | null): number {
  return Number(id?.split("-").at(-2) ?? 0) || 0;
}

export interface BookSocketOptions {
  url: () => string;
  depth: number;
  onBook: (book: BookState) => void;
  onMarket: (news: MarketNews) => void;
  onQueue: (places: QueuePlace[]) => void;
  onLink: (status: LinkStatus) => void;
  open?: OpenSocket;
  time?: Clockwork;
  random?: () => number;
}

/** Nothing may move in a quiet book, so it is asked for a sign of life. */
export const PING_MS = 10_000;
export const SILENT_MS = 25_000;

const SESSION_ENDED = 4009;

export class BookSocket {
  readonly #options: BookSocketOptions;
  readonly #time: Clockwork;
  readonly #open: OpenSocket;
  readonly #backoff: Backoff;
  readonly #books = new Map<string, BookState>();
  #symbols = new Set<string>();
  #account = false;
  #socket: SocketLike | null = null;
  #isOpen = false;
  #timer: TimerId | null = null;
  #pinger: TimerId | null = null;
  #state: LinkState = "off";
  #reason: LinkReason = null;
  #retryAt: number | null = null;
  #heardAt: number | null = null;
  #running = false;
  #next = 1;
  #queueId: string | null = null;
  #marketId: string | null = null;

  constructor(options: BookSocketOptions) {
    this.#options = options;
    this.#time = options.time ?? REAL_TIME;
    this.#open = options.open ?? openWebSocket;
    const random = options.random ? { random: options.random } : {};
    this.#backoff = new Backoff({ firstMs: 500, mostMs: 15_000, steadyMs: 5_000, ...random });
  }

  get status(): LinkStatus {
    return {
      name: "book",
      state: this.#state,
      reason: this.#reason,
      attempt: this.#state === "live" ? 0 : this.#backoff.attempt,
      retryAt: this.#retryAt,
      heardAt: this.#heardAt,
      closes: this.#backoff.closes(this.#time.now()),
    };
  }

  /** The book of a symbol as it is known now. */
  book(symbol: string): BookState | null {
    return this.#books.get(symbol) ?? null;
  }

  want(symbols: readonly string[]): void {
    const wanted = new Set(symbols);
    const gone = [...this.#symbols].filter((symbol) => !wanted.has(symbol));
    const fresh = [...wanted].filter((symbol) => !this.#symbols.has(symbol));
    this.#symbols = wanted;
    for (const symbol of gone) this.#books.delete(symbol);
    if (!this.#isOpen) return;
    if (gone.length > 0) this.#send("unsubscribe", [{ name: "book", symbols: gone, depth: this.#options.depth }]);
    if (fresh.length > 0) this.#subscribe(fresh);
  }

  /** The places in the queue are an account's: another one needs a connection with its session. */
  setAccount(loggedIn: boolean, another: boolean): void {
    const changed = another || loggedIn !== this.#account;
    this.#account = loggedIn;
    if (changed && this.#running) this.restart();
  }

  start(): void {
    if (this.#running) return;
    this.#running = true;
    this.#backoff.reset();
    this.#connect();
  }

  stop(): void {
    this.#running = false;
    this.#drop();
    this.#set("off", null);
  }

  retry(): void {
    if (!this.#running || this.#state === "live" || this.#state === "connecting") return;
    this.restart();
  }

  restart(): void {
    if (!this.#running) return;
    this.#drop();
    this.#connect();
  }

  #connect(): void {
    this.#set("connecting", null);
    let socket: SocketLike;
    try {
      socket = this.#open(this.#options.url());
    } catch {
      this.#wait("lost");
      return;
    }
    this.#socket = socket;
    this.#heardAt = this.#time.now();
    this.#pingLater();
    socket.onopen = () => this.#opened(socket);
    socket.onmessage = (event) => {
      if (socket === this.#socket && typeof event.data === "string") this.#take(event.data);
    };
    socket.onclose = (event) => {
      if (socket === this.#socket) this.#closed(event.code);
    };
    socket.onerror = () => undefined; // a close follows
  }

  #opened(socket: SocketLike): void {
    if (socket !== this.#socket) return;
    this.#isOpen = true;
    this.#heardAt = this.#time.now();
    this.#books.clear();
    this.#marketId = null;
    this.#backoff.live(this.#time.now());
    this.#set("live", null);
    this.#subscribe([...this.#symbols]);
    this.#send("subscribe", [{ name: "market" }]);
    if (this.#account) this.#queueId = this.#send("subscribe", [{ name: "queue" }]);
  }

  #subscribe(symbols: string[]): void {
    if (symbols.length > 0) this.#send("subscribe", [{ name: "book", symbols, depth: this.#options.depth }]);
  }

  #send(op: string, channels?: { name: string; symbols?: string[]; depth?: number }[]): string {
    const id = String(this.#next++);
    this.#socket?.send(JSON.stringify(channels ? { op, id, channels } : { op, id }));
    return id;
  }

  #take(text: string): void {
    this.#heardAt = this.#time.now();
    let message: Partial<Envelope> & { id?: string | null; problem?: unknown };
    try {
      message = JSON.parse(text) as Partial<Envelope>;
    } catch {
      return; // the chain shows what is missing
    }
    if (message.ch === "book") this.#takeBook(message as Envelope<string, BookData>);
    else if (message.ch === "market") this.#takeMarket(message as Envelope<string, MarketData>);
    else if (message.ch === "queue") {
      this.#options.onQueue((message as Envelope<string, { positions: QueuePlace[] }>).data.positions);
    } else if (message.problem !== undefined && message.id === this.#queueId) this.#account = false;
  }

  #takeBook(envelope: Envelope<string, BookData>): void {
    const { data } = envelope;
    if (!this.#symbols.has(data.symbol)) return;
    if (envelope.type === "snapshot") {
      const { symbol, bids, asks } = data;
      this.#keep({ symbol, id: envelope.id, bids, asks });
      return;
    }
    const book = this.#books.get(data.symbol);
    if (book === undefined) return; // its snapshot is on the way
    if (envelope.prev !== book.id) {
      this.#books.delete(data.symbol);
      this.#subscribe([data.symbol]);
      return;
    }
    this.#keep({
      symbol: data.symbol,
      id: envelope.id,
      bids: applyLevels(book.bids, data.bids, "bids"),
      asks: applyLevels(book.asks, data.asks, "asks"),
    });
  }

  #takeMarket(envelope: Envelope<string, MarketData>): void {
    if (envelope.type !== "snapshot") {
      if (this.#marketId === null) return; // a snapshot is on the way
      if (envelope.prev !== this.#marketId) {
        this.#marketId = null;
        this.#send("subscribe", [{ name: "market" }]);
        return;
      }
    }
    this.#marketId = envelope.id;
    const { symbols: states, clock } = envelope.data;
    this.#options.onMarket({ states, clock, seq: seqOf(envelope.id), at: this.#time.now() });
  }

  #keep(book: BookState): void {
    this.#books.set(book.symbol, book);
    this.#options.onBook(book);
  }

  #pingLater(): void {
    this.#pinger = this.#time.setTimeout(() => {
      const silent = this.#time.now() - (this.#heardAt ?? 0);
      if (silent >= SILENT_MS) {
        this.#wait("lost");
        return;
      }
      if (this.#isOpen) this.#send("ping");
      this.#pingLater();
    }, PING_MS);
  }

  #closed(code: number): void {
    if (code === SESSION_ENDED) this.#account = false; // the book is public
    this.#wait(code === SESSION_ENDED ? "session_ended" : "lost");
  }

  #wait(reason: LinkReason): void {
    this.#drop();
    if (!this.#running) return;
    const now = this.#time.now();
    const ms = this.#backoff.ended(now);
    this.#retryAt = now + ms;
    this.#set("waiting", reason);
    this.#timer = this.#time.setTimeout(() => {
      this.#timer = null;
      this.#retryAt = null;
      this.#connect();
    }, ms);
  }

  #drop(): void {
    const socket = this.#socket;
    this.#socket = null;
    this.#isOpen = false;
    this.#heardAt = null;
    if (this.#timer !== null) this.#time.clearTimeout(this.#timer);
    if (this.#pinger !== null) this.#time.clearTimeout(this.#pinger);
    this.#timer = this.#pinger = null;
    this.#retryAt = null;
    socket?.close(1000);
  }

  #set(state: LinkState, reason: LinkReason): void {
    this.#state = state;
    this.#reason = reason;
    this.#options.onLink(this.status);
  }
}
