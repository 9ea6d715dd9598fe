/** What a user sets for this browser; kept in local storage and followed by its other tabs. */

import type { Interval } from "../api/types";
import { INTERVALS } from "../api/types";
import type { Language } from "./numbers";
import { derive, Store, type Readable } from "./store";

export type Theme = "system" | "light" | "dark";
export type Palette = "kr" | "intl" | "cvd";

export interface Settings {
  language: Language;
  theme: Theme;
  palette: Palette;
  sound: boolean;
  /** Single-letter keys. */
  keys: boolean;
  favourites: string[];
  selected: string | null;
  interval: Interval;
  /** Whether the ladder shows running totals instead of each level's quantity. */
  ladderTotals: boolean;
}

export const DEFAULTS: Settings = {
  language: "ko",
  theme: "system",
  palette: "kr",
  sound: true,
  keys: true,
  favourites: [],
  selected: null,
  interval: "1m",
  ladderTotals: false,
};

/** `localStorage`, or anything like it; null where the browser forbids it. */
export type Storage = Pick<globalThis.Storage, "getItem" | "setItem"> | null;

export const STORAGE_KEY = "onseju.preferences";

function oneOf<T extends string>(value: unknown, choices: readonly T[], otherwise: T): T {
  return choices.includes(value as T) ? (value as T) : otherwise;
}

/** Settings from stored text; what is missing or wrong takes its default. */
export function readSettings(text: string | null): Settings {
  let stored: Partial<Record<keyof Settings, unknown>> = {};
  try {
    const value: unknown = JSON.parse(text ?? "{}");
    if (typeof value === "object" && value !== null) stored = value;
  } catch {
    return { ...DEFAULTS }; // somebody else's text under our name
  }
  const flag = (name: "sound" | "keys" | "ladderTotals") =>
    typeof stored[name] === "boolean" ? stored[name] : DEFAULTS[name];
  return {
    language: oneOf(stored.language, ["ko", "en"], DEFAULTS.language),
    theme: oneOf(stored.theme, ["system", "light", "dark"], DEFAULTS.theme),
    palette: oneOf(stored.palette, ["kr", "intl", "cvd"], DEFAULTS.palette),
    sound: flag("sound"),
    keys: flag("keys"),
    favourites: Array.isArray(stored.favourites)
      ? [...new Set(stored.favourites.filter((each): each is string => typeof each === "string"))].slice(0, 500)
      : [],
    selected: typeof stored.selected === "string" ? stored.selected : null,
    interval: oneOf(stored.interval, INTERVALS, DEFAULTS.interval),
    ladderTotals: flag("ladderTotals"),
  };
}

export class Preferences {
  readonly settings: Store<Settings>;
  readonly language: Readable<Language>;
  readonly favourites: Readable<ReadonlySet<string>>;
  readonly #storage: Storage;

  constructor(storage: Storage, given: Partial<Settings> = {}) {
    this.#storage = storage;
    this.settings = new Store({ ...readSettings(this.#read()), ...given });
    this.language = derive([this.settings], (settings) => settings.language);
    this.favourites = derive([this.settings], (settings) => new Set(settings.favourites));
  }

  set<Name extends keyof Settings>(name: Name, value: Settings[Name]): void {
    this.settings.update((settings) => ({ ...settings, [name]: value }));
    try {
      this.#storage?.setItem(STORAGE_KEY, JSON.stringify(this.settings.get()));
    } catch {
      // A full or forbidden storage: the setting holds until the tab closes.
      return;
    }
  }

  toggleFavourite(symbol: string): void {
    const now = this.settings.get().favourites;
    this.set("favourites", now.includes(symbol) ? now.filter((each) => each !== symbol) : [...now, symbol]);
  }

  /** Another tab changed the settings; what this tab looks at stays its own. */
  follow(text: string | null): void {
    const { selected, interval } = this.settings.get();
    this.settings.set({ ...readSettings(text), selected, interval });
  }

  #read(): string | null {
    try {
      return this.#storage?.getItem(STORAGE_KEY) ?? null;
    } catch {
      return null;
    }
  }
}
