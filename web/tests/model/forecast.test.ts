import { describe, expect, it } from "vitest";
import type { OrderType } from "../../src/api/types";
import {
  affordable,
  consequence,
  cost,
  forecast,
  possible,
  reservation,
  type Question,
} from "../../src/model/forecast";
import { WORDS, type Sentence } from "../../src/model/messages";
import { AUCTION_TYPES, KRX, KRX_TYPES, level, order } from "../support/market";

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
      lotSize: 1,
      fixed: null,
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
const atClose = (phase: "close_price" | "close_price_reception", fixed: number | null): Partial<Question> =>
  rules({ phase, fixed, orderTypes: fixed === null ? [] : ["limit"], immediateTypes: [] });

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
    ["no whole lots", ask({ qty: 15 }, rules({ lotSize: 10 })), "invalid_qty", [{ qty: 10 }, { qty: 20 }]],
    ["less than a lot", ask({ qty: 5 }, rules({ lotSize: 10 })), "invalid_qty", [{ qty: 10 }]],
    ["not at the close", ask({}, atClose("close_price", 71500)), "not_at_close", [{ price: 71500 }]],
    ["no close", ask({}, atClose("close_price", null)), "no_close", []],
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
  const closing = rules({ phase: "closing_auction", orderTypes: AUCTION_TYPES, immediateTypes: [] });
  const asked = (draft: Partial<Question["draft"]>) => ask(draft, { ...closing, auction });

  it("all match at one price", () => {
    expect(forecast(asked({ price: 71500 }))).toMatchObject({ kind: "auction", restQty: 100, fillQty: 0 });
    expect(say(asked({ price: 71500 }))).toBe(
      "15:30에 한 가격으로 체결됩니다. 예상체결가 71,400원이면 이 주문은 체결될 수 있습니다.",
    );
    expect(say(asked({ price: 71300 }))).toMatch(/체결될 수 없습니다/);
    expect(say(asked({ side: "sell", price: 71300 }))).toMatch(/체결될 수 있습니다/);
    expect(say(asked({ type: "market", price: null }))).toMatch(/체결될 수 있습니다/);
    const unknown = ask({}, { ...closing, auction: { price: null, time: null } });
    expect(say(unknown)).toBe("단일가가 끝날 때 한 가격으로 체결됩니다.");
    expect(WORDS.en.say(forecast(unknown).sentence)).toBe("All match at one price when the auction ends.");
  });

  it("take no IOC, and no price from the book", () => {
    expect(forecast(asked({ timeInForce: "ioc" }))).toMatchObject({
      reason: "order_type_not_allowed",
      field: "condition",
    });
    const best = forecast(asked({ type: "best_opposite", price: null }));
    expect(best).toMatchObject({ reason: "order_type_not_allowed", field: "type" });
    expect(WORDS.ko.say(best.sentence)).toBe("종가 단일가에는 최유리 주문을 받지 않습니다.");
    expect(best.fixes.map(({ patch }) => patch)).toEqual([{ type: "limit", timeInForce: "day" }]);
  });

  it("reckon a market order at the indicative price", () => {
    const question = asked({ type: "market", price: null, qty: 10 });
    expect(cost(question, forecast(question))).toMatchObject({ amount: 714_000, reserved: 916_000, unit: 91600 });
  });
});

