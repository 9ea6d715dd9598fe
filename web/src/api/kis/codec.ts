/** KIS's data frames, `E|TR|NNN|fields…`, to records, by the same rules as `onseju/kis/codec.py`. What cannot be read is
 * counted and skipped, never fatal. */

import {
  BOOK,
  FIELDS,
  LEAST_WIDTH,
  TRADES,
  type BookRecord,
  type Decoded,
  type Field,
  type Tr,
  type TradeRecord,
} from "./layouts";

export const FAULTS = [
  "not_utf8",
  "not_a_frame",
  "encrypted",
  "unknown_tr",
  "bad_count",
  /** Half a frame, or one whose fields do not divide by its count. */
  "bad_width",
  "bad_field",
] as const;
export type Fault = (typeof FAULTS)[number];

export class FrameError extends Error {
  constructor(
    readonly fault: Fault,
    detail: string,
  ) {
    super(`${fault}: ${detail}`);
    this.name = "FrameError";
  }
}

/** Decodes a stream of frames, counting those that are broken. */
export class Decoder {
  frames = 0;
  readonly broken = new Map<Fault, number>();

  /** The frame's records, or null when it is broken. Never throws. */
  decode(frame: string | Uint8Array): Decoded | null {
    try {
      const decoded = decodeFrame(frame);
      this.frames += 1;
      return decoded;
    } catch (error) {
      if (!(error instanceof FrameError)) throw error;
      this.broken.set(error.fault, (this.broken.get(error.fault) ?? 0) + 1);
      return null;
    }
  }
}

/** Whether a text message is a data frame; the others (`{…`) are JSON. */
export function isData(text: string): boolean {
  return text.startsWith("0") || text.startsWith("1");
}

/** The frame's records, in order. One bad record spoils its frame, for its neighbours may be shifted. */
export function decodeFrame(frame: string | Uint8Array): Decoded {
  const text = typeof frame === "string" ? frame : textOf(frame);
  const parts = split(text);
  if (parts === null) throw new FrameError("not_a_frame", "four parts, the first of them 0 or 1, are expected");
  const [encrypted, tr, countText, payload] = parts;
  if (!isTr(tr)) throw new FrameError("unknown_tr", tr.slice(0, 32));
  if (encrypted === "1") throw new FrameError("encrypted", `${tr} is public data`);
  if (!/^[0-9]{3}$/.test(countText) || countText === "000") {
    throw new FrameError("bad_count", `${countText.slice(0, 32)} is not 001 to 999`);
  }
  const values = payload.split("^");
  const count = Number(countText);
  const width = Math.floor(values.length / count);
  if (values.length % count !== 0 || width < LEAST_WIDTH[tr]) {
    throw new FrameError("bad_width", `${values.length} fields for ${countText} records`);
  }
  const records: unknown[] = [];
  for (let start = 0; start < values.length; start += width) records.push(decodeRecord(tr, values, start, width));
  return tr === TRADES ? { tr, records: records as TradeRecord[] } : { tr, records: records as BookRecord[] };
}

const UTF8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

function textOf(bytes: Uint8Array): string {
  try {
    return UTF8.decode(bytes);
  } catch {
    throw new FrameError("not_utf8", `${bytes.length} bytes`);
  }
}

/** `E|TR|NNN|rest` in its four parts; null for anything else. */
function split(text: string): [string, string, string, string] | null {
  const first = text.indexOf("|");
  const second = text.indexOf("|", first + 1);
  const third = text.indexOf("|", second + 1);
  if (first !== 1 || second < 0 || third < 0) return null;
  const encrypted = text.slice(0, 1);
  if (encrypted !== "0" && encrypted !== "1") return null;
  return [encrypted, text.slice(2, second), text.slice(second + 1, third), text.slice(third + 1)];
}

function isTr(text: string): text is Tr {
  return text === TRADES || text === BOOK;
}

function decodeRecord(tr: Tr, values: readonly string[], start: number, width: number): Record<string, unknown> {
  const record: Record<string, unknown> = {};
  let position = 0;
  for (const field of FIELDS[tr]) {
    if (position >= width)
      record[field.attribute] = null; // an older layout
    else if (field.repeat === 1) record[field.attribute] = read(field, values[start + position] as string);
    else {
      const run = new Array<number | string>(field.repeat);
      for (let offset = 0; offset < field.repeat; offset += 1) {
        run[offset] = read(field, values[start + position + offset] as string);
      }
      record[field.attribute] = run;
    }
    position += field.repeat;
  }
  return record;
}

function read(field: Field, text: string): number | string {
  const value = valueOf(field, text);
  if (value === null || (field.required && (value === "" || (typeof value === "number" && value <= 0)))) {
    throw new FrameError("bad_field", `${field.name} is ${text.slice(0, 32)}`);
  }
  return value;
}

const INT = /^-?[0-9]{1,16}$/;
const DECIMAL = /^(-?)([0-9]{1,14})(?:\.([0-9]{0,8}))?$/;
const TIME = /^[0-9]{6}$/;
const DATE = /^[0-9]{8}$/;

/** The text as its kind reads it; null when it cannot be read. */
function valueOf(field: Field, text: string): number | string | null {
  switch (field.kind) {
    case "text":
      return text;
    case "int": {
      if (text === "") return 0;
      if (!INT.test(text)) return null;
      const value = Number(text);
      return Number.isSafeInteger(value) ? value + 0 : null;
    }
    case "hundredths": {
      if (text === "") return 0;
      const found = DECIMAL.exec(text);
      if (found === null) return null;
      const value = Number(found[2]) * 100 + Number((found[3] ?? "").slice(0, 2).padEnd(2, "0"));
      if (!Number.isSafeInteger(value)) return null;
      return found[1] === "-" && value !== 0 ? -value : value;
    }
    case "time":
      return text === "" || TIME.test(text) ? text : null;
    case "date":
      return text === "" || DATE.test(text) ? text : null;
  }
}
