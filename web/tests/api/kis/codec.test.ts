import { describe, expect, it } from "vitest";
import { decodeFrame, Decoder, FAULTS, FrameError, isData } from "../../../src/api/kis/codec";
import { BOOK_FIELDS, LEAST_WIDTH, TRADE_FIELDS } from "../../../src/api/kis/layouts";
import { SAMPLES, TRADE_FRAME } from "../../support/samples";

const content = (sample: { frame?: string; hex?: string }) =>
  sample.hex === undefined ? (sample.frame ?? "") : new Uint8Array(Buffer.from(sample.hex, "hex"));

describe("documented frames", () => {
  it.each(SAMPLES.frames)("$name", ({ frame, records }) => {
    expect(decodeFrame(frame).records).toEqual(records);
    expect(decodeFrame(new TextEncoder().encode(frame)).records).toEqual(records);
  });

  it("there are some of both kinds", () => {
    const kinds = new Set(SAMPLES.frames.map(({ frame }) => frame.split("|")[1]));
    expect(kinds).toEqual(new Set(["H0STCNT0", "H0STASP0"]));
  });
});

describe("broken frames", () => {
  it.each(SAMPLES.broken)("$name", (sample) => {
    const decoder = new Decoder();
    expect(decoder.decode(content(sample))).toBeNull();
    expect(Object.fromEntries(decoder.broken)).toEqual({ [sample.fault]: 1 });
    expect(decoder.decode(TRADE_FRAME)).not.toBeNull();
    expect(decoder.frames).toBe(1);
    expect(() => decodeFrame(content(sample))).toThrow(FrameError);
  });

  it("every fault has a sample", () => {
    expect(new Set(SAMPLES.broken.map(({ fault }) => fault))).toEqual(new Set(FAULTS));
  });
});

describe("values", () => {
  const withField = (place: number, value: string) => {
    const [head, payload] = [TRADE_FRAME.slice(0, 15), TRADE_FRAME.slice(15)];
    const values = payload.split("^");
    values[place] = value;
    return head + values.join("^");
  };
  const only = (frame: string) => decodeFrame(frame).records[0] as unknown as Record<string, unknown>;

  it("long decimals are cut off, empty numbers are 0, and 0 has no sign", () => {
    expect(only(withField(5, "-0.1399"))["change_rate_x100"]).toBe(-13);
    expect(only(withField(5, ""))["change_rate_x100"]).toBe(0);
    expect(Object.is(only(withField(5, "-0.00"))["change_rate_x100"], 0)).toBe(true);
    expect(Object.is(only(withField(4, "-0"))["change"], 0)).toBe(true);
    expect(only(withField(5, "7"))["change_rate_x100"]).toBe(700);
  });

  it.each(["1e5", "0x10", " 71900", "71,900", "71900.5", "99999999999999999", "9007199254740993", "-", "+5"])(
    "%j is no whole number",
    (text) => {
      expect(() => decodeFrame(withField(4, text))).toThrow(/bad_field/);
    },
  );

  it("a price must be above zero", () => {
    for (const text of ["0", "-1", ""]) expect(() => decodeFrame(withField(2, text))).toThrow(/bad_field/);
  });
});

it("no damage to a real frame throws", () => {
  let seed = 7;
  const random = (below: number) => (seed = (seed * 48271) % 2147483647) % below;
  const noise = ["", "|", "^", "^^", "0", "-", "\0", "가", "|||", "999"];
  for (let turn = 0; turn < 4000; turn += 1) {
    const { frame } = SAMPLES.frames[random(SAMPLES.frames.length)] as { frame: string };
    const place = random(frame.length);
    const damaged = frame.slice(0, place) + noise[random(noise.length)] + frame.slice(place + random(40));
    const decoder = new Decoder();
    for (const record of decoder.decode(damaged)?.records ?? []) expect(record.symbol).not.toBe("");
    expect(decoder.frames + [...decoder.broken.values()].reduce((sum, count) => sum + count, 0)).toBe(1);
  }
});

it("data and JSON are told apart by the first character", () => {
  expect(["0|H0STCNT0", "1|x", '{"header"', "", "2|x"].map(isData)).toEqual([true, true, false, false, false]);
});

it("the layouts have KIS's widths", () => {
  const width = (fields: readonly { repeat: number }[]) => fields.reduce((sum, { repeat }) => sum + repeat, 0);
  expect([width(TRADE_FIELDS), width(BOOK_FIELDS)]).toEqual([47, 63]);
  expect(LEAST_WIDTH).toEqual({ H0STCNT0: 46, H0STASP0: 59 });
});
