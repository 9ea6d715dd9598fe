/** Whether what is shown is live, and if not, why and until when: in words. */

import type { KisStatus, LinkName, LinkStatus } from "../api/feed/protocol";
import type { Sentence } from "./messages";
import { Store } from "./store";

export interface ConnectionView {
  /** The exchange: fills, orders and our book. */
  state: "live" | "connecting" | "offline";
  sentence: Sentence;
  attempt: number;
  /** Seconds until the next try; null while none waits. */
  seconds: number | null;
  /** Whether an order may be sent. */
  maySend: boolean;
  kis: KisView;
}

export interface KisView {
  live: boolean;
  sentence: Sentence;
  status: KisStatus;
}

const NOT_YET = (name: LinkName): LinkStatus => ({
  name,
  state: "off",
  reason: null,
  attempt: 0,
  retryAt: null,
  heardAt: null,
  closes: 0,
});

const NO_KIS: KisStatus = { mode: null, used: 0, limit: 41, left_out: [], frames: 0, broken: {} };

export class Connection {
  readonly view: Store<ConnectionView>;
  /** The newest command that was heard of, and how many gaps were found and repaired. */
  readonly lastSeq = new Store(0);
  readonly gaps = new Store(0);
  readonly #links: Record<LinkName, LinkStatus> = {
    account: NOT_YET("account"),
    book: NOT_YET("book"),
    kis: NOT_YET("kis"),
  };
  readonly #now: () => number;
  #kis = NO_KIS;
  #loggedIn = false;
  #secure = false;

  constructor(now: () => number = Date.now) {
    this.#now = now;
    this.view = new Store(this.#make());
  }

  link(name: LinkName): LinkStatus {
    return this.#links[name];
  }

  takeLink(status: LinkStatus): void {
    this.#links[status.name] = status;
    this.tick();
  }

  takeKis(status: KisStatus): void {
    this.#kis = status;
    this.tick();
  }

  setLoggedIn(loggedIn: boolean): void {
    this.#loggedIn = loggedIn;
    this.tick();
  }

  /** The page was opened over https: KIS cannot be reached from it. */
  setSecure(secure: boolean): void {
    this.#secure = secure;
    this.tick();
  }

  heard(seq: number): void {
    if (seq > this.lastSeq.get()) this.lastSeq.set(seq);
  }

  /** Count down. Called every second while something waits. */
  tick(): void {
    const next = this.#make();
    if (JSON.stringify(next) !== JSON.stringify(this.view.get())) this.view.set(next);
  }

  /** Whether a countdown runs or a silence grows. */
  get counting(): boolean {
    return Object.values(this.#links).some((link) => link.retryAt !== null || link.state === "silent");
  }

  #seconds(link: LinkStatus): number | null {
    return link.retryAt === null ? null : Math.max(0, Math.ceil((link.retryAt - this.#now()) / 1000));
  }

  #make(): ConnectionView {
    const { account, book } = this.#links;
    const main = this.#loggedIn && account.state !== "live" ? account : book;
    const seconds = this.#seconds(main);
    const kis: KisView = {
      live: this.#links.kis.state === "live",
      sentence: this.#kisSentence(),
      status: this.#kis,
    };
    const base = { attempt: main.attempt, seconds, kis, maySend: this.#loggedIn && account.state === "live" };
    if (main.state === "live") return { ...base, state: "live", sentence: { key: "link.live" } };
    if (main.reason === "session_ended") {
      return { ...base, state: "offline", sentence: { key: "link.session_ended" } };
    }
    if (main.attempt === 0) return { ...base, state: "connecting", sentence: { key: "link.connecting" } };
    const attempt = main.attempt;
    return {
      ...base,
      state: "offline",
      sentence: seconds
        ? { key: "link.offline", params: { seconds, attempt } }
        : { key: "link.offline_now", params: { attempt } },
    };
  }

  #kisSentence(): Sentence {
    const link = this.#links.kis;
    const { used, limit, left_out: leftOut } = this.#kis;
    const seconds = this.#seconds(link) ?? 0;
    if (!this.#loggedIn) return { key: "kis.log_in" };
    if (this.#secure && link.reason === "mixed_content") return { key: "kis.mixed_content" };
    if (link.state === "live") {
      return leftOut.length > 0 ? { key: "kis.full", params: { limit } } : { key: "kis.live", params: { used, limit } };
    }
    if (link.reason === "in_use") return { key: "kis.in_use", params: { seconds } };
    if (link.reason === "key_superseded") return { key: "kis.key_superseded" };
    if (link.reason === "no_approval") return { key: "kis.no_approval" };
    if (link.state === "silent") {
      const silent = link.heardAt === null ? 0 : Math.max(0, Math.floor((this.#now() - link.heardAt) / 1000));
      return { key: "kis.silent", params: { seconds: silent } };
    }
    if (link.state === "waiting") {
      return link.reason === "flapping"
        ? { key: "kis.flapping", params: { times: link.closes, seconds } }
        : { key: "kis.retrying", params: { seconds, attempt: link.attempt } };
    }
    return link.state === "connecting" ? { key: "kis.connecting" } : { key: "kis.off" };
  }
}
