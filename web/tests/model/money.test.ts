import { describe, expect, it } from "vitest";
import { Words } from "../../src/model/messages";
import { storyText } from "../../src/model/messages/story";
import { Money, WON } from "../../src/model/money";

const USD = new Money(2, "USD");
const NAMELESS = new Money(2, null);
const BITS = new Money(8, "BTC");

describe("amounts are written", () => {
  it("in won", () => {
    expect([WON.write(71300, "ko"), WON.write(71300, "en")]).toEqual(["71,300원", "₩71,300"]);
    expect([WON.write(-1500, "ko"), WON.write(-1500, "en")]).toEqual(["−1,500원", "−₩1,500"]);
    expect([WON.digits(71300), WON.signed(5), WON.signed(-5), WON.signed(0)]).toEqual(["71,300", "+5", "−5", "0"]);
    expect([WON.unit("ko"), WON.unit("en")]).toEqual(["원", ""]);
  });

  it("in cents", () => {
    expect([USD.write(4125, "ko"), USD.write(4125, "en"), USD.write(-5, "en")]).toEqual(["$41.25", "$41.25", "−$0.05"]);
    expect([USD.digits(123_456_789), USD.digits(0), USD.digits(99), USD.digits(-4125)]).toEqual([
      "1,234,567.89",
      "0.00",
      "0.99",
      "−41.25",
    ]);
    expect([USD.signed(120), USD.signed(-120), USD.unit("ko")]).toEqual(["+1.20", "−1.20", "USD"]);
    expect(USD.digits(Number.MAX_SAFE_INTEGER)).toBe("90,071,992,547,409.91");
  });

  it("in a currency without a sign of its own, and in none", () => {
    expect([BITS.write(1, "ko"), NAMELESS.write(4125, "ko"), NAMELESS.unit("en")]).toEqual([
      "0.00000001 BTC",
      "41.25",
      "",
    ]);
    expect(new Money(2, "KRW").write(4125, "ko")).toBe("41.25원");
  });

  it("averages keep their decimals", () => {
    expect([WON.exact("10002.5", "ko"), USD.exact("4125.5", "en"), USD.exact(5, "en")]).toEqual([
      "10,002.5원",
      "$41.255",
      "$0.05",
    ]);
    expect([USD.exact("many", "en"), USD.exact(undefined, "en"), USD.exact(-4, "en")]).toEqual([null, null, null]);
  });

  it("turnover is shortened, never rounded up", () => {
    expect([WON.turnover(598_399_999_999, "ko"), WON.turnover(598_300_000_000, "en")]).toEqual(["5,983억", "₩598.3B"]);
    expect([WON.turnover(1_234_500_000_000, "ko"), WON.turnover(12_345, "ko"), WON.turnover(999, "en")]).toEqual([
      "1.23조",
      "1만",
      "₩999",
    ]);
    expect([USD.turnover(123_456_789, "en"), USD.turnover(123_456_789, "ko")]).toEqual(["$1.2M", "$123만"]);
  });

  it("in sentences", () => {
    const fill = { from: 4125, to: 4130, qty: 3 };
    const says = (language: "ko" | "en", money: Money) => new Words(language, money).t("forecast.fill_range", fill);
    expect(says("ko", USD)).toBe("$41.25~$41.30에 3주가 바로 체결될 수 있습니다.");
    expect(says("ko", NAMELESS)).toBe("41.25~41.30에 3주가 바로 체결될 수 있습니다.");
    expect(says("ko", WON)).toBe("4,125~4,130원에 3주가 바로 체결될 수 있습니다.");
    expect(says("en", USD)).toBe("3 could fill at once at $41.25 to $41.30.");
    expect(new Words("en", USD).t("refused.price_tick", { tick: 1 })).toBe("Prices here move in steps of $0.01.");
    const told = { code: "in_line", params: { limit_price: 4125, ahead_qty: 100 }, text: "?" };
    expect(storyText("answers", told, "ko", USD)).toBe(
      "$41.25에서 100주가 앞에 있습니다. 이만큼 체결되거나 취소되면 차례가 옵니다.",
    );
  });
});

describe("amounts are typed", () => {
  it.each([
    ["41.25", 4125],
    ["41.2", 4120],
    ["41.", 4100],
    ["41", 4100],
    [".5", 50],
    ["$41.25", 4125],
    ["＄41.25", 4125],
    ["41.25 USD", 4125],
    ["1,234.50", 123450],
    ["41.2500", 4125],
    ["+41.25", 4125],
    ["４１．２５", 4125],
    ["0.07", 7],
    ["90071992547409.91", Number.MAX_SAFE_INTEGER],
  ])("%j is %d cents", (text, value) => expect(USD.parse(text)).toEqual({ kind: "number", value }));

  it.each(["abc", "-5", "1e5", ".", "$", "1.2.3", "41.2x", "٣", "∞"])("%j is none", (text) =>
    expect(USD.parse(text).kind).toBe("invalid"),
  );

  it("a fraction of a cent lies between two cents", () => {
    expect(USD.parse("41.255")).toEqual({ kind: "fine", below: 4125 });
    expect(USD.parse("0.009")).toEqual({ kind: "fine", below: 0 });
  });

  it("too many digits are said to be, and nothing is nothing", () => {
    expect([USD.parse("90071992547409.92").kind, USD.parse("9".repeat(30)).kind]).toEqual(["huge", "huge"]);
    expect([USD.parse("").kind, USD.parse("  ").kind]).toEqual(["empty", "empty"]);
  });

  it("won stay whole", () => {
    expect([WON.parse("71,400원"), WON.parse("71400.5").kind]).toEqual([{ kind: "number", value: 71400 }, "invalid"]);
  });

  it("and shown in the input as they are written", () => {
    expect([USD.show("41.3"), USD.show("1234"), USD.show("abc"), USD.show("41.255")]).toEqual([
      "41.30",
      "1,234.00",
      "abc",
      "41.255",
    ]);
    expect([WON.show("71400"), USD.show("x".repeat(50)).length]).toEqual(["71,400", 20]);
  });

  it("what is written can be typed", () => {
    for (const money of [WON, USD, BITS]) {
      for (const value of [1, 10, 99, 100, 12345, 100_000_000, 1_000_000_007]) {
        expect(money.parse(money.digits(value))).toEqual({ kind: "number", value });
        expect(money.parse(money.write(value, "ko"))).toEqual({ kind: "number", value });
      }
    }
  });
});
