/** The page's sentences in two languages: one typed catalogue, and the exchange's own sentence for each of its reasons. */

import reasons from "../reasons.json";
import type { StoryOption } from "../../api/types";
import { WON, type Amounts, type Money } from "../money";
import type { Language } from "../numbers";
import { en } from "./en";
import { ko } from "./ko";

type Catalogue = typeof ko;
export type Key = keyof Catalogue;
export type Params<K extends Key> = Catalogue[K] extends (params: infer P, amounts: Amounts) => string ? P : undefined;

/** A key with what it needs. A reason's sentence has only the code. */
export type Sentence =
  | { [K in Key]: Params<K> extends undefined ? { key: K; params?: undefined } : { key: K; params: Params<K> } }[Key]
  | { key: "reason"; params: { code: string } }
  | { key: "detail"; params: { text: string } };

type Arguments<K extends Key> = Params<K> extends undefined ? [] : [params: Params<K>];

const CATALOGUES: Record<Language, { [K in Key]: string | ((params: never, amounts: Amounts) => string) }> = { ko, en };
const REASONS: Record<string, { ko: string; en: string } | undefined> = reasons;

/** Every reason that the exchange may give. */
export const REASON_CODES: readonly string[] = Object.keys(reasons);

/** The exchange's sentence for a reason's code; for a code that this page does not know, the general one. */
export function reasonText(code: string, language: Language): string {
  return (REASONS[code] ?? REASONS["internal"])?.[language] ?? code;
}

/** Says things in one language, and amounts as the venue shows them. */
export class Words {
  constructor(
    readonly language: Language,
    readonly money: Money = WON,
  ) {}

  /** `t("forecast.fill", { price, qty })`. */
  readonly t = <K extends Key>(key: K, ...rest: Arguments<K>): string => this.#make(key, rest[0]);

  readonly say = (sentence: Sentence): string => {
    if (sentence.key === "reason") return reasonText(sentence.params.code, this.language);
    if (sentence.key === "detail") return sentence.params.text;
    return this.#make(sentence.key, sentence.params);
  };

  /** The name of what one can do about an order; its consequence is the option's own text. */
  readonly option = (option: StoryOption): string => this.say(optionSentence(option));

  /** An amount with its currency. */
  readonly amount = (value: number): string => this.money.write(value, this.language);

  /** A price in a table, where the currency goes without saying. */
  readonly digits = (value: number): string => this.money.digits(value);

  #make(key: Key, params: unknown): string {
    const entry = CATALOGUES[this.language][key];
    if (typeof entry === "string") return entry;
    return (entry as (params: unknown, amounts: Amounts) => string)(params, this.money.amounts(this.language));
  }
}

/** The params of an option that name the price to correct to. */
const TARGETS = ["opposite_price", "best_price", "indicative_price"] as const;

function optionSentence(option: StoryOption): Sentence {
  const price = TARGETS.map((name) => option.params[name]).find((value) => typeof value === "number");
  if (option.code.startsWith("correct")) {
    return typeof price === "number" ? { key: "option.correct_to", params: { price } } : { key: "option.correct" };
  }
  if (option.code === "reduce") return { key: "option.reduce" };
  if (option.code.startsWith("cancel")) return { key: "option.cancel" };
  return option.code.startsWith("order") ? { key: "option.order" } : { key: "option.wait" };
}

export const WORDS: Record<Language, Words> = { ko: new Words("ko"), en: new Words("en") };
