/** The account's orders and fills: what was read, kept up by events, each of which counts once. */

import type { FillView, OrderView, QueuePlace, Side } from "../api/types";
import { hasStop } from "./forecast/money";
import { derive, Events, Store, type Readable } from "./store";

export function isOpen(order: OrderView): boolean {
  return order.status === "new" || order.status === "partially_filled";
}

function progress(order: Pick<OrderView, "filled_qty" | "canceled_qty">): number {
  return order.filled_qty + order.canceled_qty;
}

/** Whether `next` tells of a later moment than `known`. Within one command an order only gets on. */
export function isNewer(next: OrderView, known: OrderView): boolean {
  if (next.seq !== known.seq) return next.seq > known.seq;
  if (progress(next) !== progress(known)) return progress(next) > progress(known);
  return next.qty !== known.qty || next.limit_price !== known.limit_price || next.type !== known.type;
}

/** The order as it stands after a fill. */
export function afterFill(order: OrderView, fill: FillView): OrderView {
  const { leaves_qty, filled_qty, canceled_qty, filled_amount, avg_fill_price, status, seq, ts } = fill;
  return { ...order, leaves_qty, filled_qty, canceled_qty, filled_amount, avg_fill_price, status, seq, ts };
}

/** Own orders at one price of the ladder. */
export interface OwnLevel {
  price: number;
  side: Side;
  qty: number;
  orders: readonly OrderView[];
  /** What stands ahead of the first of them; null where that is not known. */
  ahead: number | null;
}

const KEPT_DONE = 500;
const KEPT_FILLS = 1000;

export class Orders {
  /** All that is known, newest first, refused ones included. */
  readonly all: Readable<readonly OrderView[]>;
  /** Open orders, newest first. */
  readonly open: Readable<readonly OrderView[]>;
  readonly fills = new Store<readonly FillView[]>([]);
  /** Places in the queue, by order id. */
  readonly queue = new Store<ReadonlyMap<number, QueuePlace>>(new Map());
  /** Each fill when it is first heard of; not those that a page of history brings. */
  readonly filled = new Events<{ fill: FillView; order: OrderView | null }>();
  /** An order that ended without anybody's asking, or was accepted, corrected, canceled: after the change. */
  readonly changed = new Events<{ order: OrderView; before: OrderView | null }>();
  /** Whether the first page was read. */
  readonly loaded = new Store(false);

  readonly #orders = new Map<number, OrderView>();
  readonly #fillKeys = new Set<string>();
  readonly #list = new Store<readonly OrderView[]>([]);
  #held = 0;
  #dirty = false;

