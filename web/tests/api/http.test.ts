import { describe, expect, it } from "vitest";
import { Exchange } from "../../src/api/exchange";
import { Http, NoAnswer, Problem } from "../../src/api/http";

function serve(answer: () => Response | Promise<Response>) {
  const calls: { url: string; init: RequestInit & { headers: Record<string, string> } }[] = [];
  const http = new Http({
    fetch: (url, init) => {
      calls.push({ url, init: init as (typeof calls)[number]["init"] });
      return Promise.resolve(answer());
    },
  });
  return { http, calls };
}

describe("requests", () => {
  it("reads carry language and the command that they must know", async () => {
    const { http, calls } = serve(() => Response.json({ fills: [] }, { headers: { "Onseju-Seq": "12" } }));
    http.csrfToken = "token";
    http.language = "en";
    const answer = await new Exchange(http).fills({ order_id: 7, cursor: null, limit: 5 }, 11);
    expect(calls[0]?.url).toBe("/v1/fills?order_id=7&limit=5");
    expect(calls[0]?.init.headers).toEqual({
      Accept: "application/json",
      "Accept-Language": "en",
      "Onseju-Min-Seq": "11",
    });
    expect(answer).toMatchObject({ status: 200, seq: 12, replayed: false });
  });

  it("writes carry the session's token, and say when they are repeats", async () => {
    const { http, calls } = serve(() =>
      Response.json({ order_id: 1 }, { headers: { "Idempotency-Replayed": "true" } }),
    );
    http.csrfToken = "token";
    const order = { symbol: "005930", side: "buy", type: "market", qty: 1, client_order_id: "web-1" } as const;
    const answer = await new Exchange(http).newOrder(order);
    expect(calls[0]?.init.headers["X-CSRF-Token"]).toBe("token");
    expect(calls[0]?.init.body).toBe(JSON.stringify(order));
    expect(answer.replayed).toBe(true);
  });

  it("an answer without a body is null", async () => {
    const { http } = serve(() => new Response(null, { status: 204 }));
    expect((await new Exchange(http).logOut()).body).toBeNull();
  });

  it("names in addresses are escaped", async () => {
    const { http, calls } = serve(() => Response.json({}));
    await new Exchange(http).book("../x?", 5);
    expect(calls[0]?.url).toBe("/v1/book/..%2Fx%3F?depth=5");
  });
});

describe("refusals", () => {
  it("are problems with their code and their time", async () => {
    const body = { code: "rate_limited", detail: "너무 잦습니다", status: 429 };
    const { http } = serve(() => Response.json(body, { status: 429, headers: { "Retry-After": "2" } }));
    const error = await http.request("/v1/orders").catch((each: unknown) => each);
    expect(error).toBeInstanceOf(Problem);
    expect(error).toMatchObject({ code: "rate_limited", status: 429, retryAfter: 2, message: "너무 잦습니다" });
  });

  it("that are no problem documents still have a code", async () => {
    for (const [status, code] of [
      [502, "internal"],
      [404, "malformed"],
    ] as const) {
      const { http } = serve(() => new Response("<html>", { status }));
      await expect(http.request("/")).rejects.toMatchObject({ code, status });
    }
  });
});

describe("no answer", () => {
  it("is told apart from a refusal", async () => {
    const { http } = serve(() => Promise.reject(new TypeError("network")));
    await expect(http.request("/")).rejects.toBeInstanceOf(NoAnswer);
  });

  it("half an answer is none", async () => {
    const { http } = serve(() => new Response('{"order_id": 1', { status: 201 }));
    await expect(http.request("/")).rejects.toBeInstanceOf(NoAnswer);
  });

  it("takes no longer than it may", async () => {
    const http = new Http({
      fetch: (_, init) =>
        new Promise((_resolve, reject) =>
          init.signal?.addEventListener("abort", () => reject(init.signal?.reason as Error)),
        ),
    });
    await expect(http.request("/", { timeoutMs: 20 })).rejects.toBeInstanceOf(NoAnswer);
  });
});
