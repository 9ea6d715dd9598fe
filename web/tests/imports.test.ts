import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";

const SOURCE = new URL("../src/", import.meta.url).pathname;

function files(folder: string): string[] {
  return readdirSync(join(SOURCE, folder), { recursive: true, encoding: "utf-8" })
    .filter((name) => /\.(ts|svelte|js)$/.test(name))
    .map((name) => join(folder, name));
}

function imported(file: string): string[] {
  const text = readFileSync(join(SOURCE, file), "utf-8");
  return [...text.matchAll(/(?:from|import)\s*\(?\s*["']([^"']+)["']/g)].map((found) => found[1] as string);
}

const ALLOWED: Record<string, RegExp> = {
  // The wire knows only itself; the model knows the wire; neither knows the view or its framework.
  api: /^\.\.?\//,
  model: /^\.\.?\//,
};

it.each([
  ["api", ["model", "view"]],
  ["model", ["view"]],
])("%s imports nothing of what stands above it", (folder, above) => {
  const found = files(folder);
  expect(found.length).toBeGreaterThan(5);
  for (const file of found) {
    for (const name of imported(file)) {
      expect(name, `${file} imports ${name}`).toMatch(ALLOWED[folder] as RegExp);
      const target = new URL(name, `file:///${file}`).pathname.slice(1);
      for (const part of above) expect(target, `${file} imports ${name}`).not.toMatch(new RegExp(`^${part}/`));
    }
  }
});

it("the model touches no DOM", () => {
  for (const file of files("model")) {
    const text = readFileSync(join(SOURCE, file), "utf-8").replace(/\/\*[\s\S]*?\*\/|\/\/.*$/gm, "");
    expect(text, file).not.toMatch(/\b(document|window|HTMLElement|navigator|location)\s*[.(]/);
  }
});
