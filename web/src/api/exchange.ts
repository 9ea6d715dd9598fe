/** The exchange's operations that the page uses, one function each. */

import type { Answer, Http } from "./http";
import type {
  AccountView,
  BookSnapshot,
  CanceledOrders,
  CandlePage,
  Clock,
  Correction,
  FillPage,
  Interval,
  KisApproval,
  NewOrder,
  NewUser,
  OrderCapacity,
  OrderPage,
  OrderResult,
  OrderType,
  OrderView,
  Positions,
  QueuePage,
  SessionView,
  Side,
  StoryView,
  Symbols,
  TradePage,
} from "./types";

const part = encodeURIComponent;

export class Exchange {
  constructor(readonly http: Http) {}

  // Who one is

  signUp(name: string, password: string): Promise<Answer<NewUser>> {
    return this.http.request("/v1/users", { method: "POST", body: { name, password } });
  }

  logIn(name: string, password: string): Promise<Answer<SessionView>> {
    return this.http.request("/v1/session", { method: "POST", body: { name, password } });
  }

  session(): Promise<Answer<SessionView>> {
    return this.http.request("/v1/session");
  }

  logOut(): Promise<Answer<null>> {
    return this.http.request("/v1/session", { method: "DELETE" });
  }

  // The market

  symbols(minSeq?: number): Promise<Answer<Symbols>> {
    return this.http.request("/v1/symbols", { minSeq });
  }

  clock(): Promise<Answer<Clock>> {
    return this.http.request("/v1/clock");
  }

  book(symbol: string, depth: number): Promise<Answer<BookSnapshot>> {
    return this.http.request(`/v1/book/${part(symbol)}`, { query: { depth } });
  }

  trades(symbol: string, limit: number, minSeq?: number): Promise<Answer<TradePage>> {
    return this.http.request(`/v1/trades/${part(symbol)}`, { query: { limit }, minSeq });
  }

  candles(
    symbol: string,
    interval: Interval,
    range: { from?: string; to?: string; limit?: number } = {},
    minSeq?: number,
  ): Promise<Answer<CandlePage>> {
    return this.http.request(`/v1/candles/${part(symbol)}`, { query: { interval, ...range }, minSeq });
  }

  kisApproval(): Promise<Answer<KisApproval>> {
    return this.http.request("/v1/kis/approval", { method: "POST" });
  }

  // The account

  account(minSeq?: number): Promise<Answer<AccountView>> {
    return this.http.request("/v1/account", { minSeq });
  }

  positions(minSeq?: number): Promise<Answer<Positions>> {
    return this.http.request("/v1/positions", { minSeq });
  }

  orders(
    query: { status?: string; symbol?: string; cursor?: string | null; limit?: number },
    minSeq?: number,
  ): Promise<Answer<OrderPage>> {
    return this.http.request("/v1/orders", { query, minSeq });
  }

  order(orderId: number, minSeq?: number): Promise<Answer<OrderView>> {
    return this.http.request(`/v1/orders/${orderId}`, { minSeq });
  }

  /** Why an order is as it is, from its events. */
  story(orderId: number, minSeq?: number): Promise<Answer<StoryView>> {
    return this.http.request(`/v1/orders/${orderId}/story`, { minSeq });
  }

  orderByClientId(clientOrderId: string): Promise<Answer<OrderView>> {
    return this.http.request(`/v1/orders:by-client-id/${part(clientOrderId)}`);
  }

  /** The place in the queue of every open limit order. */
  queue(): Promise<Answer<QueuePage>> {
    return this.http.request("/v1/queue");
  }

  fills(
    query: { symbol?: string; order_id?: number; cursor?: string | null; limit?: number },
    minSeq?: number,
  ): Promise<Answer<FillPage>> {
    return this.http.request("/v1/fills", { query, minSeq });
  }

  capacity(
    query: { symbol: string; side: Side; type: OrderType; limit_price?: number },
    minSeq?: number,
  ): Promise<Answer<OrderCapacity>> {
    return this.http.request("/v1/order-capacity", { query, minSeq });
  }

  // Orders. Each carries an id of its own, so that a repeat takes effect once.

  newOrder(order: NewOrder): Promise<Answer<OrderResult>> {
    return this.http.request("/v1/orders", { method: "POST", body: order });
  }

  correct(orderId: number, correction: Correction): Promise<Answer<OrderResult>> {
    return this.http.request(`/v1/orders/${orderId}`, { method: "PATCH", body: correction });
  }

  cancel(orderId: number, requestId: string, qty?: number): Promise<Answer<OrderResult>> {
    return this.http.request(`/v1/orders/${orderId}`, {
      method: "DELETE",
      query: { qty },
      headers: { "Onseju-Client-Request-Id": requestId },
    });
  }

  cancelAll(requestId: string, only: { symbol?: string; side?: Side } = {}): Promise<Answer<CanceledOrders>> {
    return this.http.request("/v1/orders", {
      method: "DELETE",
      query: only,
      headers: { "Onseju-Client-Request-Id": requestId },
    });
  }
}
