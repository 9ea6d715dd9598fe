import { beforeEach, describe, expect, it } from "vitest";
import type { LinkStatus } from "../../src/api/feed/protocol";
import { AccountStream, SILENT_MS, SseParser } from "../../src/api/sse";
import type { AccountEvent } from "../../src/api/types";
import { FakeTime, settle } from "../support/time";

describe("the format", () => {
  const text =
    "\uFEFFretry: 1000\n: connected\nid:j1-7-0\n\n" +
    'id:j1-8-1\nevent:fill\ndata:{"a":1}\n\n' +
    ": heartbeat\n\n" +
    "data: two\r\ndata:  lines\r\n\r\n" +
    "event\ndata\n\nid\ndata:x\n\n";
  const expected = [
    { id: "j1-8-1", event: "fill", data: '{"a":1}' },
    { id: "j1-8-1", event: "message", data: "two\n lines" },
    { id: "j1-8-1", event: "message", data: "" },
    { id: null, event: "message", data: "x" },
  ];

  it("is read", () => {
    expect(new SseParser().push(text)).toEqual(expected);
  });

  it("is read the same however it is cut", () => {
    for (let size = 1; size < 12; size += 1) {
      const parser = new SseParser();
      const messages = [];
      for (let start = 0; start < text.length; start += size)
        messages.push(...parser.push(text.slice(start, start + size)));
      expect(messages).toEqual(expected);
    }
  });

  it("an id without data is kept for the next connection", () => {
    const parser = new SseParser();
    expect(parser.push("id:j1-7-0\n\n")).toEqual([]);
    expect(parser.lastId).toBe("j1-7-0");
  });
});

class Server {
  readonly requests: { headers: Record<string, string>; signal: AbortSignal }[] = [];
  answers: (() => Response | Error)[] = [];
  #writers: ReadableStreamDefaultController<Uint8Array>[] = [];

  readonly fetch = (_: string, init: RequestInit): Promise<Response> => {
    const signal = init.signal as AbortSignal;
    this.requests.push({ headers: init.headers as Record<string, string>, signal });
    const answer = this.answers.shift();
    const result = answer ? answer() : this.#stream(signal);
    return result instanceof Error ? Promise.reject(result) : Promise.resolve(result);
  };

