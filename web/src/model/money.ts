/** How the venue's prices and money are shown and typed: the API's whole numbers, with the decimal point where it belongs. */

import { group, MAX_INPUT, MINUS, parseWhole, shortened, type Language, type Typed } from "./numbers";

export const KRW = "KRW";

/** Currencies that people write by a sign of their own; the others by their code (`onseju/contract/money.py`). */
export const SIGNS: Readonly<Record<string, string>> = { KRW: "₩", USD: "$", EUR: "€", GBP: "£", JPY: "¥" };

const SEPARATORS_AND_UNITS = /[\s,_]|원|주|[₩$€£¥]/gu;

/** An amount in a sentence: with its currency, alone, and from one to another. */
export interface Amounts {
  w(value: number): string;
  d(value: number): string;
  range(from: number, to: number): string;
}

export class Money {
  readonly #amounts: Record<Language, Amounts>;

  /** `scale` digits stand behind the point; `currency` is an ISO 4217 code, null where the venue names none. */
  constructor(
    readonly scale = 0,
    readonly currency: string | null = KRW,
  ) {
    this.#amounts = { ko: this.#in("ko"), en: this.#in("en") };
  }

  /** The number alone: `71,300`, `41.25`; negative with a real minus sign. */
  digits(value: number): string {
    if (this.scale === 0) return group(value);
    const text = BigInt(Math.abs(Math.trunc(value)))
      .toString()
      .padStart(this.scale + 1, "0");
    const point = text.length - this.scale;
    return `${value < 0 ? MINUS : ""}${group(Number(text.slice(0, point)))}.${text.slice(point)}`;
  }

  /** `71,300원`, `₩71,300`, `$41.25`, `41.25 CHF`. */
  write(value: number, language: Language): string {
    return value < 0
      ? this.#signed(MINUS, this.digits(-value), language)
      : this.#signed("", this.digits(value), language);
  }

  /** An average, the API's decimal string, with all its decimals; null for what is no such number. */
  exact(value: unknown, language: Language): string | null {
    const [, whole, decimals] = /^(\d+)(?:\.(\d+))?$/.exec(String(value)) ?? [];
    if (whole === undefined) return null;
    const more = decimals === undefined ? "" : this.scale === 0 ? `.${decimals}` : decimals;
    return this.#signed("", this.digits(Number(whole)) + more, language);
  }

  /** `+1,200`, `−300`, `0`. */
  signed(value: number): string {
    return value > 0 ? `+${this.digits(value)}` : this.digits(value);
  }

  /** Shortened, never rounded up: `5,983억`, `₩598.3B`, `$1.20M`. */
  turnover(value: number, language: Language): string {
    const text = shortened(value / 10 ** this.scale, language);
    return this.currency === KRW && language === "ko" ? text : this.#signed("", text, language);
  }

  /** What stands behind a number in an input: `원`, `USD`; English won have none. */
  unit(language: Language): string {
    if (this.currency === KRW) return language === "ko" ? "원" : "";
    return this.currency ?? "";
  }

  /** What somebody typed or pasted as an amount: `41.25` is 4125 where two digits stand behind the point. */
  parse(text: string): Typed {
    const plain = text
      .normalize("NFKC")
      .replace(SEPARATORS_AND_UNITS, "")
      .replace(this.currency ?? "", "");
    if (this.scale === 0 || plain === "") return parseWhole(plain === "" ? text : plain);
    const [, whole, decimals] = /^\+?(\d*)(?:\.(\d*?)0*)?$/.exec(plain) ?? [];
    if (whole === undefined || !/\d/.test(plain)) return { kind: "invalid" };
    const behind = decimals ?? "";
    const value = Number(whole + behind.slice(0, this.scale).padEnd(this.scale, "0"));
    if (value > MAX_INPUT) return { kind: "huge" };
    return behind.length > this.scale ? { kind: "fine", below: value } : { kind: "number", value };
  }

  /** How an input shows what is in it: as an amount when it is one, else unchanged and no longer than 20 characters. */
  readonly show = (text: string): string => {
    const typed = this.parse(text);
    return typed.kind === "number" ? this.digits(typed.value) : text.slice(0, 20);
  };

  /** For the catalogue's sentences in a language. */
  amounts(language: Language): Amounts {
    return this.#amounts[language];
  }

  #in(language: Language): Amounts {
    const w = (value: number) => this.write(value, language);
    const d = (value: number) => this.digits(value);
    const behind = this.currency === null || w(1).startsWith(d(1));
    return { w, d, range: (from, to) => `${behind ? d(from) : w(from)}~${w(to)}` };
  }

  #signed(sign: string, digits: string, language: Language): string {
    if (this.currency === null) return sign + digits;
    if (this.currency === KRW && language === "ko") return `${sign}${digits}원`;
    const symbol = SIGNS[this.currency];
    return symbol === undefined ? `${sign}${digits} ${this.currency}` : sign + symbol + digits;
  }
}

export const WON = new Money();
