/** What the components share: the page's state, the words, and what only the view needs to know. */

import { getContext, setContext } from "svelte";
import type { Instrument, InstrumentState, Phase } from "../api/types";
import type { Holding, Totals } from "../model/account";
import type { App } from "../model/app";
import type { Quote } from "../model/market";
import type { Sentence, Words } from "../model/messages";
import { clockTime, type Language } from "../model/numbers";
import { isOpen } from "../model/orders";
import { remaining, type Remaining } from "../model/phases";
import { derive, Events, Store, type Readable } from "../model/store";
import { forgetFrame, onNextFrame, perFrame } from "./frame";

export type PhoneTab = "list" | "chart" | "order" | "blotter" | "account";
export type BlotterTab = "open" | "fills" | "holdings" | "history";

/** The phase that the chosen instrument is in, and what is left of it where that is known. */
export interface PhaseNow {
  phase: Phase;
  left: Remaining | null;
  /** Whether the trading day has a plan. */
  planned: boolean;
  /** Whether the instrument is in another phase than the market. */
  own: boolean;
}

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
  /** How the selected instrument stands. */
  standing: Readable<InstrumentState | null>;
  phaseNow: Readable<PhaseNow | null>;
  /** The exchange's clock, once a second, in milliseconds since 1970. */
  now: Readable<number>;
  phoneTab: Store<PhoneTab>;
  blotterTab: Store<BlotterTab>;
  /** The order that the keys J, K, W and X mean. */
  blotterOrder: Store<number | null>;
  /** The order whose story is told. */
  explained: Readable<number | null>;
  /** Tell an order's story; null ends it. */
  explain: (orderId: number | null) => void;
  sessionAsked: Store<boolean>;
  keysShown: Store<boolean>;
  question: Store<Question | null>;
  ladderFocus: Events<void>;
  /** The inputs of the ticket, by name. */
  ticketFocus: Events<"price" | "stop" | "qty">;
  searchFocus: Events<void>;
  /** A price into the ticket. */
  takePrice: (price: number) => void;
  select: (symbol: string) => void;
  amend: (orderId: number) => void;
  ask: (sentence: Sentence, action: string) => Promise<boolean>;
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

/** What the market does now, for the chosen instrument: itself where it has a phase of its own. */
function phaseOf(page: App, now: Readable<number>): Readable<PhaseNow | null> {
  const { stateNow, clock } = page.market;
  return derive([stateNow, clock, now], (state, told, time) => {
    const planned = (told?.day.length ?? 0) > 0;
    if (state !== null)
      return { phase: state.phase, left: remaining(state, told, time), planned, own: state.phase !== told?.phase };
    return told === null ? null : { phase: told.phase, left: null, planned, own: false };
  });
}

export function makeView(page: App): View {
  const { market, account, preferences } = page;
  const explained = new Store<number | null>(null);
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
    standing: market.stateNow,
    phaseNow: phaseOf(page, now),
    now,
    phoneTab: new Store<PhoneTab>("order"),
    blotterTab: new Store<BlotterTab>("open"),
    blotterOrder: new Store<number | null>(null),
    explained,
    explain(orderId) {
      if (orderId === null) page.story.close();
      else {
        const order = page.orders.get(orderId);
        if (order === null) return;
        // The ladder and the chart beside the story are those of its instrument.
        page.select(order.symbol);
        if (isOpen(order)) view.blotterOrder.set(orderId);
        page.story.open(orderId);
      }
      explained.set(orderId);
    },
    sessionAsked: new Store(false),
    keysShown: new Store(false),
    question,
    ladderFocus: new Events<void>(),
    ticketFocus: new Events<"price" | "stop" | "qty">(),
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
    stop() {
      stopTicks();
      stopClock();
      stopBook();
    },
  };
  return view;
}