  constructor() {
    this.all = this.#list;
    this.open = derive([this.#list], (orders) => orders.filter(isOpen));
  }

  get(orderId: number): OrderView | null {
    return this.#orders.get(orderId) ?? null;
  }

  clear(): void {
    this.#orders.clear();
    this.#fillKeys.clear();
    this.#list.set([]);
    this.fills.set([]);
    this.queue.set(new Map());
    this.loaded.set(false);
  }

  /** Take what was read as of `seq`. Open orders that the page does not name have ended since. */
  load(open: readonly OrderView[], recent: readonly OrderView[], fills: readonly FillView[], seq: number): void {
    const told = new Set(open.map((order) => order.order_id));
    for (const order of this.#orders.values()) {
      if (isOpen(order) && order.seq <= seq && !told.has(order.order_id)) this.#orders.delete(order.order_id);
    }
    for (const order of [...recent, ...open]) this.#put(order);
    const known = this.fills.get();
    const fresh = fills.filter((fill) => !this.#fillKeys.has(keyOf(fill)));
    for (const fill of fresh) this.#fillKeys.add(keyOf(fill));
    if (fresh.length > 0) this.fills.set(sorted([...known, ...fresh]));
    this.loaded.set(true);
    this.#show();
  }

  /** Many changes, one notice. */
  together(run: () => void): void {
    this.#held += 1;
    try {
      run();
    } finally {
      this.#held -= 1;
      if (this.#held === 0 && this.#dirty) this.#show();
    }
  }

  /** An `order` event, or an order that a request was answered with. False when it says nothing new. */
  takeOrder(order: OrderView): boolean {
    const before = this.#orders.get(order.order_id) ?? null;
    if (!this.#put(order)) return false;
    this.#show();
    this.changed.emit({ order, before });
    return true;
  }

  /** A `fill` event, or a fill that a request was answered with. False when it was had already. */
  takeFill(fill: FillView): boolean {
    const key = keyOf(fill);
    if (this.#fillKeys.has(key)) return false;
    this.#fillKeys.add(key);
    this.fills.update((fills) => {
      const first = fills[0];
      const next = [fill, ...fills];
      return first === undefined || isLater(fill, first) ? next.slice(0, KEPT_FILLS) : sorted(next);
    });
    if (this.#fillKeys.size > KEPT_FILLS * 4) {
      this.#fillKeys.clear();
      for (const each of this.fills.get()) this.#fillKeys.add(keyOf(each));
    }
    const known = this.#orders.get(fill.order_id);
    let order = known ?? null;
    if (known !== undefined) {
      const after = afterFill(known, fill);
      if (isNewer(after, known)) {
        order = after;
        this.#orders.set(after.order_id, after);
        this.#show();
      }
    }
    this.filled.emit({ fill, order });
    return true;
  }

  /** All places at once: what is not among them has none. */
  takeQueue(places: readonly QueuePlace[]): void {
    this.queue.set(new Map(places.map((place) => [place.order_id, place])));
  }

  fillsOf(orderId: number): readonly FillView[] {
    return this.fills.get().filter((fill) => fill.order_id === orderId);
  }

  #put(order: OrderView): boolean {
    const known = this.#orders.get(order.order_id);
    if (known !== undefined && !isNewer(order, known)) return false;
    this.#orders.set(order.order_id, known === undefined ? this.#afterFills(order) : order);
    return true;
  }

  /** An order that is heard of only now, after fills of it that are newer: as they leave it. */
  #afterFills(order: OrderView): OrderView {
    let now = order;
    for (const fill of this.fillsOf(order.order_id).toReversed()) {
      const after = afterFill(now, fill);
      if (isNewer(after, now)) now = after;
    }
    return now;
  }

  #show(): void {
    if (this.#held > 0) {
      this.#dirty = true;
      return;
    }
    this.#dirty = false;
    this.#forgetOld();
    const orders = [...this.#orders.values()].sort((a, b) => b.order_id - a.order_id);
    this.#list.set(orders);
  }

  #forgetOld(): void {
    const done = [...this.#orders.values()].filter((order) => !isOpen(order));
    if (done.length <= KEPT_DONE * 1.2) return;
    done.sort((a, b) => b.order_id - a.order_id);
    for (const order of done.slice(KEPT_DONE)) this.#orders.delete(order.order_id);
  }
}

/** Own open orders of a symbol by side and price: `buy:71300`. */
export function ownLevels(
  orders: readonly OrderView[],
  queue: ReadonlyMap<number, QueuePlace>,
  symbol: string | null,
): Map<string, OwnLevel> {
  const levels = new Map<string, OwnLevel>();
  for (const order of orders) {
    // A stop order that sleeps is not in the book.
    if (order.symbol !== symbol || order.limit_price === null || hasStop(order.type) || !isOpen(order)) continue;
    const key = `${order.side}:${order.limit_price}`;
    const place = queue.get(order.order_id)?.ahead_qty ?? null;
    const level = levels.get(key);
    const ahead = level === undefined || level.ahead === null ? place : Math.min(level.ahead, place ?? level.ahead);
    levels.set(key, {
      price: order.limit_price,
      side: order.side,
      qty: (level?.qty ?? 0) + order.leaves_qty,
      orders: [...(level?.orders ?? []), order],
      ahead,
    });
  }
  return levels;
}

/** A trade with oneself has one trade id and two fills. */
function keyOf(fill: FillView): string {
  return `${fill.trade_id}:${fill.order_id}`;
}

function isLater(fill: FillView, other: FillView): boolean {
  return fill.seq !== other.seq ? fill.seq > other.seq : fill.trade_id >= other.trade_id;
}

function sorted(fills: readonly FillView[]): FillView[] {
  return [...fills].sort((a, b) => b.seq - a.seq || b.trade_id - a.trade_id).slice(0, KEPT_FILLS);
}