  #stream(signal: AbortSignal): Response {
    const body = new ReadableStream<Uint8Array>({ start: (controller) => void this.#writers.push(controller) });
    const writer = this.#writers.at(-1);
    signal.addEventListener("abort", () => writer?.error(new DOMException("aborted", "AbortError")));
    return new Response(body, { status: 200, headers: { "Onseju-Seq": "40" } });
  }

  async write(text: string): Promise<void> {
    this.#writers.at(-1)?.enqueue(new TextEncoder().encode(text));
    await breathe();
  }

  async cut(): Promise<void> {
    this.#writers.at(-1)?.error(new TypeError("network error"));
    await breathe();
  }

  async end(): Promise<void> {
    this.#writers.at(-1)?.close();
    await breathe();
  }
}

/** Streams settle over several turns of the event loop. */
async function breathe(): Promise<void> {
  for (let turn = 0; turn < 5; turn += 1) {
    await new Promise((resolve) => setImmediate(resolve));
    await settle();
  }
}

describe("the account's stream", () => {
  let time: FakeTime;
  let server: Server;
  let links: LinkStatus[];
  let opened: { resumed: boolean; head: number; lastId: string | null }[];
  let events: AccountEvent[];
  let stream: AccountStream;
  const link = () => links.at(-1) as LinkStatus;
  const event = (id: string, prev: string | null) =>
    `id:${id}\nevent:account\ndata:${JSON.stringify({ ch: "account", id, prev, type: "account", ts: null, data: {} })}\n\n`;

  beforeEach(() => {
    time = new FakeTime();
    server = new Server();
    links = [];
    opened = [];
    events = [];
    stream = new AccountStream({
      onOpen: (each) => opened.push(each),
      onEvents: (each) => events.push(...each),
      onLink: (status) => links.push(status),
      fetch: server.fetch,
      time,
      random: () => 0,
    });
  });

  async function open(): Promise<void> {
    stream.start();
    await breathe();
    await server.write("retry: 1000\n: connected\nid:j1-40-0\n\n");
  }

  it("begins with the present, and says what is known up to there", async () => {
    await open();
    expect(server.requests[0]?.headers["Last-Event-ID"]).toBeUndefined();
    expect(opened).toEqual([{ resumed: false, head: 40, lastId: "j1-40-0" }]);
    expect(link().state).toBe("live");
    await server.write(event("j1-41-0", "j1-3-0") + event("j1-41-1", "j1-41-0"));
    expect(events.map(({ id }) => id)).toEqual(["j1-41-0", "j1-41-1"]);
    expect(stream.lastId).toBe("j1-41-1");
  });

  it("resumes from the last event after the connection is cut", async () => {
    await open();
    await server.write(event("j1-41-0", null));
    await server.cut();
    expect(link()).toMatchObject({ state: "waiting", reason: "lost", attempt: 1, retryAt: time.now() + 500 });
    await time.pass(500);
    await breathe();
    expect(server.requests[1]?.headers["Last-Event-ID"]).toBe("j1-41-0");
    await server.write(": connected\n\n");
    expect(opened.at(-1)).toEqual({ resumed: true, head: 40, lastId: "j1-41-0" });
  });

  it("resumes exactly when it was cut off before its first event", async () => {
    await open();
    await server.end();
    await time.pass(500);
    await breathe();
    expect(server.requests[1]?.headers["Last-Event-ID"]).toBe("j1-40-0");
  });

  it("waits longer each time while the server is away", async () => {
    const away = () => new TypeError("connection refused");
    server.answers = [away, away, away, away, away, away, away];
    stream.start();
    await breathe();
    const waits: number[] = [];
    for (let turn = 0; turn < 7; turn += 1) {
      waits.push((link().retryAt ?? 0) - time.now());
      await time.pass(waits.at(-1) ?? 0);
      await breathe();
    }
    expect(waits).toEqual([500, 1000, 2000, 4000, 8000, 15000, 15000]);
  });

  it("heartbeats keep it alive, silence ends it", async () => {
    await open();
    for (let turn = 0; turn < 5; turn += 1) {
      await time.pass(15_000);
      await server.write(": heartbeat\n\n");
    }
    expect(link().state).toBe("live");
    await time.pass(SILENT_MS);
    await breathe();
    expect(link()).toMatchObject({ state: "waiting", reason: "lost" });
    expect(server.requests[0]?.signal.aborted).toBe(true);
  });

  it("an ended session is not a lost connection", async () => {
    server.answers = [() => Response.json({ code: "session_ended", detail: "" }, { status: 401 })];
    stream.start();
    await breathe();
    expect(link()).toMatchObject({ state: "refused", reason: "session_ended", retryAt: null });
    await time.pass(120_000);
    expect(server.requests).toHaveLength(1);
  });

  it("waits as long as it is told to", async () => {
    server.answers = [
      () => Response.json({ code: "stream_too_many", detail: "" }, { status: 429, headers: { "Retry-After": "7" } }),
    ];
    stream.start();
    await breathe();
    expect(link()).toMatchObject({ state: "waiting", reason: "too_many", retryAt: time.now() + 7000 });
  });

  it("begins anew when its id means nothing to the server", async () => {
    await open();
    await server.cut();
    server.answers = [() => Response.json({ code: "malformed", detail: "" }, { status: 400 })];
    await time.pass(500);
    await breathe();
    await time.pass(1000);
    await breathe();
    expect(server.requests[2]?.headers["Last-Event-ID"]).toBeUndefined();
  });

  it("takes an event that is no JSON for nothing, and moves on", async () => {
    await open();
    await server.write("id:j1-41-0\ndata:{broken\n\n" + event("j1-42-0", "j1-41-0"));
    expect(events.map(({ id }) => id)).toEqual(["j1-42-0"]);
  });
});
