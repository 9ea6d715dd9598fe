import { describe, expect, it } from "vitest";
import { DEFAULTS, Preferences, readSettings, STORAGE_KEY } from "../../src/model/preferences";

function memory(initial: Record<string, string> = {}) {
  const items = new Map(Object.entries(initial));
  return {
    getItem: (key: string) => items.get(key) ?? null,
    setItem: (key: string, value: string) => void items.set(key, value),
  };
}

describe("settings", () => {
  it("are kept", () => {
    const storage = memory();
    const first = new Preferences(storage);
    first.set("theme", "dark");
    first.toggleFavourite("005930");
    const second = new Preferences(storage);
    expect(second.settings.get()).toEqual({ ...DEFAULTS, theme: "dark", favourites: ["005930"] });
    expect(second.favourites.get().has("005930")).toBe(true);
    second.toggleFavourite("005930");
    expect(readSettings(storage.getItem(STORAGE_KEY)).favourites).toEqual([]);
  });

  it.each([
    null,
    "",
    "{",
    "null",
    "[]",
    '"x"',
    '{"theme":"pink","language":5,"sound":"yes","favourites":{"a":1},"interval":"2m","selected":7}',
  ])("stored nonsense (%s) is the defaults", (text) => expect(readSettings(text)).toEqual(DEFAULTS));

  it("one wrong setting does not spoil the others", () => {
    expect(readSettings('{"theme":"pink","palette":"cvd","favourites":["a",5,"a"]}')).toEqual({
      ...DEFAULTS,
      palette: "cvd",
      favourites: ["a"],
    });
  });

  it("a browser that forbids storage does not stop anything", () => {
    const forbidden = {
      getItem: (): string => {
        throw new DOMException("denied");
      },
      setItem: (): void => {
        throw new DOMException("full");
      },
    };
    const preferences = new Preferences(forbidden);
    preferences.set("language", "en");
    expect(preferences.language.get()).toBe("en");
    expect(new Preferences(null).settings.get()).toEqual(DEFAULTS);
  });

  it("another tab's are followed, but not what it looks at", () => {
    const preferences = new Preferences(null);
    preferences.set("selected", "005930");
    preferences.follow(JSON.stringify({ ...DEFAULTS, theme: "light", selected: "000660", interval: "1d" }));
    expect(preferences.settings.get()).toMatchObject({ theme: "light", selected: "005930", interval: "1m" });
  });
});
