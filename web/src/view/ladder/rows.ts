/** The ladder's rows, written outside Svelte: text nodes and transforms, only where something changed, once a frame. */

import type { Side } from "../../api/types";
import type { BookNow } from "../../model/book";
import { direction, group, percent, rateX100 } from "../../model/numbers";
import type { OwnLevel } from "../../model/orders";

/** A price that a rule names: the day's limits, and where a trade would interrupt trading. */
export type Mark = "upper" | "lower" | "vi_upper" | "vi_lower";

export interface LadderNow {
  /** By row, highest first. */
  prices: readonly (number | null)[];
  book: Pick<BookNow, "bids" | "asks">;
  /** What an auction would give now. */
  indicative: number | null;
  marks: ReadonlyMap<number, Mark>;
  last: number | null;
  base: number;
  own: ReadonlyMap<string, OwnLevel>;
  /** Running totals from the spread outwards instead of each level's quantity. */
  totals: boolean;
  /** How a price is written. */
  digits: (price: number) => string;
  /** What a level's name says to a screen reader. */
  describe: (price: number, rate: string, level: Described) => string;
  /** What a mark is called in the row, instead of the change. */
  markWords: (mark: Mark) => string;
}

export interface Described {
  qty: number;
  own: number;
  indicative: boolean;
  mark: Mark | null;
}

interface Drawn {
  price: number | null;
  side: Side | "none";
  qty: number;
  share: number;
  own: number;
  notch: number;
  last: boolean;
  indicative: boolean;
  mark: Mark | null;
  rate: string;
  label: string;
}

const NOTHING: Drawn = {
  price: -1,
  side: "none",
  qty: -1,
  share: -1,
  own: -1,
  notch: -2,
  last: false,
  indicative: false,
  mark: null,
  rate: "",
  label: "",
};

class Row {
  readonly element: HTMLElement;
  readonly button: HTMLButtonElement;
  readonly #price: Text;
  readonly #rate: Text;
  readonly #qty: Text;
  readonly #own: Text;
  readonly #bar: HTMLElement;
  readonly #notch: HTMLElement;
  readonly #flash: HTMLElement;
  readonly #upper: boolean;
  #drawn: Drawn = NOTHING;

  constructor(element: HTMLElement, upper: boolean) {
    const find = <T extends HTMLElement>(name: string) => element.querySelector(name) as T;
    const text = (host: HTMLElement) => host.appendChild(document.createTextNode(""));
    this.element = element;
    this.button = find("button");
    this.#price = text(find("strong"));
    this.#rate = text(find("em"));
    this.#qty = text(find(".qty"));
    this.#own = text(find(".own"));
    this.#bar = find(".bar-q");
    this.#notch = find(".notch");
    this.#flash = find(".flash");
    this.#upper = upper;
  }

  get price(): number | null {
    return this.#drawn.price;
  }

  draw(next: Drawn, base: number, digits: (price: number) => string): void {
    const before = this.#drawn;
    if (next.price !== before.price) {
      this.#price.data = next.price === null ? "" : digits(next.price);
      this.button.className = next.price === null ? "p" : `p ${direction(next.price, base)}`;
      this.button.disabled = next.price === null;
    }
    if (next.side !== before.side) this.element.dataset["side"] = next.side;
    if (next.qty !== before.qty) this.#qty.data = next.qty > 0 ? group(next.qty) : "";
    if (next.share !== before.share) this.#bar.style.transform = `scaleX(${next.share.toFixed(4)})`;
    if (next.own !== before.own) {
      this.#own.data = next.own > 0 ? `◆ ${group(next.own)}` : "";
      this.element.classList.toggle("mineat", next.own > 0);
    }
    if (next.notch !== before.notch) {
      this.#notch.hidden = next.notch < 0;
      const to = (this.#upper ? -1 : 1) * Math.max(next.notch, 0) * 100;
      this.#notch.style.transform = `translateX(${to.toFixed(2)}%)`;
    }
    if (next.rate !== before.rate) this.#rate.data = next.rate;
    if (next.last !== before.last) this.element.classList.toggle("last", next.last);
    if (next.indicative !== before.indicative) this.element.classList.toggle("indicative", next.indicative);
    if (next.mark !== before.mark) {
      if (next.mark === null) delete this.element.dataset["mark"];
      else this.element.dataset["mark"] = next.mark;
    }
    if (next.label !== before.label) this.button.setAttribute("aria-label", next.label);
    this.#drawn = next;
  }

  flash(): void {
    this.#flash.animate?.([{ opacity: 1 }, { opacity: 0 }], { duration: 120, easing: "linear" });
  }
}

function shareOf(level: OwnLevel | undefined, qty: number): number {
  if (level === undefined || level.ahead === null || qty <= 0) return -1;
  return Math.min(level.ahead / qty, 0.97);
}

export class LadderRows {
  readonly #rows: Row[];
  readonly #still = matchMedia("(prefers-reduced-motion: reduce)");

