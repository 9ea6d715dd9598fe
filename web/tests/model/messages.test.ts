import { describe, expect, it } from "vitest";
import { REASON_CODES, reasonText, WORDS, type Sentence } from "../../src/model/messages";
import { en } from "../../src/model/messages/en";
import { ko } from "../../src/model/messages/ko";

const { ko: korean, en: english } = WORDS;

describe("the catalogue", () => {
  it("has the same keys in both languages", () => {
    expect(Object.keys(en).sort()).toEqual(Object.keys(ko).sort());
  });

  it("has a text or a function under each key, of the same kind in both", () => {
    for (const key of Object.keys(ko) as (keyof typeof ko)[]) {
      expect(typeof en[key], key).toBe(typeof ko[key]);
      if (typeof ko[key] === "string") expect((ko[key] as string).length, key).toBeGreaterThan(0);
    }
  });

  it("speaks no Korean in English", () => {
    for (const [key, entry] of Object.entries(en)) {
      if (typeof entry === "string") expect(entry, key).not.toMatch(/[가-힣]/);
    }
  });

  it("has a sentence for every reason, and one for reasons of a newer server", () => {
    expect(REASON_CODES).toContain("insufficient_cash");
    expect(REASON_CODES.length).toBeGreaterThan(45);
    for (const code of REASON_CODES) {
      expect(reasonText(code, "ko"), code).toMatch(/[가-힣].*\.$/);
      expect(reasonText(code, "en"), code).toMatch(/^[A-Z].*\.$/);
    }
    expect(reasonText("of_next_year", "ko")).toBe(reasonText("internal", "ko"));
  });
});

describe("the design's sentences", () => {
  const both = (sentence: Sentence) => [korean.say(sentence), english.say(sentence)];

  it.each<[Sentence, string, string]>([
    [
      { key: "forecast.rest", params: { price: 71300, ahead: 12650 } },
      "바로 체결되지 않고, 71,300원에서 12,650주 뒤에 줄을 섭니다.",
      "Will not fill at once: it queues at ₩71,300 behind 12,650.",
    ],
    [
      { key: "forecast.fill", params: { price: 71400, qty: 100 } },
      "71,400원에 100주가 바로 체결될 수 있습니다.",
      "100 could fill at once at ₩71,400.",
    ],
    [
      { key: "forecast.part", params: { now: 68, rest: 32, price: 71400 } },
      "68주는 바로 체결될 수 있고, 32주는 71,400원에서 기다립니다.",
      "68 could fill at once; 32 would wait at ₩71,400.",
    ],
    [
      { key: "forecast.auction", params: { time: "15:30", price: 71400, could: true } },
      "15:30에 한 가격으로 체결됩니다. 예상체결가 71,400원이면 이 주문은 체결될 수 있습니다.",
      "All match at one price at 15:30. At the indicative ₩71,400 this order could fill.",
    ],
    [
      { key: "refused.price_tick", params: { tick: 100 } },
      "이 가격대는 100원 단위로 주문합니다.",
      "Prices here move in steps of ₩100.",
    ],
    [
      { key: "refused.price_limit_upper", params: { limit: 91600 } },
      "상한가 91,600원보다 비싸게 주문할 수 없습니다.",
      "The upper limit today is ₩91,600.",
    ],
    [
      { key: "refused.insufficient_cash", params: { short: 7515729, max: 194 } },
      "현금이 7,515,729원 모자랍니다. 최대 194주까지 살 수 있습니다.",
      "₩7,515,729 short. You can buy up to 194.",
    ],
    [
      { key: "refused.insufficient_shares", params: { can: 100, held: 100 } },
      "팔 수 있는 수량은 100주입니다. 100주는 다른 매도 주문에 묶여 있습니다.",
      "You can sell 100; 100 are held by another order.",
    ],
    [
      { key: "refused.auction_type", params: { type: "IOC" } },
      "단일가 시간에는 IOC를 쓸 수 없습니다. 당일 지정가로 주문해 주세요.",
      "IOC is not accepted during an auction. Use a day limit order.",
    ],
    [
      { key: "refused.market_closed", params: { time: "08:30", tomorrow: true } },
      "장이 끝났습니다. 내일 08:30부터 주문할 수 있습니다.",
      "The market is closed. Orders open tomorrow at 08:30.",
    ],
    [
      { key: "reason", params: { code: "halted" } },
      "거래가 정지된 종목입니다. 취소만 할 수 있습니다.",
      "Trading is halted. Only cancels are accepted.",
    ],
    [
      { key: "refused.rate_limited", params: { seconds: 2 } },
      "주문이 너무 잦습니다. 2초 뒤에 다시 보낼 수 있습니다.",
      "Too many orders. Try again in 2 s.",
    ],
    [
      { key: "ticket.confirming" },
      "접수를 확인하는 중입니다. 다시 눌러도 두 번 들어가지 않습니다.",
      "Confirming. Pressing again will not enter it twice.",
    ],
    [{ key: "done.bought", params: { name: "삼성전자", qty: 30 } }, "삼성전자 30주를 샀습니다", "Bought 30 삼성전자"],
    [{ key: "done.part", params: { qty: 20, filled: 8, left: 12 } }, "20주 중 8주, 12주 남음", "8 of 20, 12 left"],
    [
      { key: "forecast.amend_back" },
      "가격을 바꾸면 순서가 맨 뒤로 갑니다. 수량만 줄이면 순서가 그대로입니다.",
      "A new price goes to the back of the queue. Reducing the quantity keeps your place.",
    ],
    [
      { key: "link.offline", params: { seconds: 3, attempt: 4 } },
      "연결이 끊겼습니다. 3초 뒤 다시 연결합니다 (4번째).",
      "Connection lost. Trying again in 3 s (attempt 4).",
    ],
    [
      { key: "refused.offline" },
      "연결이 끊겨 있어 지금은 주문을 보내지 않습니다.",
      "You are offline, so orders are not sent.",
    ],
    [
      { key: "link.back", params: { fills: 2 } },
      "다시 연결되었습니다. 그 사이 체결 2건이 있었습니다.",
      "Connected again. 2 fills happened meanwhile.",
    ],
    [
      { key: "link.reset" },
      "오래 떨어져 있어 처음부터 다시 읽었습니다. 빠진 것은 없습니다.",
      "Away for long, so everything was read anew. Nothing is missing.",
    ],
  ])("%j", (sentence, ko, en) => expect(both(sentence)).toEqual([ko, en]));

  it("a sentence that came with an answer is said as it is", () => {
    expect(both({ key: "detail", params: { text: "그대로" } })).toEqual(["그대로", "그대로"]);
  });

  it("one is not many", () => {
    expect(english.t("link.back", { fills: 1 })).toBe("Connected again. 1 fill happened meanwhile.");
  });
});
