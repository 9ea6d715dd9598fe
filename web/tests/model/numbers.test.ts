import { describe, expect, it } from "vitest";
import {
  average,
  clockTime,
  group,
  kisTime,
  monthDay,
  parseWhole,
  percent,
  preciseTime,
  rateX100,
  shares,
  showInput,
  volume,
} from "../../src/model/numbers";

describe("money and quantities", () => {
  it("are grouped, with their unit by language, and a real minus", () => {
    expect([group(71300), group(0), group(999), group(-1500)]).toEqual(["71,300", "0", "999", "−1,500"]);
    expect([shares(100, "ko"), shares(12650, "en")]).toEqual(["100주", "12,650"]);
  });

  it("volumes are shortened, never rounded up", () => {
    expect([volume(8_412_345, "ko"), volume(8_419_999, "en")]).toEqual(["841만", "8.41M"]);
    expect([volume(84_123, "ko"), volume(84_123, "en"), volume(1_230_000_000, "en")]).toEqual([
      "84,123",
      "84,123",
      "1.23B",
    ]);
  });

  it("averages are whole numbers of the smallest unit", () => {
    expect([average("71400.1234"), average("71400.5"), average(null), average("x")]).toEqual([
      71400,
      71401,
      null,
      null,
    ]);
  });
});

describe("changes", () => {
  it("have a sign and two decimals, cut off as the exchange does", () => {
    expect(rateX100(91600, 70500)).toBe(2992);
    expect(rateX100(49400, 70500)).toBe(-2992);
    expect(rateX100(5, 0)).toBe(0);
    expect(percent(-3000)).toBe("−30.00%");
    expect(percent(-5)).toBe("−0.05%");
  });
});

describe("times", () => {
  it("are Korean", () => {
    expect(clockTime("2026-11-23T00:33:54.123456Z")).toBe("09:33:54");
    expect(clockTime("nonsense")).toBe("–");
    expect(preciseTime("2026-11-23T00:33:54.12Z")).toBe("09:33:54.120000");
    expect(monthDay("2026-11-22T15:00:00Z")).toBe("11-23");
    expect([kisTime("093354"), kisTime("9:33")]).toEqual(["09:33:54", "–"]);
  });
});

describe("typed numbers", () => {
  it.each([
    ["100", 100],
    ["71,400", 71400],
    [" 71 400 ", 71400],
    ["１００", 100],
    ["71,400원", 71400],
    ["₩71,400", 71400],
    ["￦71,400", 71400],
    ["100주", 100],
    ["+7", 7],
    ["007", 7],
    ["0", 0],
    ["100.0", 100],
    ["9007199254740991", Number.MAX_SAFE_INTEGER],
  ])("%j is %d", (text, value) => expect(parseWhole(text)).toEqual({ kind: "number", value }));

  it.each(["abc", "-5", "1.5", "1e5", "0x10", "12a", ",", "원", "٣", "∞", "<script>"])("%j is none", (text) =>
    expect(parseWhole(text).kind).toBe("invalid"),
  );

  it("twenty digits are too many, and said to be", () => {
    expect(parseWhole("12345678901234567890")).toEqual({ kind: "huge" });
    expect(parseWhole("12,345,678,901,234,567,890")).toEqual({ kind: "huge" });
    expect(parseWhole("9007199254740992")).toEqual({ kind: "huge" });
    expect([parseWhole("").kind, parseWhole("  ").kind]).toEqual(["empty", "empty"]);
  });

  it("an input shows them grouped, and never more than twenty characters of anything else", () => {
    expect(showInput("71400")).toBe("71,400");
    expect(showInput("abc")).toBe("abc");
    expect(showInput("9".repeat(500))).toHaveLength(20);
  });
});
