import type { FromFeed, LinkName, LinkState, LinkStatus, ToFeed } from "../../src/api/feed/protocol";
import type { AccountView, Clock, FillView, HoldingView, Instrument, OrderView, Symbols } from "../../src/api/types";
import { App } from "../../src/model/app";
import { clock, HYNIX, SAMSUNG } from "./market";

/** A server in a test's hands, and the page's model before it. */
export class Desk {
  readonly sent: ToFeed[] = [];
  readonly calls: { method: string; path: string; body: Record<string, unknown> | null; minSeq: string | null }[] = [];
  /** Answers by `METHOD /path`, instead of the usual ones; a function may look at the call. */
  readonly answers = new Map<string, () => Response | Error>();
  loggedIn = true;
  cash = 10_000_000;
  seq = 40;
  /** What the clock says otherwise. */
  clock: Partial<Clock> = {};
  symbols: Instrument[] = [SAMSUNG, HYNIX];
  money: Pick<Symbols, "price_scale" | "currency"> = { price_scale: 0, currency: "KRW" };
  held: HoldingView[] = [];
  orders: OrderView[] = [];
  fills: FillView[] = [];
  readonly app: App;
  #say: (message: FromFeed) => void = () => undefined;

  constructor(now: () => number = Date.now) {
    this.app = new App({
      feed: {
        send: (message) => void this.sent.push(message),
        listen: (run) => {
          this.#say = run;
          return () => undefined;
        },
        close: () => undefined,
      },
      fetch: (url, init) => this.#answer(url, init),
      now,
    });
  }

  say(message: FromFeed): void {
    this.#say(message);
  }

  link(name: LinkName, state: LinkState, more: Partial<LinkStatus> = {}): void {
    const status = { name, state, reason: null, attempt: 0, retryAt: null, heardAt: Date.now(), closes: 0, ...more };
    this.say({ kind: "link", status });
  }

  opened(resumed = false, head = this.seq): void {
    const accountId = this.loggedIn ? 5 : null;
    this.say({ kind: "account-open", accountId, resumed, head, lastId: `j-${head}-0` });
  }

  /** Started, logged in, everything live, the account read. */
  async live(): Promise<this> {
    await this.app.start();
    this.say({
      kind: "kis",
      status: { mode: "simulator", used: 3, limit: 41, left_out: [], frames: 0, broken: {} },
    });
    for (const name of ["account", "book", "kis"] as const) this.link(name, "live");
    this.opened();
    await this.quiet();
    return this;
  }

  book(bids: [number, number][], asks: [number, number][], symbol = "005930"): void {
    const levels = (side: [number, number][]) => side.map(([price, qty]): [number, number, number] => [price, qty, 1]);
    this.say({ kind: "book", books: [{ symbol, id: "j-1-0", bids: levels(bids), asks: levels(asks) }] });
  }

  /** Let calls and what follows them settle. */
  async quiet(): Promise<void> {
    for (let turn = 0; turn < 8; turn += 1) await new Promise((resolve) => setImmediate(resolve));
  }

  paths(): string[] {
    return this.calls.map(({ method, path }) => `${method} ${path.split("?")[0]}`);
  }

  #answer(url: string, init: RequestInit): Promise<Response> {
    const method = init.method ?? "GET";
    const path = url.split("?")[0] ?? "";
    const body = typeof init.body === "string" ? (JSON.parse(init.body) as Record<string, unknown>) : null;
    const minSeq = (init.headers as Record<string, string>)["Onseju-Min-Seq"] ?? null;
    this.calls.push({ method, path: url, body, minSeq });
    const special = this.answers.get(`${method} ${path}`);
    if (special !== undefined) {
      const result = special();
      return result instanceof Error ? Promise.reject(result) : Promise.resolve(result);
    }
    const value = this.#usual(method, path, url);
    if (value === null) return Promise.resolve(Response.json({ code: "not_found", detail: "" }, { status: 404 }));
    if (value instanceof Response) return Promise.resolve(value);
    return Promise.resolve(Response.json(value, { headers: { "Onseju-Seq": String(this.seq) } }));
  }

  #usual(method: string, path: string, url: string): object | Response | null {
    const { seq } = this;
    if (method === "GET" && path === "/v1/session") {
      if (!this.loggedIn) return Response.json({ code: "unauthenticated", detail: "" }, { status: 401 });
      return { user_id: 1, name: "김철수", account_id: 5, scopes: [], via: "session", csrf_token: "token" };
    }
    if (path === "/v1/symbols") return { symbols: this.symbols, ...this.money, seq };
    if (path === "/v1/clock") {
      return clock({ now: new Date().toISOString(), seq, ...this.clock });
    }
    if (path.startsWith("/v1/candles/")) return { symbol: path.split("/")[3], interval: "1m", candles: [], seq };
    if (path.startsWith("/v1/trades/")) return { trades: [], next_cursor: null, seq };
    if (path === "/v1/account") return this.#account();
    if (path === "/v1/positions") return { positions: this.held, seq };
    if (path === "/v1/orders" && method === "GET") {
      const open = (order: OrderView) => order.leaves_qty > 0;
      const orders = this.orders.filter((order) => (url.includes("status=open") ? open(order) : !open(order)));
      return { orders, next_cursor: null, seq };
    }
    if (path === "/v1/fills") return { fills: this.fills, next_cursor: null, seq };
    return null;
  }

  #account(): AccountView {
    const { cash, seq } = this;
    return {
      kind: "balance",
      account_id: 5,
      cash,
      reserved: 0,
      available: cash,
      settled_cash: cash,
      cash_d1: cash,
      cash_d2: cash,
      seq,
      ts: "2026-11-23T01:00:00Z",
      market_value: 0,
      cost_amount: 0,
      unrealized_profit: 0,
      realized_profit: 0,
      total_value: cash,
    };
  }
}
