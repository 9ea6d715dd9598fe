import { describe, expect, it } from "vitest";
import { affordable, cost, forecast, possible, reservation, type Question } from "../../src/model/forecast";
import { WORDS } from "../../src/model/messages";
import { KRX, KRX_TYPES, level, order } from "../support/market";

const say = (question: Question) => WORDS.ko.say(forecast(question).sentence);

function ask(draft: Partial<Question["draft"]> = {}, more: Partial<Question> = {}): Question {
  return {
    draft: { side: "buy", type: "limit", timeInForce: "day", price: 71400, stop: null, qty: 100, ...draft },
    rules: {
      phase: "continuous",
      bands: KRX,
      upper: 91600,
      lower: 49400,
      commissionPpm: 0,
      transactionTaxPpm: 0,
      ruralTaxPpm: 0,
      maxOrderQty: 0,
      maxQtyByValue: 0,
      orderTypes: KRX_TYPES,
      immediateTypes: ["limit", "market", "best_opposite", "midpoint"],
      remainder: "float",
      previous: 71400,
      vi: { vi_dynamic_lower: null, vi_dynamic_upper: null, vi_static_lower: null, vi_static_upper: null },
      ...more.rules,
    },
    depth: {
      bids: [level(71300, 12650), level(71200, 900)],
      asks: [level(71400, 68), level(71500, 50), level(71600, 500)],
      whole: true,
    },
    means: { cash: 100_000_000, shares: 200, held: 0 },
    ...more,
  };
}

const rules = (changes: Partial<Question["rules"]>): Partial<Question> => ({ rules: { ...ask().rules, ...changes } });

describe("what would happen", () => {
  it("fills at one price, or over several", () => {
    expect(forecast(ask({ qty: 60 }))).toMatchObject({ kind: "fill", fillQty: 60, fillAmount: 60 * 71400 });
    expect(say(ask({ qty: 60 }))).toBe("71,400원에 60주가 바로 체결될 수 있습니다.");
    expect(say(ask({ qty: 100, price: 71600 }))).toBe("71,400~71,500원에 100주가 바로 체결될 수 있습니다.");
    expect(say(ask({ side: "sell", qty: 50, price: 71200 }))).toBe("71,300원에 50주가 바로 체결될 수 있습니다.");
  });

  it("rests behind what stands there, or first", () => {
    expect(forecast(ask({ price: 71300 }))).toMatchObject({ kind: "rest", restQty: 100, ahead: 12650 });
    expect(say(ask({ price: 71300 }))).toBe("바로 체결되지 않고, 71,300원에서 12,650주 뒤에 줄을 섭니다.");
    expect(say(ask({ price: 70000 }))).toBe("바로 체결되지 않고, 70,000원에서 맨 앞에 줄을 섭니다.");
    const cut = ask({ price: 70000 });
    cut.depth = { ...(cut.depth as object), whole: false } as Question["depth"];
    expect(forecast(cut)).toMatchObject({ kind: "rest", ahead: null });
  });

  it("fills in part", () => {
    expect(forecast(ask())).toMatchObject({ kind: "part", fillQty: 68, restQty: 32 });
    expect(say(ask())).toBe("68주는 바로 체결될 수 있고, 32주는 71,400원에서 기다립니다.");
    expect(say(ask({ timeInForce: "ioc" }))).toBe("68주는 바로 체결될 수 있고, 32주는 취소됩니다.");
    const plain = rules({ remainder: "cancel" });
    expect(say(ask({ type: "market", price: null, qty: 700 }, plain))).toBe(
      "618주는 바로 체결될 수 있고, 82주는 취소됩니다.",
    );
  });

  it("is canceled unfilled", () => {
    expect(forecast(ask({ price: 71300, timeInForce: "ioc" })).kind).toBe("none");
    expect(forecast(ask({ timeInForce: "fok" })).kind).toBe("none");
    expect(say(ask({ timeInForce: "fok" }))).toBe(
      "지금 체결될 수 있는 수량이 100주 중 68주여서 FOK 주문은 전량 취소됩니다.",
    );
    expect(forecast(ask({ timeInForce: "fok", price: 71600 })).kind).toBe("fill");
    const empty = { depth: { bids: [], asks: [], whole: true }, ...rules({ remainder: "cancel" }) };
    expect(forecast(ask({ type: "market", price: null }, empty)).sentence.key).toBe("forecast.none_market");
  });

  it("cannot be told beyond the levels that are seen, or without a book", () => {
    const depth = { bids: [], asks: [level(71400, 10)], whole: false };
    const deep = forecast(ask({ type: "market", price: null }, { depth }));
    expect(deep).toMatchObject({ kind: "part", fillQty: 10 });
    expect(deep.sentence.key).toBe("forecast.fill_deep");
    expect(forecast(ask({}, { depth: null })).kind).toBe("open");
  });

  it("asks for what is missing", () => {
    expect(forecast(ask({ qty: null }))).toMatchObject({ kind: "open", field: "qty" });
    expect(forecast(ask({ price: null }))).toMatchObject({ kind: "open", field: "price" });
    expect(forecast(ask({ price: null, type: "market" })).kind).not.toBe("open");
    expect(forecast(ask({ qty: null, price: 71450 })).reason).toBe("price_tick");
  });
});

