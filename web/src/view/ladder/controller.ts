/** What the ladder does: which prices its rows stand for, when they move, and what the pointer and the keys mean. */

import { forgetFrame, onNextFrame } from "../frame";
import type { View } from "../view";
import { isAuction } from "../../model/phases";
import { auctionSides } from "./auction";
import { marksOf } from "./marks";
import { LadderRows, type LadderNow } from "./rows";
import { hasLeft, pricesAround, ROWS, windowOf, type Sides } from "./window";

/** Rows that are hidden at either end where there is little height. */
const HIDDEN = 3;

interface Shown {
  symbol: string | null;
  phase: string;
  known: boolean;
}

export class LadderController {
  /** Set by the component: whether the last price is out of sight while the rows are held still. */
  away: (value: boolean) => void = () => {};
  describe: LadderNow["describe"] = (price) => String(price);
  markWords: LadderNow["markWords"] = (mark) => mark;
  short = false;
  readonly #view: View;
  readonly #table: HTMLElement;
  readonly #rows: LadderRows;
  readonly #elements: readonly HTMLElement[];
  #prices: (number | null)[] = new Array<null>(ROWS).fill(null);
  #shown: Shown | null = null;
  #active = ROWS / 2;
  #pressed: number | null = null;
  #asked = false;
  #over = false;
  #newest = 0;
  #leave: (() => void)[] = [];
  #leaveQuote: () => void = () => {};

  constructor(view: View, table: HTMLElement, elements: readonly HTMLElement[]) {
    this.#view = view;
    this.#table = table;
    this.#elements = elements;
    this.#rows = new LadderRows(elements);
  }

  start(): void {
    const { market, ownLevels, preferences } = this.#view.page;
    for (const [name, run] of this.#handlers()) this.#table.addEventListener(name, run);
    const redraw = this.redraw;
    this.#leave = [
      market.selected.subscribe((symbol) => {
        this.#leaveQuote();
        this.#leaveQuote = (symbol === null ? undefined : market.quote(symbol)?.subscribe(redraw)) ?? (() => {});
        redraw();
      }),
      market.book.now.subscribe(redraw),
      market.instruments.subscribe(redraw),
      market.stateNow.subscribe(redraw),
      market.tape.rows.subscribe(redraw),
      ownLevels.subscribe(redraw),
      preferences.settings.subscribe(redraw),
      this.#view.ladderFocus.on(this.focus),
    ];
    this.#setActive(this.#active);
  }

  stop(): void {
    forgetFrame(this.#draw);
    this.#leaveQuote();
    for (const leave of this.#leave) leave();
  }

  readonly redraw = (): void => onNextFrame(this.#draw);

  /** Bring the last price back into the middle, with the focus on it. */
  readonly focus = (): void => {
    this.#asked = true;
    this.#draw();
    this.#setActive(this.#lastRow());
    this.#rows.buttonAt(this.#active)?.focus();
  };

  #quote() {
    const symbol = this.#view.page.market.selected.get();
    return symbol === null ? null : (this.#view.page.market.quote(symbol)?.get() ?? null);
  }

  /** The price that the rows are kept around: the last one, in an auction the one that it would give. */
  #middle(): number | null {
    const quote = this.#quote();
    return quote === null ? null : (quote.indicativePrice ?? quote.last);
  }

  /** The levels that are shown. An auction shows three on each side. */
  #sides(): Sides {
    const book = this.#view.page.market.book.now.get();
    const quote = this.#quote();
    if (quote === null || !isAuction(quote.phase)) return book;
    return auctionSides(book, quote.indicativePrice, quote.indicativeQty);
  }

  #lastRow(): number {
    const at = this.#prices.indexOf(this.#middle() ?? -1);
    return at >= 0 ? at : ROWS / 2;
  }