  constructor(elements: readonly HTMLElement[]) {
    this.#rows = elements.map((element, index) => new Row(element, index < elements.length / 2));
  }

  /** The price that a row shows now. */
  priceAt(row: number): number | null {
    return this.#rows[row]?.price ?? null;
  }

  buttonAt(row: number): HTMLButtonElement | null {
    return this.#rows[row]?.button ?? null;
  }

  draw(now: LadderNow): void {
    const bids = new Map(now.book.bids.map(([price, qty]) => [price, qty]));
    const asks = new Map(now.book.asks.map(([price, qty]) => [price, qty]));
    const bestBid = now.book.bids[0]?.[0] ?? null;
    const bestAsk = now.book.asks[0]?.[0] ?? null;
    const qtys = now.prices.map((price) => (price === null ? 0 : (asks.get(price) ?? bids.get(price) ?? 0)));
    const sides = now.prices.map((price) => sideOf(price, bestBid, bestAsk));
    const shown = now.totals ? runningTotals(now) : qtys;
    const most = Math.max(1, ...shown) * 1.02;
    now.prices.forEach((price, index) => {
      const side = sides[index] ?? "none";
      const qty = shown[index] ?? 0;
      const level = ownAt(now.own, price, side);
      const share = qty / most;
      const ahead = now.totals ? -1 : shareOf(level, qtys[index] ?? 0);
      const own = level?.qty ?? 0;
      const last = price !== null && price === now.last;
      const indicative = price !== null && price === now.indicative;
      const mark = (price === null ? undefined : now.marks.get(price)) ?? null;
      const change = price === null ? "" : percent(rateX100(price, now.base));
      const label = price === null ? "" : now.describe(price, change, { qty: qtys[index] ?? 0, own, indicative, mark });
      const rate = mark === null ? change : now.markWords(mark);
      const notch = ahead < 0 ? -1 : ahead * share;
      this.#rows[index]?.draw(
        { price, side, qty, share, own, notch, last, indicative, mark, rate, label },
        now.base,
        now.digits,
      );
    });
  }

  /** A trade at a price: its ground lights up for a moment. */
  flash(price: number): void {
    if (this.#still.matches) return;
    this.#rows.find((row) => row.price === price)?.flash();
  }
}

/** Own orders at a price. While an auction collects, they may stand beyond the other side's best price. */
function ownAt(own: LadderNow["own"], price: number | null, side: Side | "none"): OwnLevel | undefined {
  if (price === null) return undefined;
  const [first, second] = side === "sell" ? ["sell", "buy"] : ["buy", "sell"];
  return own.get(`${first}:${price}`) ?? own.get(`${second}:${price}`);
}

function sideOf(price: number | null, bestBid: number | null, bestAsk: number | null): Side | "none" {
  if (price === null) return "none";
  if (bestAsk !== null && price >= bestAsk) return "sell";
  if (bestBid !== null && price <= bestBid) return "buy";
  return "none";
}

/** At each row, everything between it and the spread. */
function runningTotals(now: LadderNow): number[] {
  const sum = (levels: LadderNow["book"]["bids"], price: number, better: (at: number) => boolean) =>
    levels.reduce((total, [at, qty]) => (at === price || better(at) ? total + qty : total), 0);
  const bestBid = now.book.bids[0]?.[0] ?? null;
  const bestAsk = now.book.asks[0]?.[0] ?? null;
  return now.prices.map((price) => {
    if (price === null) return 0;
    if (bestAsk !== null && price >= bestAsk) return sum(now.book.asks, price, (at) => at < price);
    if (bestBid !== null && price <= bestBid) return sum(now.book.bids, price, (at) => at > price);
    return 0;
  });
}
