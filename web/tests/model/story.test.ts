import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { StoryView } from "../../src/api/types";
import { storyText } from "../../src/model/messages/story";
import { WORDS } from "../../src/model/messages";
import { STORY_EVERY_MS, type StoryTold } from "../../src/model/story";
import catalogue from "../../src/model/story.json";
import { Desk } from "../support/exchange";
import { fill, order } from "../support/market";

const told = (code: string, params: Record<string, unknown>, text = "server") => ({ code, params, text });

const STORY: StoryView = {
  order: order({ order_id: 9 }),
  answer: told("in_line", { limit_price: 71300, ahead_qty: 1200 }),
  queue: { entry: { ahead_qty: 5000, ahead_orders: 9, level_qty: 5100 }, now: null },
  happenings: [
    {
      ...told("entered_line", { limit_price: 71300, ahead_qty: 5000 }),
      seq: 1,
      ts: "2026-11-23T01:00:00Z",
      own: true,
      rule: false,
    },
    { ...told("of_next_year", {}), seq: 2, ts: "2026-11-23T01:00:01Z", own: false, rule: true },
  ],
  more: 0,
  options: [
    told("correct_to_opposite", { opposite_price: 71400, fillable_qty: 100 }),
    told("reduce", {}),
    told("wait_in_line", { ahead_qty: 1200 }),
    told("cancel_buy", { leaves_qty: 100 }),
    told("order_day", {}),
    told("correct_stop", {}),
  ],
};

describe("the story's sentences", () => {
  it("are the exchange's own, with numbers as people write them", () => {
    const filled = (template: string, values: Record<string, string>) =>
      template.replace(/\{(\w+)\}/g, (_, name: string) => values[name] ?? "?");
    const { auction_would_fill: auction, filled: done, rejected } = catalogue.answers;
    const asked = told("auction_would_fill", { phase_word: "closing_auction", indicative_price: 71400 });
    expect(storyText("answers", asked, "ko")).toBe(
      filled(auction.ko, { phase_word: catalogue.words.closing_auction.ko, indicative_price: "71,400원" }),
    );
    expect(storyText("answers", asked, "en")).toBe(
      filled(auction.en, { phase_word: catalogue.words.closing_auction.en, indicative_price: "₩71,400" }),
    );
    const average = told("filled", { filled_qty: 1000, average_price: "71350.25" });
    expect(storyText("answers", average, "ko")).toBe(
      filled(done.ko, { filled_qty: "1,000주", average_price: "71,350.25원" }),
    );
    expect(storyText("answers", told("rejected", { reject_reason: "price_tick" }), "en")).toBe(
      filled(rejected.en, { reject_reason: WORDS.en.say({ key: "reason", params: { code: "price_tick" } }) }),
    );
    const moved = storyText("happenings", told("moved", { moved_qty: 5, moved_number: 1042 }), "ko");
    expect(moved).toContain("1042");
  });

  it("the exchange's own text stands in where this page cannot write one", () => {
    expect(storyText("answers", told("of_next_year", {}), "ko")).toBe("server");
    expect(storyText("answers", told("in_line", { limit_price: 71300 }), "ko")).toBe("server");
    expect(storyText("answers", told("in_line", { limit_price: 71300, ahead_qty: "many" }), "ko")).toBe("server");
    expect(storyText("answers", told("rejected", { reject_reason: "of_next_year" }), "ko")).toBe("server");
  });

  it("every one of the catalogue can be written in both languages", () => {
    const value: Record<string, unknown> = { price: 71300, qty: 10, count: 3, number: 1042, word: "buy" };
    Object.assign(value, { reason: "day_ended", time: "2026-11-23T06:20:00Z" });
    for (const part of ["answers", "happenings", "options"] as const) {
      for (const [code, texts] of Object.entries(catalogue[part])) {
        const names = [...(texts.ko + texts.en).matchAll(/\{(\w+)\}/g)].map((found) => found[1] as string);
        const params = Object.fromEntries(names.map((name) => [name, value[name.slice(name.lastIndexOf("_") + 1)]]));
        for (const language of ["ko", "en"] as const) {
          const text = storyText(part, told(code, params, "?"), language);
          expect(text, `${part} ${code}`).not.toBe("?");
          expect(text, `${part} ${code}`).not.toMatch(/[{}]|undefined/);
        }
      }
    }
  });
});

