/** Requests to the exchange: JSON in and out, the CSRF token on writes, refusals as `Problem`. */

import type { ProblemBody } from "./types";

/** A refusal by the exchange, with its reason's code. */
export class Problem extends Error {
  readonly code: string;
  readonly status: number;
  readonly body: ProblemBody;
  /** Seconds after which it may be sent again, where the answer says. */
  readonly retryAfter: number | null;

  constructor(body: ProblemBody, retryAfter: number | null = null) {
    super(body.detail || body.code);
    this.name = "Problem";
    this.code = body.code;
    this.status = body.status;
    this.body = body;
    this.retryAfter = retryAfter;
  }
}

/** No answer came, or none that can be read: whether the request took effect is not known. */
export class NoAnswer extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "NoAnswer";
  }
}

export interface Answer<T> {
  status: number;
  body: T;
  /** The command number that the answer is as of. */
  seq: number;
  replayed: boolean;
}

export interface RequestOptions {
  method?: "GET" | "POST" | "PATCH" | "DELETE";
  query?: Record<string, string | number | null | undefined>;
  body?: unknown;
  /** Read nothing older than this command. */
  minSeq?: number;
  headers?: Record<string, string>;
  timeoutMs?: number;
  signal?: AbortSignal;
}

export type Fetch = (input: string, init: RequestInit) => Promise<Response>;

const TIMEOUT_MS = 10_000;

/** Reads what an answer says was wrong, whatever it is. */
export function problemOf(status: number, value: unknown): ProblemBody {
  if (typeof value === "object" && value !== null) {
    const { code, detail } = value as Partial<ProblemBody>;
    if (typeof code === "string") return { ...(value as ProblemBody), status, detail: detail ?? code };
  }
  return { status, code: status >= 500 ? "internal" : "malformed", detail: `HTTP ${status}` };
}

/** `Retry-After` in seconds; null where there is none. */
export function retryAfterOf(headers: Headers): number | null {
  const seconds = Number(headers.get("Retry-After") ?? Number.NaN);
  return Number.isFinite(seconds) && seconds >= 0 ? seconds : null;
}

export class Http {
  /** The session's token, sent with every write. */
  csrfToken: string | null = null;
  language: "ko" | "en" = "ko";
  readonly #fetch: Fetch;
  readonly #base: string;

  constructor(options: { fetch?: Fetch; base?: string } = {}) {
    this.#fetch = options.fetch ?? ((input, init) => fetch(input, init));
    this.#base = options.base ?? "";
  }

  /** Throws `Problem` for a refusal and `NoAnswer` where none came in time. */
  async request<T>(path: string, options: RequestOptions = {}): Promise<Answer<T>> {
    const method = options.method ?? "GET";
    const query = new URLSearchParams();
    for (const [name, value] of Object.entries(options.query ?? {})) {
      if (value !== null && value !== undefined) query.set(name, String(value));
    }
    const headers: Record<string, string> = { Accept: "application/json", "Accept-Language": this.language };
    if (options.minSeq) headers["Onseju-Min-Seq"] = String(options.minSeq);
    if (method !== "GET" && this.csrfToken !== null) headers["X-CSRF-Token"] = this.csrfToken;
    if (options.body !== undefined) headers["Content-Type"] = "application/json";
    Object.assign(headers, options.headers);
    const timeout = AbortSignal.timeout(options.timeoutMs ?? TIMEOUT_MS);
    const init: RequestInit = {
      method,
      headers,
      credentials: "same-origin",
      cache: "no-store",
      signal: options.signal ? AbortSignal.any([options.signal, timeout]) : timeout,
    };
    if (options.body !== undefined) init.body = JSON.stringify(options.body);
    const text = query.toString();
    const url = this.#base + path + (text ? `?${text}` : "");
    let response: Response;
    let content: string;
    try {
      response = await this.#fetch(url, init);
      content = await response.text();
    } catch (cause) {
      throw new NoAnswer(`${method} ${path}: no answer`, { cause });
    }
    let value: unknown = null;
    if (content !== "") {
      try {
        value = JSON.parse(content);
      } catch (cause) {
        if (response.ok) throw new NoAnswer(`${method} ${path}: an answer that is not JSON`, { cause });
      }
    }
    if (!response.ok) throw new Problem(problemOf(response.status, value), retryAfterOf(response.headers));
    return {
      status: response.status,
      body: value as T,
      seq: Number(response.headers.get("Onseju-Seq") ?? 0) || 0,
      replayed: response.headers.get("Idempotency-Replayed") === "true",
    };
  }
}
