/** The account's events over `GET /v1/stream`, read from the response's body: unlike `EventSource` this hears the
 * heartbeats, so it knows when a connection is dead, and it chooses when to come back. It resumes by `Last-Event-ID`. */

import { Backoff } from "./backoff";
import { REAL_TIME, type Clockwork, type TimerId } from "./clockwork";
import type { LinkReason, LinkState, LinkStatus } from "./feed/protocol";
import { problemOf, retryAfterOf, type Fetch } from "./http";
import type { AccountEvent } from "./types";

export interface SseMessage {
  id: string | null;
  event: string;
  data: string;
}

/** Takes text in any pieces and gives whole messages (HTML standard, server-sent events). */
export class SseParser {
  /** The id that a reconnect resumes from; it is kept over messages without one. */
  lastId: string | null = null;
  #rest = "";
  #event = "";
  #data: string[] = [];
  #begun = false;

  push(text: string): SseMessage[] {
    let pending = this.#rest + text;
    if (!this.#begun && pending !== "") {
      this.#begun = true;
      if (pending.startsWith("\uFEFF")) pending = pending.slice(1);
    }
    const messages: SseMessage[] = [];
    let start = 0;
    for (;;) {
      const end = this.#lineEnd(pending, start);
      if (end === null) break;
      this.#line(pending.slice(start, end.at), messages);
      start = end.next;
    }
    this.#rest = pending.slice(start);
    return messages;
  }

  /** A line ends with LF, CR or CRLF; a CR at the very end may be half of a CRLF. */
  #lineEnd(text: string, from: number): { at: number; next: number } | null {
    for (let at = from; at < text.length; at += 1) {
      if (text[at] === "\n") return { at, next: at + 1 };
      if (text[at] === "\r") {
        if (at + 1 === text.length) return null;
        return { at, next: text[at + 1] === "\n" ? at + 2 : at + 1 };
      }
    }
    return null;
  }

  #line(line: string, messages: SseMessage[]): void {
    if (line === "") {
      if (this.#data.length > 0) {
        messages.push({ id: this.lastId, event: this.#event || "message", data: this.#data.join("\n") });
      }
      this.#event = "";
      this.#data = [];
      return;
    }
    const colon = line.indexOf(":");
    const name = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(line[colon + 1] === " " ? colon + 2 : colon + 1);
    if (name === "data") this.#data.push(value);
    else if (name === "event") this.#event = value;
    else if (name === "id" && !value.includes("\0")) this.lastId = value === "" ? null : value;
  }
}

export interface AccountStreamOptions {
  /** The stream is open: `head` is the exchange's newest command; `lastId` what is known up to here. */
  onOpen: (opened: { resumed: boolean; head: number; lastId: string | null }) => void;
  onEvents: (events: AccountEvent[]) => void;
  onLink: (status: LinkStatus) => void;
  fetch?: Fetch;
  time?: Clockwork;
  random?: () => number;
  base?: string;
}

/** The server speaks every 15 seconds. */
export const SILENT_MS = 38_000;

export class AccountStream {
  readonly #options: AccountStreamOptions;
  readonly #fetch: Fetch;
  readonly #time: Clockwork;
  readonly #backoff: Backoff;
  #lastId: string | null = null;
  #abort: AbortController | null = null;
  #timer: TimerId | null = null;
  #watch: TimerId | null = null;
  #state: LinkState = "off";
  #reason: LinkReason = null;
  #retryAt: number | null = null;
  #heardAt: number | null = null;
  #running = false;

  constructor(options: AccountStreamOptions) {
    this.#options = options;
    this.#fetch = options.fetch ?? ((input, init) => fetch(input, init));
    this.#time = options.time ?? REAL_TIME;
    const random = options.random ? { random: options.random } : {};
    this.#backoff = new Backoff({ firstMs: 500, mostMs: 15_000, steadyMs: 5_000, ...random });
  }

  get lastId(): string | null {
    return this.#lastId;
  }

  get isLive(): boolean {
    return this.#state === "live";
  }

  get status(): LinkStatus {
    return {
      name: "account",
      state: this.#state,
      reason: this.#reason,
      attempt: this.#state === "live" ? 0 : this.#backoff.attempt,
      retryAt: this.#retryAt,
      heardAt: this.#heardAt,
      closes: this.#backoff.closes(this.#time.now()),
    };
  }

  /** Begin anew, from now on. */
  start(): void {
    this.stop();
    this.#running = true;
    this.#lastId = null;
    this.#backoff.reset();
    void this.#connect();
  }

  stop(): void {
    this.#running = false;
    this.#drop();
    this.#set("off", null);
  }