describe("the story of an order", () => {
  let desk: Desk;
  let now: StoryTold;
  let leave: () => void;
  const reads = () => desk.paths().filter((path) => path.endsWith("/story")).length;

  beforeEach(async () => {
    desk = new Desk();
    desk.answers.set("GET /v1/orders/9/story", () => Response.json(STORY));
    await desk.live();
    leave = desk.app.story.told.subscribe((told) => (now = told));
  });

  afterEach(() => {
    leave();
    desk.app.stop();
    vi.useRealTimers();
  });

  it("is read when it is opened, and told in the page's language", async () => {
    desk.app.story.open(9);
    expect(now).toMatchObject({ orderId: 9, state: "loading", story: null });
    await desk.quiet();
    expect(now.state).toBe("ready");
    expect(now.story?.answer.text).toMatch(/71,300원.*1,200주/);
    desk.app.preferences.set("language", "en");
    expect(now.story?.answer.text).toMatch(/₩71,300|1,200/);
    expect(now.story?.happenings.map(({ text }) => text)).toEqual([expect.stringMatching(/₩71,300.*5,000/), "server"]);
    expect(now.story?.options.map(WORDS.ko.option)).toEqual([
      "71,400원으로 정정",
      "수량 줄이기",
      "기다리기",
      "취소하기",
      "다시 주문하기",
      "정정하기",
    ]);
  });

  it("is read again, once a second at most, when something happens to the order", async () => {
    desk.app.story.open(9);
    await desk.quiet();
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    for (let seq = 70; seq < 80; seq += 1) {
      desk.app.orders.takeFill(fill({ order_id: 9, seq, trade_id: seq }));
      desk.app.orders.takeFill(fill({ order_id: 8, seq, trade_id: seq + 100 }));
    }
    expect(reads()).toBe(1);
    await vi.advanceTimersByTimeAsync(STORY_EVERY_MS);
    await desk.quiet();
    expect(reads()).toBe(2);
    expect(desk.calls.at(-1)?.minSeq).toBe("79");
    const place = { order_id: 9, ahead_qty: 3, leaves_qty: 1, level_qty: 4, ahead_orders: 1 };
    desk.say({ kind: "queue", places: [place] });
    desk.say({ kind: "queue", places: [{ ...place }, { ...place, order_id: 8, ahead_qty: 9 }] });
    await vi.advanceTimersByTimeAsync(STORY_EVERY_MS * 3);
    await desk.quiet();
    expect(reads()).toBe(3);
  });

  it("is not read once it is closed, and an answer that comes late is not shown", async () => {
    desk.app.story.open(9);
    desk.app.story.close();
    await desk.quiet();
    expect(now).toEqual({ orderId: null, state: "closed", story: null });
    desk.app.orders.takeFill(fill({ order_id: 9, seq: 90 }));
    await desk.quiet();
    expect(reads()).toBe(1);
  });

  it("another order's takes its place, whichever answer comes first", async () => {
    desk.answers.set("GET /v1/orders/8/story", () => Response.json({ ...STORY, order: order({ order_id: 8 }) }));
    desk.app.story.open(9);
    desk.app.story.open(8);
    await desk.quiet();
    expect([now.orderId, now.story?.order.order_id, now.state]).toEqual([8, 8, "ready"]);
  });

  it("says when it could not be read, and keeps what it knew", async () => {
    desk.answers.set("GET /v1/orders/7/story", () => new TypeError("lost"));
    desk.app.story.open(7);
    await desk.quiet();
    expect(now).toMatchObject({ orderId: 7, state: "failed", story: null });
    desk.answers.set("GET /v1/orders/7/story", () => Response.json(STORY));
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    desk.app.story.open(7);
    await vi.advanceTimersByTimeAsync(STORY_EVERY_MS);
    await desk.quiet();
    expect(now.state).toBe("ready");
  });
});
