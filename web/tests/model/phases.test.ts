import { describe, expect, it } from "vitest";
import type { InstrumentState, Phase } from "../../src/api/types";
import { WORDS, type Sentence } from "../../src/model/messages";
import {
  collects,
  conditionChoices,
  isAtClose,
  isAuction,
  isContinuous,
  isShut,
  opensAt,
  remaining,
  typeChoices,
} from "../../src/model/phases";
import { AUCTION_TYPES, clock, KRX_TYPES, SAMSUNG } from "../support/market";

const at = (time: string) => Date.parse(`2026-11-23T${time}+09:00`);
const stands = (changes: Partial<InstrumentState> = {}): InstrumentState => ({
  ...SAMSUNG,
  phase_until: null,
  ...changes,
});
const say = (sentence: Sentence | null | undefined) => (sentence ? WORDS.ko.say(sentence) : null);

describe("phases", () => {
  it("collect, trade or take nothing", () => {
    const kinds = (phase: Phase) => [isAuction(phase), isContinuous(phase), isShut(phase)];
    const phases: Phase[] = ["opening_auction", "closing_auction", "vi_auction", "resumption_auction"];
    for (const phase of phases) expect(kinds(phase), phase).toEqual([true, false, false]);
    const trading: Phase[] = ["continuous", "after_hours", "close_price", "previous_close"];
    for (const phase of trading) expect(kinds(phase)).toEqual([false, true, false]);
    expect(kinds("close_price_reception")).toEqual([false, false, false]);
    const resting = [...phases, "close_price_reception"] as Phase[];
    expect([...phases, ...trading, "close_price_reception" as const].filter(collects)).toEqual(resting);
    const atClose: Phase[] = ["close_price", "previous_close", "close_price_reception"];
    expect([...resting, ...trading].filter(isAtClose).sort()).toEqual(atClose.sort());
    for (const phase of ["pre_open", "closed", "halted"] as const) expect(kinds(phase)).toEqual([false, false, true]);
  });

  it("of the day's plan have a planned end, and what follows", () => {
    const auction = stands({ phase: "closing_auction" });
    const now = clock({ phase: "closing_auction", next_phase: "closed", next_phase_at: "2026-11-23T15:30:00+09:00" });
    expect(remaining(auction, now, at("15:29:00"))).toEqual({
      phase: "closing_auction",
      until: at("15:30:00"),
      leftMs: 60_000,
      next: "closed",
      randomEndS: 30,
      ending: false,
    });
    expect(remaining(auction, now, at("15:30:10"))).toMatchObject({ leftMs: 0, ending: true });
    expect(remaining(stands(), clock(), at("15:19:59"))).toMatchObject({ leftMs: 1000, next: "closing_auction" });
  });

  it("of the instrument's own end when it says so", () => {
    const vi = stands({
      phase: "vi_auction",
      phase_reason: "vi_dynamic",
      phase_until: "2026-11-23T10:02:00+09:00",
    });
    const left = remaining(vi, clock(), at("10:01:30"));
    expect(left).toMatchObject({ leftMs: 30_000, next: "continuous", randomEndS: 30 });
    const halted = stands({ phase: "halted", phase_until: "2026-11-23T10:20:00+09:00" });
    expect(remaining(halted, clock(), at("10:01:30"))?.next).toBe("resumption_auction");
  });

  it("without a plan end nobody knows when", () => {
    const always = clock({ market_hours: "always", day: [], next_phase: null, next_phase_at: null });
    expect(remaining(stands(), always, at("10:00:00"))).toBeNull();
    expect(remaining(stands({ phase: "halted" }), clock(), at("10:00:00"))).toBeNull();
    expect(remaining(stands(), null, at("10:00:00"))).toBeNull();
  });

  it("say when orders are taken again", () => {
    expect(opensAt(clock(), at("08:00:00"))).toEqual({ time: "08:30", tomorrow: false });
    expect(opensAt(clock(), at("15:45:00"))).toEqual({ time: "16:00", tomorrow: false });
    expect(opensAt(clock(), at("21:00:00"))).toEqual({ time: "08:30", tomorrow: true });
    expect(opensAt(clock({ day: [] }), at("21:00:00"))).toBeNull();
    expect(opensAt(null, 0)).toBeNull();
  });
});

describe("what a phase takes", () => {
  const auction = stands({ phase: "opening_auction", order_types: AUCTION_TYPES, immediate_types: [] });

  it("in continuous trading: everything that the venue knows", () => {
    const choices = typeChoices(stands(), KRX_TYPES);
    expect(choices.map(({ name }) => name)).toEqual(KRX_TYPES);
    expect(choices.every(({ allowed, why }) => allowed && why === null)).toBe(true);
  });

  it("in an auction: the others are there, and say why not", () => {
    const choices = typeChoices(auction, KRX_TYPES);
    expect(choices.map(({ name }) => name)).toEqual(KRX_TYPES);
    expect(choices.filter(({ allowed }) => !allowed).map(({ name, why }) => [name, say(why)])).toEqual([
      ["best_opposite", "시가 단일가에는 최유리 주문을 받지 않습니다."],
      ["best_same", "시가 단일가에는 최우선 주문을 받지 않습니다."],
      ["midpoint", "시가 단일가에는 중간가 주문을 받지 않습니다."],
    ]);
  });

  it("while halted: nothing", () => {
    const [limit] = typeChoices(stands({ phase: "halted", order_types: [] }), KRX_TYPES);
    expect([limit?.allowed, say(limit?.why)]).toEqual([false, "거래가 정지된 종목입니다. 취소만 할 수 있습니다."]);
  });

  it("a type that only this phase takes is offered, too", () => {
    expect(typeChoices(stands({ order_types: ["limit", "stop"] }), ["limit"]).map(({ name }) => name)).toEqual([
      "limit",
      "stop",
    ]);
  });

  it("IOC and FOK: of some types, in continuous trading", () => {
    const told = (state: InstrumentState, type: "limit" | "best_same") =>
      conditionChoices(state, type).map(({ name, why }) => [name, say(why)]);
    expect(told(stands(), "limit")).toEqual([
      ["day", null],
      ["ioc", null],
      ["fok", null],
    ]);
    expect(told(stands(), "best_same")[1]).toEqual(["ioc", "최우선 주문에는 IOC를 쓸 수 없습니다."]);
    expect(told(auction, "limit")[2]?.[1]).toBe("단일가 시간에는 FOK를 쓸 수 없습니다. 당일 지정가로 주문해 주세요.");
    const evening = stands({ phase: "after_hours", immediate_types: [] });
    expect(told(evening, "limit")[1]?.[1]).toBe("애프터마켓에는 IOC를 쓸 수 없습니다.");
  });
});