describe("the other order types", () => {
  const typed = (type: OrderType, draft: Partial<Question["draft"]> = {}, more: Partial<Question> = {}) =>
    ask({ type, price: null, ...draft }, more);

  it("a market order's rest stays, deemed to be one tick better than its own side", () => {
    const told = forecast(typed("market", { qty: 700 }));
    expect(told).toMatchObject({ kind: "part", fillQty: 618, restQty: 82, restPrice: 71400 });
    expect(say(typed("market", { qty: 700 }))).toBe(
      "618주는 바로 체결될 수 있고, 82주는 시장가로 남아 기다립니다. 지금은 71,400원 호가로 보고, 호가를 따라 움직입니다.",
    );
    const empty = { depth: { bids: [], asks: [], whole: true } };
    expect(forecast(typed("market", {}, empty))).toMatchObject({ kind: "rest", restPrice: 71400 });
    const nowhere = { ...empty, ...rules({ previous: null }) };
    expect(say(typed("market", {}, nowhere))).toBe("100주는 시장가로 남아 상대 주문을 기다립니다.");
  });

  it("최유리 takes one level and rests there, 최우선 joins its own side", () => {
    expect(forecast(typed("best_opposite", { qty: 100 }))).toMatchObject({
      fillQty: 68,
      restQty: 32,
      restPrice: 71400,
    });
    expect(forecast(typed("best_same", { qty: 5 }))).toMatchObject({ kind: "rest", restPrice: 71300, ahead: 12650 });
    expect(say(typed("best_same", { qty: 5 }))).toBe(
      "바로 체결되지 않고, 지금 호가로 정해지는 71,300원에서 12,650주 뒤에 줄을 섭니다.",
    );
    expect(forecast(typed("best_opposite", { qty: 5 }, { depth: null })).kind).toBe("open");
  });

  it("in an empty book the last price decides: towards trading for 최유리, away from it for 최우선", () => {
    const empty = { depth: { bids: [], asks: [], whole: true }, ...rules({ previous: 71450 }) };
    const price = (type: OrderType, side: "buy" | "sell") => forecast(typed(type, { side, qty: 1 }, empty)).restPrice;
    expect([price("best_opposite", "buy"), price("best_opposite", "sell")]).toEqual([71500, 71400]);
    expect([price("best_same", "buy"), price("best_same", "sell")]).toEqual([71400, 71500]);
  });

  it("중간가 waits half way, and needs both sides", () => {
    expect(forecast(typed("midpoint"))).toMatchObject({ kind: "rest", restPrice: 71350, ahead: null });
    const oneSided = { depth: { bids: [], asks: [level(71400, 68)], whole: true } };
    expect(forecast(typed("midpoint", {}, oneSided)).reason).toBe("no_opposite_quote");
    expect(say(typed("midpoint", {}, oneSided))).toBe("양쪽에 호가가 있어야 중간가로 주문할 수 있습니다.");
  });

  it("조건부지정가 becomes a market order of the closing auction, but not at a limit", () => {
    expect(say(typed("conditional_limit", { price: 71300 }))).toBe(
      "바로 체결되지 않고, 71,300원에서 12,650주 뒤에 줄을 섭니다. 15:20까지 남으면 종가 단일가의 시장가가 됩니다.",
    );
    expect(forecast(typed("conditional_limit", { price: 91600, qty: 1 }))).toMatchObject({
      reason: "order_type_not_allowed",
      field: "type",
    });
    expect(say(typed("conditional_limit", { price: 49400, side: "sell" }))).toMatch(/하한가에 팔 수 없습니다/);
  });

  it("a stop sleeps until its price, or is awake at once", () => {
    expect(forecast(typed("stop_limit", { price: 71600, stop: 71500 }))).toMatchObject({ kind: "sleep", restQty: 100 });
    expect(say(typed("stop_limit", { price: 71600, stop: 71500 }))).toBe(
      "현재가가 71,500원 이상이 되면 71,600원 지정가 주문으로 깨어납니다. 그때까지 호가에 보이지 않습니다.",
    );
    expect(forecast(typed("stop_limit", { price: 71600, stop: 71400 }))).toMatchObject({ kind: "fill", fillQty: 100 });
    const plain = rules({ orderTypes: ["limit", "market", "stop", "stop_limit"], remainder: "cancel" });
    expect(say(typed("stop", { side: "sell", stop: 71000 }, plain))).toMatch(/71,000원 이하가 되면 시장가 주문으로/);
    expect(forecast(typed("stop", { side: "sell", stop: 71500 }, plain)).kind).toBe("fill");
  });

  it("asks for the stop price, and refuses a wrong one where it is", () => {
    expect(forecast(typed("stop_limit", { price: 71600 }))).toMatchObject({ kind: "open", field: "stop" });
    const off = forecast(typed("stop_limit", { price: 71600, stop: 71550 }));
    expect(off).toMatchObject({ reason: "price_tick", field: "stop" });
    expect(off.fixes.map(({ patch }) => patch)).toEqual([{ stop: 71500 }, { stop: 71600 }]);
    expect(forecast(typed("stop_limit", { price: 71600, stop: 0 })).reason).toBe("invalid_stop_price");
  });

  it("an order without a price holds the upper limit, and says so", () => {
    const means = { cash: 9_000_000, shares: 0, held: 0 };
    const poor = typed("midpoint", { qty: 100 }, { means });
    expect(say(poor)).toBe(
      "가격 없는 주문은 91,600원씩 돈을 묶어 현금이 160,000원 모자랍니다. 최대 98주까지 살 수 있습니다.",
    );
    expect(forecast(poor).fixes.map(({ patch }) => patch)).toEqual([{ qty: 98 }]);
  });
});

