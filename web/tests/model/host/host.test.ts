import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { Http } from "../../../src/api/http";
import { EVERY_MS, Host, KEPT } from "../../../src/model/host/host";

const EMPTY = { counts: [0, 0], sum_s: 0 };

/** A server whose answers a test sets. */
class Server {
  asked: { path: string; key: string | null }[] = [];
  key: string | null = null;
  up = true;
  looks = 0;

  readonly fetch = (path: string, init: RequestInit): Promise<Response> => {
    const headers = new Headers(init.headers);
    this.asked.push({ path, key: headers.get("Authorization") });
    if (!this.up) return Promise.reject(new TypeError("no connection"));
    if (this.key !== null && headers.get("Authorization") !== `Bearer ${this.key}`) {
      const refusal = { code: "unauthenticated", detail: "Log in." };
      return Promise.resolve(new Response(JSON.stringify(refusal), { status: 401 }));
    }
    if (path.startsWith("/v1/admin/audit")) return Promise.resolve(new Response(JSON.stringify({ deeds: [] })));
    this.looks += 1;
    const status = {
      ts: new Date(this.looks * EVERY_MS).toISOString(),
      uptime_s: this.looks * 2,
      head_seq: this.looks * 100,
      bounds_s: [1],
      stages: { apply: { counts: [this.looks * 3, 0], sum_s: 1 } },
      requests: {},
      fsync: EMPTY,
    };
    return Promise.resolve(new Response(JSON.stringify(status)));
  };
}

describe("the host's page", () => {
  let server: Server;
  let host: Host;

  beforeEach(() => {
    vi.useFakeTimers();
    server = new Server();
    host = new Host(new Http({ fetch: server.fetch }));
  });

  afterEach(() => {
    host.stop();
    vi.useRealTimers();
  });

  it("looks again and again, and tells what was between", async () => {
    await host.start();
    expect(host.moments.get().get("apply")).toEqual([]);
    await vi.advanceTimersByTimeAsync(3 * EVERY_MS);
    expect(
      host.moments
        .get()
        .get("apply")
        ?.map((moment) => moment.count),
    ).toEqual([3, 3, 3]);
    expect(host.rate.get()).toBe(50);
    expect(host.state.get().kind).toBe("open");
  });

  it("keeps no more than five minutes", async () => {
    await host.start();
    await vi.advanceTimersByTimeAsync((KEPT + 20) * EVERY_MS);
    expect(host.moments.get().get("apply")).toHaveLength(KEPT);
  });

  it("asks for a key, says when it is wrong, and opens with the right one", async () => {
    server.key = "ADMIN.secret";
    await host.start();
    expect(host.state.get()).toEqual({ kind: "key", refused: null });
    await host.enter(" wrong ", "en");
    expect(host.state.get()).toEqual({ kind: "key", refused: "Log in." });
    const before = server.asked.length;
    await vi.advanceTimersByTimeAsync(5 * EVERY_MS);
    expect(server.asked).toHaveLength(before);
    await host.enter("ADMIN.secret", "en");
    expect(host.state.get().kind).toBe("open");
    expect(server.asked.every((each) => !each.path.includes("secret"))).toBe(true);
  });

  it("goes on asking while nobody answers", async () => {
    await host.start();
    server.up = false;
    await vi.advanceTimersByTimeAsync(EVERY_MS);
    expect(host.state.get().kind).toBe("lost");
    server.up = true;
    await vi.advanceTimersByTimeAsync(EVERY_MS);
    expect(host.state.get().kind).toBe("open");
  });
});
