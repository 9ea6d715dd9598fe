/** The story's sentences, from the exchange's own catalogue (`onseju/story/sentences.py`): a code with its params. */

import type { StorySentence } from "../../api/types";
import { WON, type Money } from "../money";
import type { Language } from "../numbers";
import reasons from "../reasons.json";
import story from "../story.json";
import { fill, type TextOf, type Texts } from "./templates";

export type StoryPart = "answers" | "happenings" | "options";

type Catalogue = Record<string, Texts | undefined>;

const PARTS: Record<StoryPart, Catalogue> = story;
const WORDS: Catalogue = story.words;
const REASONS: Catalogue = reasons;

const word: TextOf = (key, language) => WORDS[key]?.[language] ?? null;
const reason: TextOf = (code, language) => REASONS[code]?.[language] ?? null;

/** What a sentence of a part says; what the exchange said itself where this page cannot write it. */
export function storyText(part: StoryPart, sentence: StorySentence, language: Language, money: Money = WON): string {
  const template = PARTS[part][sentence.code];
  const text = template === undefined ? null : fill(template, sentence.params, language, money, { word, reason });
  return text ?? sentence.text;
}