describe("the rules of the day", () => {
  const near = rules({ vi: { ...ask().rules.vi, vi_dynamic_upper: 71500 } });

  it("a trade that would interrupt does not happen: its order waits in the auction", () => {
    expect(forecast(ask({ price: 71600, qty: 100 }, near))).toMatchObject({
      kind: "interrupt",
      fillQty: 68,
      restQty: 32,
    });
    expect(say(ask({ price: 71600, qty: 100 }, near))).toBe(
      "68주는 바로 체결될 수 있고, 이 주문이 71,500원에 체결되면 변동성완화장치가 발동해 2분 단일가로 바뀝니다. 남은 수량은 그 단일가에서 기다립니다.",
    );
    expect(forecast(ask({ price: 71600, timeInForce: "ioc" }, near))).toMatchObject({ kind: "interrupt", restQty: 0 });
    expect(forecast(ask({ price: 71600, timeInForce: "fok" }, near)).kind).toBe("none");
    const low = rules({ vi: { ...ask().rules.vi, vi_static_lower: 71300 } });
    expect(say(ask({ side: "sell", price: 71300 }, low))).toMatch(/^이 주문이 71,300원에 체결되면 변동성완화장치가/);
  });

  it("while the market is shut it says when it opens", () => {
    const shut = { ...rules({ phase: "closed", orderTypes: [] }), opens: { time: "08:30", tomorrow: true } };
    expect(say(ask({ qty: null }, shut))).toBe("장이 끝났습니다. 내일 08:30부터 주문할 수 있습니다.");
    expect(forecast(ask({}, shut))).toMatchObject({ kind: "refused", reason: "market_closed" });
  });

  it("an order has a largest size by the company's value, too", () => {
    expect(forecast(ask({ qty: 60 }, rules({ maxQtyByValue: 50 })))).toMatchObject({ reason: "qty_limit" });
    expect(possible(ask({}, rules({ maxQtyByValue: 50, maxOrderQty: 80 }))).qty).toBe(50);
  });

  it("at the close orders are received first, and then trade", () => {
    expect(say(ask({ price: 71300, side: "sell" }, atClose("close_price_reception", 71300)))).toBe(
      "지금은 접수만 합니다. 매매가 시작되면 71,300원에 접수 순서대로 체결됩니다.",
    );
    expect(say(ask({ price: 71300 }, atClose("close_price_reception", 71300)))).toMatch(/앞에 12,650주가 있습니다/);
    const trading = ask({ price: 71400, qty: 100 }, atClose("close_price", 71400));
    expect(forecast(trading)).toMatchObject({ kind: "part", fillQty: 68, restQty: 32 });
  });

  it("what is possible, and what a refusal offers, are whole lots", () => {
    const tens = rules({ lotSize: 10 });
    expect(possible(ask({ side: "sell" }, { ...tens, means: { cash: 0, shares: 25, held: 0 } })).qty).toBe(20);
    expect(forecast(ask({ qty: 1500 }, tens)).fixes.map(({ patch }) => patch)).toEqual([{ qty: 1400 }]);
    const few = { ...tens, means: { cash: 0, shares: 25, held: 0 } };
    expect(forecast(ask({ side: "sell", qty: 30 }, few)).fixes.map(({ patch }) => patch)).toEqual([{ qty: 20 }]);
  });

  it("each tax is floored on its own", () => {
    const sale = ask({ side: "sell", price: 71300, qty: 1 }, rules({ transactionTaxPpm: 500, ruralTaxPpm: 1500 }));
    expect(cost(sale, forecast(sale))?.tax).toBe(35 + 106);
  });
});

describe("corrections of a type", () => {
  const mine = order({ limit_price: 71300, qty: 100 });
  const amend = (draft: Partial<Question["draft"]>, amending = mine, more: Partial<Question> = {}) =>
    ask({ price: 71300, qty: 100, ...draft }, { amending, ...more });

  it("go to the back and hold what the new type holds", () => {
    expect(forecast(amend({ type: "market", price: null }))).toMatchObject({ kind: "fill", fillQty: 100 });
    const away = amend({ type: "best_same", price: null });
    const told = forecast(away);
    expect(told).toMatchObject({ kind: "rest", restPrice: 71300, ahead: 12550 });
    expect(WORDS.ko.say(consequence(away, told) as Sentence)).toBe(
      "순서가 맨 뒤로 갑니다. 묶인 돈이 7,130,000원에서 9,160,000원으로 바뀝니다.",
    );
  });

  it("a lower quantity keeps the place and frees its cash", () => {
    const less = amend({ qty: 40 });
    expect(WORDS.en.say(consequence(less, forecast(less)) as Sentence)).toBe(
      "It keeps its place. The cash it holds changes from ₩7,130,000 to ₩2,852,000.",
    );
    const none = amend({ qty: 0 });
    expect(WORDS.ko.say(consequence(none, forecast(none)) as Sentence)).toBe(
      "순서를 잃습니다. 묶인 돈이 7,130,000원에서 0원으로 바뀝니다.",
    );
    expect(consequence(amend({}), forecast(amend({})))).toBeNull();
  });

  it("midpoint and stop orders keep their type", () => {
    const asleep = order({ type: "stop_limit", limit_price: 71600, stop_price: 71500 });
    const stopped = (draft: Partial<Question["draft"]>) =>
      forecast(amend({ type: "stop_limit", price: 71600, stop: 71500, ...draft }, asleep));
    expect(stopped({ stop: 71800 })).toMatchObject({ kind: "sleep" });
    expect(stopped({ stop: 71400 })).toMatchObject({ kind: "fill" });
    expect(stopped({})).toMatchObject({ reason: "nothing_to_correct" });
    expect(stopped({ type: "limit", stop: null })).toMatchObject({ reason: "order_type_not_allowed", field: "type" });
    expect(forecast(amend({ type: "midpoint", price: null })).reason).toBe("order_type_not_allowed");
  });

  it("a best order is a limit order by now", () => {
    const best = order({ type: "best_opposite", limit_price: 71300, qty: 100 });
    expect(forecast(amend({ qty: 60 }, best)).kind).toBe("keep");
    expect(forecast(amend({ price: 71200 }, best))).toMatchObject({ kind: "rest", restPrice: 71200 });
    expect(forecast(amend({ type: "best_opposite", price: null }, best))).toMatchObject({ fillQty: 68 });
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
