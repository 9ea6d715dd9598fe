/** Who one is: sign-up, log-in, log-out. */

import type { Exchange } from "../api/exchange";
import { Problem } from "../api/http";
import type { SessionView } from "../api/types";
import type { Sentence } from "./messages";
import { sentenceOf } from "./refusals";
import { Store } from "./store";

export type SessionState =
  /** Not asked yet, or the server did not answer. */
  { kind: "unknown" } | { kind: "out"; ended: boolean } | { kind: "in"; user: SessionView };

const NAME_LETTERS = /^[\p{L}\p{N}._-]+$/u;

/** What is wrong with a name before it is sent; null = nothing. */
export function wrongName(name: string): Sentence | null {
  const length = [...name].length;
  if (length < 2 || length > 32) return { key: "session.name_short" };
  return NAME_LETTERS.test(name) ? null : { key: "session.name_letters" };
}

/** What is wrong with a new password before it is sent; null = nothing. */
export function wrongPassword(password: string): Sentence | null {
  if ([...password].length < 8) return { key: "session.password_short" };
  return new TextEncoder().encode(password).length > 256 ? { key: "session.password_long" } : null;
}

export class Session {
  readonly state = new Store<SessionState>({ kind: "unknown" });
  readonly #exchange: Exchange;

  constructor(exchange: Exchange) {
    this.#exchange = exchange;
  }

  get accountId(): number | null {
    const state = this.state.get();
    return state.kind === "in" ? state.user.account_id : null;
  }

  /** Ask the exchange who one is. Throws `NoAnswer` where it cannot be reached. */
  async check(): Promise<void> {
    try {
      this.#enter((await this.#exchange.session()).body);
    } catch (error) {
      if (error instanceof Problem && error.status === 401) {
        this.#leave(error.code === "session_ended" && this.state.get().kind === "in");
        return;
      }
      throw error;
    }
  }

  /** Sign up and log in. What went wrong, or null. */
  async signUp(name: string, password: string): Promise<Sentence | null> {
    const wrong = wrongName(name) ?? wrongPassword(password);
    if (wrong) return wrong;
    try {
      await this.#exchange.signUp(name, password);
    } catch (error) {
      return sentenceOf(error);
    }
    return this.logIn(name, password);
  }

  /** What went wrong, or null. */
  async logIn(name: string, password: string): Promise<Sentence | null> {
    try {
      this.#enter((await this.#exchange.logIn(name, password)).body);
      return null;
    } catch (error) {
      return sentenceOf(error);
    }
  }

  async logOut(): Promise<Sentence | null> {
    try {
      await this.#exchange.logOut();
    } catch (error) {
      if (!(error instanceof Problem && error.status === 401)) return sentenceOf(error);
    }
    this.#leave(false);
    return null;
  }

  /** The exchange said that the session has ended. */
  ended(): void {
    if (this.state.get().kind === "in") this.#leave(true);
  }

  #enter(user: SessionView): void {
    this.#exchange.http.csrfToken = user.csrf_token;
    this.state.set({ kind: "in", user });
  }

  #leave(ended: boolean): void {
    this.#exchange.http.csrfToken = null;
    this.state.set({ kind: "out", ended });
  }
}
