/** The story of one order: read when it is opened, and again when something happens to it. */

import type { Exchange } from "../api/exchange";
import { NoAnswer, Problem } from "../api/http";
import type { StorySentence, StoryView } from "../api/types";
import { storyText, type StoryPart } from "./messages/story";
import type { Money } from "./money";
import type { Language } from "./numbers";
import type { Orders } from "./orders";
import { derive, Store, type Readable, type Unsubscribe } from "./store";

export interface StoryTold {
  orderId: number | null;
  state: "closed" | "loading" | "ready" | "failed";
  /** With every text in the page's language. */
  story: StoryView | null;
}

/** Between two readings. */
export const STORY_EVERY_MS = 1_000;

const CLOSED: StoryTold = { orderId: null, state: "closed", story: null };

export class Story {
  readonly told: Readable<StoryTold>;
  readonly #read = new Store<StoryTold>(CLOSED);
  readonly #exchange: Exchange;
  readonly #leave: Unsubscribe[];
  #timer: ReturnType<typeof setTimeout> | null = null;
  #minSeq = 0;
  #reading = false;
  #again = false;
  #place = "";

  constructor(exchange: Exchange, orders: Orders, language: Readable<Language>, money: Readable<Money>) {
    this.#exchange = exchange;
    this.told = derive([this.#read, language, money], (told, tongue, unit) => ({
      ...told,
      story: told.story === null ? null : inLanguage(told.story, tongue, unit),
    }));
    this.#leave = [
      orders.changed.on(({ order }) => this.#heard(order.order_id, order.seq)),
      orders.filled.on(({ fill }) => this.#heard(fill.order_id, fill.seq)),
      orders.queue.subscribe((places) => {
        const { orderId } = this.#read.get();
        const place = orderId === null ? undefined : places.get(orderId);
        const text = place === undefined ? "" : JSON.stringify(place);
        if (text === this.#place) return;
        this.#place = text;
        if (orderId !== null) this.#soon();
      }),
    ];
  }

  /** Read an order's story, and keep it true. */
  open(orderId: number): void {
    if (this.#read.get().orderId === orderId) {
      this.#soon();
      return;
    }
    this.#stop();
    this.#minSeq = 0;
    this.#read.set({ orderId, state: "loading", story: null });
    void this.#load();
  }

  close(): void {
    this.#stop();
    this.#read.set(CLOSED);
  }

  stop(): void {
    this.close();
    for (const leave of this.#leave.splice(0)) leave();
  }

  #heard(orderId: number, seq: number): void {
    if (orderId !== this.#read.get().orderId) return;
    this.#minSeq = Math.max(this.#minSeq, seq);
    this.#soon();
  }

  #soon(): void {
    if (this.#reading) {
      this.#again = true;
      return;
    }
    this.#timer ??= setTimeout(() => {
      this.#timer = null;
      void this.#load();
    }, STORY_EVERY_MS);
  }

  async #load(): Promise<void> {
    const { orderId } = this.#read.get();
    if (orderId === null || this.#reading) {
      this.#again = orderId !== null;
      return;
    }
    this.#reading = true;
    try {
      const story = (await this.#exchange.story(orderId, this.#minSeq)).body;
      if (this.#read.get().orderId === orderId) this.#read.set({ orderId, state: "ready", story });
    } catch (error) {
      if (!(error instanceof NoAnswer || error instanceof Problem)) throw error;
      if (this.#read.get().orderId === orderId) this.#read.update((told) => ({ ...told, state: "failed" }));
    } finally {
      this.#reading = false;
      const now = this.#read.get().orderId;
      const again = this.#again;
      this.#again = false;
      if (now !== null && now !== orderId) void this.#load();
      else if (now !== null && again) this.#soon();
    }
  }

  #stop(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    this.#again = false;
    this.#place = "";
  }
}

function inLanguage(story: StoryView, language: Language, money: Money): StoryView {
  const tell = <Told extends StorySentence>(part: StoryPart, sentence: Told): Told => ({
    ...sentence,
    text: storyText(part, sentence, language, money),
  });
  return {
    ...story,
    answer: tell("answers", story.answer),
    happenings: story.happenings.map((each) => tell("happenings", each)),
    options: story.options.map((each) => tell("options", each)),
  };
}
