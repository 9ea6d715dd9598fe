/** What the components share: the page's state, the words, and what only the view needs to know. */

import { getContext, setContext } from "svelte";
import type { Instrument } from "../api/types";
import type { Holding, Totals } from "../model/account";
import type { App } from "../model/app";
import type { Quote } from "../model/market";
import type { Sentence, Words } from "../model/messages";
import { clockTime, type Language } from "../model/numbers";
import { derive, Events, Store, type Readable } from "../model/store";
import { forgetFrame, onNextFrame, perFrame } from "./frame";

export type PhoneTab = "list" | "chart" | "order" | "blotter" | "account";
export type BlotterTab = "open" | "fills" | "holdings" | "history";

/** A question that is asked once before something is done. */
export interface Question {
  sentence: Sentence;
  /** What the button that does it says. */
  action: string;
  answer: (yes: boolean) => void;
}

export interface View {
  page: App;
  words: Readable<Words>;
  language: Readable<Language>;
  /** Of the selected instrument, at most once a frame. */
  quote: Readable<Quote | null>;
  instrument: Readable<Instrument | null>;
  holdings: Readable<readonly Holding[]>;
  totals: Readable<Totals | null>;
  /** Whether the selected instrument's prices are not live. */
  marketStale: Readable<boolean>;
  /** The time of the book that is shown, when it is no longer live. */
  bookAsOf: Readable<string | null>;
  /** The exchange's clock, once a second, in milliseconds since 1970. */
  now: Readable<number>;
  phoneTab: Store<PhoneTab>;
  blotterTab: Store<BlotterTab>;
  /** The open order that the keys J, K, W and X mean. */
  blotterOrder: Store<number | null>;
  /** The open order whose reason for waiting is shown. */
  explained: Store<number | null>;
  sessionAsked: Store<boolean>;
  keysShown: Store<boolean>;
  question: Store<Question | null>;
  ladderFocus: Events<void>;
  /** The inputs of the ticket, by name. */
  ticketFocus: Events<"price" | "qty">;
  searchFocus: Events<void>;
  /** A price into the ticket. */
  takePrice: (price: number) => void;
  select: (symbol: string) => void;
  amend: (orderId: number) => void;
  ask: (sentence: Sentence, action: string) => Promise<boolean>;
  /** A sentence for screen readers. */
  announce: Store<string>;
  stop: () => void;
}

const KEY = Symbol("view");

export function provideView(view: View): void {
  setContext(KEY, view);
}

export function useView(): View {
  return getContext<View>(KEY);
}

/** The value of a readable that changes with another's value. */
function through<A, B>(source: Readable<A>, next: (value: A) => Readable<B> | null, none: B): Readable<B> {
  return {
    get: () => next(source.get())?.get() ?? none,
    subscribe(tell) {
      let leaveInner = () => {};
      const leave = source.subscribe((value) => {
        leaveInner();
        leaveInner = () => {};
        const inner = next(value);
        if (inner === null) tell(none);
        else leaveInner = inner.subscribe(tell);
      });
      return () => {
        leave();
        leaveInner();
      };
    },
  };
}

/** A number that grows, once a frame, when any listed price changes. */
function priceTicks(page: App): { ticks: Store<number>; stop: () => void } {
  const ticks = new Store(0);
  const grow = () => ticks.update((count) => count + 1);
  const changed = () => onNextFrame(grow);
  let leaveQuotes: (() => void)[] = [];
  const leave = page.market.instruments.subscribe((instruments) => {
    for (const each of leaveQuotes) each();
    leaveQuotes = instruments.map(({ symbol }) => page.market.quote(symbol)?.subscribe(changed) ?? (() => {}));
  });
  return {
    ticks,
    stop: () => {
      leave();
      for (const each of leaveQuotes) each();
      forgetFrame(grow);
    },
  };
}

/** The exchange's time, told as each of its seconds begins; five times a second where it runs faster. */
function secondHand(page: App): { now: Store<number>; stop: () => void } {
  const time = () => page.market.time.now();
  const now = new Store(time());
  let timer: ReturnType<typeof setTimeout>;
  const next = () => {
    timer = setTimeout(
      () => {
        now.set(time());
        next();
      },
      Math.max((1000 - (time() % 1000)) / page.market.time.speed, 200),
    );
  };
  next();
  return { now, stop: () => clearTimeout(timer) };
}

/** The Korean time at which the shown book was last heard of, once it is no longer live. */
function asOf(page: App): { time: Store<string | null>; stop: () => void } {
  const time = new Store<string | null>(null);
  let heard: number | null = null;
  const stop = page.market.book.now.subscribe((book) => {
    if (book.live) heard = page.market.time.now();
    if (!book.known || book.live) time.set(null);
    else if (heard !== null) time.set(clockTime(heard));
  });
  return { time, stop };
}

export function makeView(page: App): View {
  const { market, account, preferences } = page;
  const { ticks, stop: stopTicks } = priceTicks(page);
  const { now, stop: stopClock } = secondHand(page);
  const { time: bookAsOf, stop: stopBook } = asOf(page);
  const instrument = derive([market.selected, market.instruments], (symbol) => market.instrument(symbol));
  const live = through<Instrument | null, Quote | null>(
    instrument,
    (each) => (each === null ? null : (market.quote(each.symbol) ?? null)),
    null,
  );
  const quote = perFrame(live);
  const question = new Store<Question | null>(null);
  const view: View = {
    page,
    words: page.words,
    language: preferences.language,
    quote,
    instrument,
    holdings: derive([account.positions, ticks], () => page.holdings()),
    totals: derive([account.balance, account.positions, ticks], () => page.totals()),
    marketStale: derive([live], (each) => each === null || !each.live),
    bookAsOf,
    now,
    phoneTab: new Store<PhoneTab>("order"),
    blotterTab: new Store<BlotterTab>("open"),
    blotterOrder: new Store<number | null>(null),
    explained: new Store<number | null>(null),
    sessionAsked: new Store(false),
    keysShown: new Store(false),
    question,
    ladderFocus: new Events<void>(),
    ticketFocus: new Events<"price" | "qty">(),
    searchFocus: new Events<void>(),
    takePrice: (price) => page.ticket.takePrice(price),
    select(symbol) {
      page.select(symbol);
      if (view.phoneTab.get() === "list") view.phoneTab.set("order");
    },
    amend(orderId) {
      page.ticket.amend(orderId);
      view.phoneTab.set("order");
    },
    ask: (sentence, action) =>
      new Promise((resolve) => {
        question.get()?.answer(false);
        const answer = (yes: boolean) => {
          question.set(null);
          resolve(yes);
        };
        question.set({ sentence, action, answer });
      }),
    announce: new Store(""),
    stop() {
      stopTicks();
      stopClock();
      stopBook();
    },
  };
  return view;
}
