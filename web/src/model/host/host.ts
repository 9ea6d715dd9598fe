/** The host's page: asks for the status every other second, and keeps what the last five minutes were like. */

import { NoAnswer, Problem, type Http } from "../../api/http";
import { Store } from "../store";
import { reading, type Deed, type Histogram, type Moment, type Status } from "./status";

export const EVERY_MS = 2_000;
export const KEPT = 150;
/** Looks between two looks at the audit trail. */
const DEEDS_EVERY = 5;

export type State =
  | { kind: "starting" }
  /** A key is needed: none was given, or the one that was given does not open this page. */
  | { kind: "key"; refused: string | null }
  | { kind: "open" }
  /** Nobody answered the last time. */
  | { kind: "lost" };

export class Host {
  readonly state = new Store<State>({ kind: "starting" });
  readonly status = new Store<Status | null>(null);
  readonly deeds = new Store<readonly Deed[]>([]);
  /** By stage, oldest first. */
  readonly moments = new Store<ReadonlyMap<string, readonly Moment[]>>(new Map());
  /** Commands a second between the last two looks. */
  readonly rate = new Store<number | null>(null);
  readonly #http: Http;
  #key: string | null = null;
  #timer: ReturnType<typeof setTimeout> | null = null;
  #looks = 0;

  constructor(http: Http) {
    this.#http = http;
  }

  /** Look with the session that the browser may have, and go on looking. */
  async start(): Promise<void> {
    this.stop();
    await this.look();
    if (this.state.get().kind !== "key") this.#timer = setTimeout(() => void this.start(), EVERY_MS);
  }

  stop(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
  }

  /** Open the page with an admin's API key. It is kept in this tab's memory alone. */
  async enter(key: string, language: "ko" | "en"): Promise<void> {
    this.#key = key.trim();
    this.#http.language = language;
    await this.start();
  }

  async look(): Promise<void> {
    try {
      const status = (await this.#http.request<Status>("/v1/admin/status", this.#options())).body;
      this.#take(status);
      if (this.#looks++ % DEEDS_EVERY === 0) {
        const page = await this.#http.request<{ deeds: Deed[] }>("/v1/admin/audit", {
          ...this.#options(),
          query: { limit: 50 },
        });
        this.deeds.set(page.body.deeds);
      }
      this.state.set({ kind: "open" });
    } catch (error) {
      if (error instanceof Problem && [401, 403].includes(error.status)) {
        const refused = this.#key === null ? null : error.message;
        this.#key = null;
        this.state.set({ kind: "key", refused });
      } else if (error instanceof Problem || error instanceof NoAnswer) {
        this.state.set({ kind: "lost" });
      } else {
        throw error;
      }
    }
  }

  #options(): { headers: Record<string, string> } {
    return { headers: this.#key === null ? {} : { Authorization: `Bearer ${this.#key}` } };
  }

  #take(status: Status): void {
    const before = this.status.get();
    const same = before !== null && status.uptime_s > before.uptime_s;
    const at = Date.parse(status.ts);
    const all = new Map<string, readonly Moment[]>();
    const add = (name: string, earlier: Histogram | undefined, now: Histogram) => {
      const moment = { at, ...reading(status.bounds_s, earlier, now) };
      const known = this.moments.get().get(name) ?? [];
      // The first look tells of all the time since the start, not of this moment.
      all.set(name, before === null ? [] : [...known, moment].slice(-KEPT));
    };
    for (const [name, histogram] of Object.entries(status.stages)) {
      add(name, same ? before.stages[name] : undefined, histogram);
    }
    add("fsync", same ? before.fsync : undefined, status.fsync);
    for (const [name, histogram] of Object.entries(status.requests)) {
      add(`request.${name}`, same ? before.requests[name] : undefined, histogram);
    }
    this.moments.set(all);
    this.rate.set(same ? (status.head_seq - before.head_seq) / (status.uptime_s - before.uptime_s) : null);
    this.status.set(status);
  }
}