  #setActive(row: number): void {
    this.#rows.buttonAt(this.#active)?.setAttribute("tabindex", "-1");
    this.#active = row;
    this.#rows.buttonAt(row)?.setAttribute("tabindex", "0");
  }

  #focused(): boolean {
    return this.#table.contains(document.activeElement);
  }

  #recentre(): void {
    const { market } = this.#view.page;
    const quote = this.#quote();
    const instrument = market.instrument(market.selected.get());
    if (quote === null || instrument === null) {
      this.#prices = new Array<null>(ROWS).fill(null);
      return;
    }
    const { base, last, upper, lower } = quote;
    const { indicativePrice } = quote;
    const limits = { upper, lower };
    this.#prices =
      indicativePrice === null
        ? windowOf(this.#sides(), last, base, ROWS, instrument.tick_bands, limits)
        : pricesAround(indicativePrice, ROWS, instrument.tick_bands, limits);
    if (!this.#focused()) this.#setActive(this.#lastRow());
  }

  /** Whether something changed after which the rows may stand for other prices, whoever looks at them. */
  #isOther(now: Shown): boolean {
    const before = this.#shown;
    this.#shown = now;
    return before === null || now.symbol !== before.symbol || now.phase !== before.phase || now.known !== before.known;
  }

  readonly #draw = (): void => {
    const { market, ownLevels, preferences } = this.#view.page;
    const quote = this.#quote();
    const book = market.book.now.get();
    const symbol = market.selected.get();
    const other = this.#isOther({ symbol, phase: quote?.phase ?? "", known: book.known });
    const left = hasLeft(this.#prices, this.#middle());
    const held = this.#over || this.#focused();
    if (this.#asked || other || (left && !held)) this.#recentre();
    this.away(left && held && !this.#asked && !other);
    this.#asked = false;
    this.#rows.draw({
      prices: this.#prices,
      book: this.#sides(),
      indicative: quote?.indicativePrice ?? null,
      marks: marksOf(market.stateNow.get(), market.instrument(symbol)?.tick_bands ?? []),
      last: quote?.last ?? null,
      base: quote?.base ?? 0,
      own: ownLevels.get(),
      totals: preferences.settings.get().ladderTotals,
      digits: this.#view.words.get().digits,
      describe: this.describe,
      markWords: this.markWords,
    });
    const newest = market.tape.rows.get()[0];
    if (newest === undefined || newest.id <= this.#newest) return;
    if (this.#newest > 0) this.#rows.flash(newest.price);
    this.#newest = newest.id;
  };

  #rowOf(event: Event): number {
    const row = (event.target as Element).closest<HTMLElement>(".row");
    return row === null ? -1 : this.#elements.indexOf(row);
  }

  #handlers(): [string, (event: Event) => void][] {
    const over = (value: boolean) => () => {
      this.#over = value;
      this.redraw();
    };
    return [
      ["pointerdown", (event) => (this.#pressed = this.#rows.priceAt(this.#rowOf(event)))],
      ["click", (event) => this.#click(event as MouseEvent)],
      ["focusin", (event) => this.#rowOf(event) >= 0 && this.#setActive(this.#rowOf(event))],
      ["focusout", this.redraw],
      ["keydown", (event) => this.#key(event as KeyboardEvent)],
      ["pointerover", over(true)],
      ["pointerout", over(false)],
    ];
  }

  /** A click takes the price that was drawn when the pointer went down. */
  #click(event: MouseEvent): void {
    const now = this.#rows.priceAt(this.#rowOf(event));
    const price = event.detail > 0 && this.#pressed !== null ? this.#pressed : now;
    this.#pressed = null;
    if (price !== null) this.#view.takePrice(price);
  }

  #key(event: KeyboardEvent): void {
    const first = this.short ? HIDDEN : 0;
    const last = ROWS - 1 - first;
    const to = { ArrowUp: this.#active - 1, ArrowDown: this.#active + 1, Home: first, End: last }[event.key];
    if (to === undefined || event.altKey || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    const row = Math.min(Math.max(to, first), last);
    if (this.#rows.priceAt(row) !== null) this.#rows.buttonAt(row)?.focus();
  }
}
