import { readFileSync } from "node:fs";

/** The golden file that the Python codec is tested with, too. */
export interface Samples {
  frames: { name: string; frame: string; records: Record<string, unknown>[] }[];
  broken: { name: string; frame?: string; hex?: string; fault: string }[];
}

const path = new URL("../../../tests/unit/kis/samples.json", import.meta.url);
export const SAMPLES = JSON.parse(readFileSync(path, "utf-8")) as Samples;

export const TRADE_FRAME = SAMPLES.frames.find(({ frame }) => frame.startsWith("0|H0STCNT0|001"))?.frame ?? "";
export const BOOK_FRAME = SAMPLES.frames.find(({ frame }) => frame.startsWith("0|H0STASP0|001"))?.frame ?? "";
