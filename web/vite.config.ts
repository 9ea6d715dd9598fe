import { svelte } from "@sveltejs/vite-plugin-svelte";
import { defineConfig } from "vitest/config";

/** The exchange that `npm run dev` talks to. */
const exchange = process.env.ONSEJU_URL ?? "http://127.0.0.1:8000";

export default defineConfig({
  plugins: [svelte()],
  build: {
    target: "es2022",
    outDir: "dist",
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    // The trading page, and the host's own: neither loads what only the other needs.
    rolldownOptions: { input: ["index.html", "host.html"] },
  },
  worker: { format: "es" },
  server: {
    host: "127.0.0.1",
    proxy: {
      "/v1": { target: exchange, changeOrigin: true, ws: true, rewriteWsOrigin: true },
      "/tryitout": { target: exchange, changeOrigin: true, ws: true },
      "/docs": { target: exchange, changeOrigin: true },
      "/openapi.json": { target: exchange, changeOrigin: true },
    },
  },
  test: {
    environment: "node",
    include: ["tests/**/*.test.ts"],
  },
});