  retry(): void {
    if (!this.#running || this.#state === "live" || this.#state === "connecting") return;
    this.#drop();
    void this.#connect();
  }

  /** Connect anew and resume: after sleep an open connection proves nothing. */
  restart(): void {
    if (!this.#running) return;
    this.#drop();
    void this.#connect();
  }

  async #connect(): Promise<void> {
    const abort = (this.#abort = new AbortController());
    const { signal } = abort;
    this.#set("connecting", null);
    this.#heard();
    const headers: Record<string, string> = { Accept: "text/event-stream" };
    if (this.#lastId !== null) headers["Last-Event-ID"] = this.#lastId;
    try {
      const url = `${this.#options.base ?? ""}/v1/stream`;
      const response = await this.#fetch(url, { headers, signal, cache: "no-store", credentials: "same-origin" });
      if (signal.aborted) return;
      if (!response.ok || response.body === null) {
        await this.#refused(response, signal);
        return;
      }
      await this.#read(response, signal);
      if (!signal.aborted) this.#wait("lost", 0);
    } catch (error) {
      if (signal.aborted) return;
      if (!(error instanceof TypeError || error instanceof DOMException)) throw error;
      this.#wait("lost", 0);
    }
  }

  async #refused(response: Response, signal: AbortSignal): Promise<void> {
    const value: unknown = await response.json().catch(() => null);
    if (signal.aborted) return;
    const problem = problemOf(response.status, value);
    if (response.status === 401 || response.status === 403) {
      this.#drop();
      this.#running = false;
      this.#set("refused", "session_ended");
      return;
    }
    // An id that this server cannot read: only a beginning from now on, and everything read anew, helps.
    if (response.status === 400) this.#lastId = null;
    const reason = problem.code === "stream_too_many" ? "too_many" : response.status >= 500 ? "lost" : "busy";
    this.#wait(reason, (retryAfterOf(response.headers) ?? 0) * 1000);
  }

  async #read(response: Response, signal: AbortSignal): Promise<void> {
    const parser = new SseParser();
    const resumed = this.#lastId !== null;
    parser.lastId = this.#lastId;
    const head = Number(response.headers.get("Onseju-Seq") ?? 0) || 0;
    const reader = (response.body as ReadableStream<Uint8Array>).getReader();
    const decoder = new TextDecoder();
    let open = false;
    for (;;) {
      const { done, value } = await reader.read();
      if (signal.aborted || done) return;
      this.#heard();
      const messages = parser.push(decoder.decode(value, { stream: true }));
      if (!open) {
        // The first piece says from where on: a stream without a cursor begins with the id of the present.
        open = true;
        if (!resumed) this.#lastId = messages.length > 0 ? null : parser.lastId;
        this.#backoff.live(this.#time.now());
        this.#set("live", null);
        this.#options.onOpen({ resumed, head, lastId: this.#lastId });
      }
      const events = messages.map((message) => this.#event(message)).filter((event) => event !== null);
      this.#lastId = parser.lastId;
      if (events.length > 0) this.#options.onEvents(events);
    }
  }

  #event(message: SseMessage): AccountEvent | null {
    try {
      return JSON.parse(message.data) as AccountEvent;
    } catch {
      return null; // the chain of ids shows the gap
    }
  }

  #heard(): void {
    this.#heardAt = this.#time.now();
    if (this.#watch === null) this.#watchOver(SILENT_MS);
  }

  #watchOver(ms: number): void {
    this.#watch = this.#time.setTimeout(() => {
      this.#watch = null;
      if (this.#abort === null || this.#heardAt === null) return;
      const silent = this.#time.now() - this.#heardAt;
      if (silent < SILENT_MS) {
        this.#watchOver(SILENT_MS - silent);
        return;
      }
      this.#wait("lost", 0);
    }, ms);
  }

  #wait(reason: LinkReason, leastMs: number): void {
    this.#drop();
    if (!this.#running) return;
    const now = this.#time.now();
    const ms = this.#backoff.ended(now, leastMs);
    this.#retryAt = now + ms;
    this.#set("waiting", reason);
    this.#timer = this.#time.setTimeout(() => {
      this.#timer = null;
      this.#retryAt = null;
      void this.#connect();
    }, ms);
  }

  #drop(): void {
    this.#abort?.abort();
    this.#abort = null;
    this.#heardAt = null;
    if (this.#timer !== null) this.#time.clearTimeout(this.#timer);
    if (this.#watch !== null) this.#time.clearTimeout(this.#watch);
    this.#timer = this.#watch = null;
    this.#retryAt = null;
  }

  #set(state: LinkState, reason: LinkReason): void {
    this.#state = state;
    this.#reason = reason;
    this.#options.onLink(this.status);
  }
}
