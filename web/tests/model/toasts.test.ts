import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { WORDS } from "../../src/model/messages";
import { GATHER_MS, TOAST_MS, Toasts } from "../../src/model/toasts";
import { fill, order } from "../support/market";

let toasts: Toasts;
let told: number[];

beforeEach(() => {
  vi.useFakeTimers();
  toasts = new Toasts(() => "삼성전자");
  told = [];
  toasts.told.on(({ id }) => told.push(id));
});
afterEach(() => vi.useRealTimers());

const texts = () =>
  toasts.shown.get().map(({ title, detail }) => [title, ...detail].map((each) => WORDS.ko.say(each)).join(" · "));

describe("fills", () => {
  it("of one order within a second are one notice", () => {
    toasts.fill(fill({ qty: 5, filled_qty: 5, leaves_qty: 15 }), order({ qty: 20 }));
    vi.advanceTimersByTime(GATHER_MS / 2);
    toasts.fill(fill({ qty: 3, filled_qty: 8, leaves_qty: 12 }), order({ qty: 20 }));
    expect(texts()).toEqual([]);
    vi.advanceTimersByTime(GATHER_MS / 2);
    expect(texts()).toEqual(["삼성전자 8주를 샀습니다 · 71,300원 · 20주 중 8주, 12주 남음"]);
    expect(told).toHaveLength(1);
  });

  it("at several prices say their average; of several orders they are several", () => {
    toasts.fill(fill({ qty: 10, price: 71300, leaves_qty: 10 }), null);
    toasts.fill(fill({ qty: 10, price: 71400, leaves_qty: 0, status: "filled" }), null);
    toasts.fill(fill({ order_id: 9, side: "sell", qty: 1, leaves_qty: 0 }), null);
    vi.advanceTimersByTime(GATHER_MS);
    expect(texts()).toEqual(["삼성전자 20주를 샀습니다 · 평균 71,350원", "삼성전자 1주를 팔았습니다 · 71,300원"]);
  });
});

describe("notices", () => {
  it("are three at most and go after six seconds", () => {
    for (let count = 1; count <= 5; count += 1) toasts.info({ key: "done.all_canceled", params: { count } });
    expect(toasts.shown.get().map(({ id }) => id)).toEqual([3, 4, 5]);
    vi.advanceTimersByTime(TOAST_MS);
    expect(toasts.shown.get()).toEqual([]);
    expect(told).toEqual([1, 2, 3, 4, 5]);
  });

  it("stay while they are hovered", () => {
    toasts.info({ key: "link.reset" });
    const id = toasts.shown.get()[0]?.id ?? 0;
    toasts.pause(id);
    vi.advanceTimersByTime(TOAST_MS * 3);
    expect(toasts.shown.get()).toHaveLength(1);
    toasts.resume(id);
    vi.advanceTimersByTime(TOAST_MS);
    expect(toasts.shown.get()).toEqual([]);
  });

  it("can be put away, and leave no timer behind", () => {
    toasts.info({ key: "link.reset" });
    toasts.fill(fill(), null);
    toasts.clear();
    expect(toasts.shown.get()).toEqual([]);
    expect(vi.getTimerCount()).toBe(0);
  });
});