describe("why not, and what instead", () => {
  it.each<[string, Question, string, object[]]>([
    ["off the grid", ask({ price: 71450 }), "price_tick", [{ price: 71400 }, { price: 71500 }]],
    ["above the limit", ask({ price: 91700 }), "price_limit", [{ price: 91600 }]],
    ["below the limit", ask({ price: 49300, side: "sell" }), "price_limit", [{ price: 49400 }]],
    ["too much money", ask({ qty: 1500 }), "insufficient_cash", [{ qty: 1400 }]],
    ["too many shares", ask({ side: "sell", qty: 300 }), "insufficient_shares", [{ qty: 200 }]],
    ["above the rule's size", ask({ qty: 51 }, rules({ maxOrderQty: 50 })), "qty_limit", [{ qty: 50 }]],
    ["zero", ask({ qty: 0 }), "invalid_qty", []],
    ["price zero", ask({ price: 0 }), "invalid_price", []],
    ["no other types", ask({ type: "stop" }), "order_type_not_allowed", [{ type: "limit", timeInForce: "day" }]],
    ["halted", ask({}, rules({ phase: "halted" })), "halted", []],
    ["closed", ask({}, rules({ phase: "closed" })), "market_closed", []],
    ["huge", ask({ price: 91600, qty: 9007199254740991 }), "amount_too_large", []],
  ])("%s", (_, question, reason, patches) => {
    const told = forecast(question);
    expect(told).toMatchObject({ kind: "refused", reason });
    expect(told.fixes.map(({ patch }) => patch)).toEqual(patches);
  });

  it("a fix mends what it is offered for", () => {
    for (const question of [
      ask({ price: 71450 }),
      ask({ price: 99999 }),
      ask({ qty: 1500 }),
      ask({ side: "sell", qty: 300 }),
    ]) {
      for (const { patch } of forecast(question).fixes) {
        const mended = forecast({ ...question, draft: { ...question.draft, ...patch } });
        expect(mended.reason).not.toBe(forecast(question).reason);
      }
    }
  });

  it("says how much is short and how much is held", () => {
    const poor = ask({ qty: 299 }, { means: { cash: 13_851_600 + 0, shares: 0, held: 0 } });
    expect(say(poor)).toBe("현금이 7,497,000원 모자랍니다. 최대 194주까지 살 수 있습니다.");
    const held = ask({ side: "sell", qty: 200 }, { means: { cash: 0, shares: 100, held: 100 } });
    expect(say(held)).toBe("팔 수 있는 수량은 100주입니다. 100주는 다른 매도 주문에 묶여 있습니다.");
    const none = ask({ side: "sell", qty: 1 }, { means: { cash: 0, shares: 0, held: 0 } });
    expect(say(none)).toBe("팔 수 있는 주식이 없습니다.");
    const broke = ask({ qty: 1 }, { means: { cash: 5, shares: 0, held: 0 } });
    expect(say(broke)).toBe("현금이 71,395원 모자랍니다.");
  });

  it("a market buy reserves at the upper limit; without one it pays as it goes", () => {
    const market = ask({ type: "market", price: null, qty: 100 }, { means: { cash: 9_000_000, shares: 0, held: 0 } });
    expect(forecast(market).reason).toBe("insufficient_cash");
    const plain = { ...market, rules: { ...market.rules, upper: null, lower: null } };
    expect(forecast(plain)).toMatchObject({ kind: "fill", fillQty: 100 });
    const short = { ...plain, means: { cash: 5_000_000, shares: 0, held: 0 } };
    expect(forecast(short)).toMatchObject({ kind: "part", fillQty: 70 });
    expect(forecast(short).sentence.key).toBe("forecast.part_cash");
    expect(forecast({ ...plain, means: { cash: 0, shares: 0, held: 0 } }).reason).toBe("insufficient_cash");
  });
});

