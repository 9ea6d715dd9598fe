/** The story's sentences, from the exchange's own catalogue: a code's template, filled with the params of its sentence. */

import type { StorySentence } from "../../api/types";
import type { Language } from "../numbers";
import { fill } from "./templates";
import story from "../story.json";

const SENTENCES: Record<string, { ko: string; en: string } | undefined> = story;

/** What a sentence says; where this page does not know its code, what the exchange said itself. */
export function storyText(sentence: StorySentence, language: Language): string {
  const template = SENTENCES[sentence.code]?.[language];
  return template === undefined ? sentence.text : (fill(template, sentence.params, language) ?? sentence.text);
}