describe("corrections", () => {
  const mine = order({ limit_price: 71300, qty: 100, filled_qty: 0 });
  const amend = (draft: Partial<Question["draft"]>, more: Partial<Question> = {}) =>
    forecast(ask({ price: 71300, qty: 100, ...draft }, { amending: mine, ...more }));

  it("a lower quantity keeps the place", () => expect(amend({ qty: 60 })).toMatchObject({ kind: "keep", restQty: 60 }));

  it("a new price goes to the back", () => {
    expect(amend({ price: 71200 })).toMatchObject({ kind: "rest", ahead: 900 });
    expect(amend({ price: 71400 })).toMatchObject({ kind: "part", fillQty: 68 });
  });

  it("more shares go to the back of their own price, behind all others", () => {
    expect(amend({ qty: 150 })).toMatchObject({ kind: "rest", ahead: 12550 });
  });

  it("nothing to correct, or all canceled", () => {
    expect(amend({})).toMatchObject({ kind: "refused", reason: "nothing_to_correct" });
    expect(amend({ qty: 0 }).kind).toBe("cancel");
  });

  it("what the order itself holds may be used", () => {
    const means = { cash: 0, shares: 0, held: 0 };
    expect(amend({ price: 71200 }, { means }).kind).toBe("rest");
    expect(amend({ price: 71400 }, { means }).reason).toBe("insufficient_cash");
    const sale = order({ side: "sell", limit_price: 71500, qty: 50 });
    const more = forecast(
      ask({ side: "sell", price: 71600, qty: 50 }, { amending: sale, means: { ...means, held: 50 } }),
    );
    expect(more.kind).toBe("rest");
  });
});

describe("auctions", () => {
  const auction = { price: 71400, time: "15:30" };
  const closing = rules({
    phase: "closing_auction",
    orderTypes: ["limit", "market", "stop_limit"],
    immediateTypes: [],
  });

  it("all match at one price", () => {
    expect(forecast(ask({ price: 71500 }, { ...closing, auction })).kind).toBe("auction");
    expect(say(ask({ price: 71500 }, { ...closing, auction }))).toBe(
      "15:30에 한 가격으로 체결됩니다. 예상체결가 71,400원이면 이 주문은 체결될 수 있습니다.",
    );
    expect(say(ask({ price: 71300 }, { ...closing, auction }))).toMatch(/체결될 수 없습니다/);
  });

  it("take no IOC", () => {
    expect(forecast(ask({ timeInForce: "ioc" }, { ...closing, auction })).reason).toBe("order_type_not_allowed");
  });
});

describe("how much", () => {
  it("the most that cash pays, commission included", () => {
    for (const [cash, unit, rate] of [
      [1_000_000, 71400, 0],
      [1_000_000, 71400, 150],
      [71410, 71400, 150],
      [71409, 71400, 150],
      [0, 1, 0],
      [9_007_199_254_740_991, 1, 0],
    ] as const) {
      const most = affordable(cash, unit, rate);
      expect(reservation(unit, most, rate) <= BigInt(cash)).toBe(true);
      if (most < Number.MAX_SAFE_INTEGER) expect(reservation(unit, most + 1, rate) > BigInt(cash)).toBe(true);
    }
  });

  it("is what can be forecast without a refusal", () => {
    for (const question of [
      ask(),
      ask({ side: "sell" }),
      ask({ type: "market", price: null }),
      ask({}, rules({ maxOrderQty: 30 })),
      ask({}, rules({ commissionPpm: 150 })),
    ]) {
      const { qty } = possible(question);
      const at = (shares: number) => forecast({ ...question, draft: { ...question.draft, qty: shares } });
      expect(at(qty).kind).not.toBe("refused");
      expect(at(qty + 1).kind).toBe("refused");
    }
  });

  it("costs what fills at its price and what rests at its own", () => {
    const question = ask({ price: 71500, qty: 200 }, rules({ commissionPpm: 150, transactionTaxPpm: 2000 }));
    expect(cost(question, forecast(question))).toEqual({
      reserved: 82 * 71500 + Math.floor((82 * 71500 * 150) / 1e6),
      unit: 71500,
      amount: 68 * 71400 + 132 * 71500,
      commission: Math.floor(((68 * 71400 + 132 * 71500) * 150) / 1e6),
      tax: 0,
    });
    const sale = ask({ side: "sell", price: 71300, qty: 100 }, rules({ transactionTaxPpm: 2000 }));
    expect(cost(sale, forecast(sale))?.tax).toBe((7_130_000 * 2000) / 1e6);
    expect(cost(ask({ qty: null }), forecast(ask({ qty: null })))).toBeNull();
  });
});
