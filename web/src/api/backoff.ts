/** How long to wait before connecting again: longer each time, shorter only after a connection that lasted. */

export interface BackoffOptions {
  firstMs: number;
  mostMs: number;
  /** A connection that was live for so long begins the waits anew. */
  steadyMs: number;
  random?: () => number;
}

const RECENT_MS = 120_000;

export class Backoff {
  /** Tries since the last steady connection. */
  attempt = 0;
  readonly #options: BackoffOptions;
  #liveSince: number | null = null;
  #closes: number[] = [];

  constructor(options: BackoffOptions) {
    this.#options = options;
  }

  /** It works again. */
  live(now: number): void {
    this.#liveSince ??= now;
  }

  /** It ended; how many milliseconds to wait. `leastMs` is what the other side asked for. */
  ended(now: number, leastMs = 0): number {
    const steady = this.#liveSince !== null && now - this.#liveSince >= this.#options.steadyMs;
    if (steady) this.attempt = 0;
    if (this.#liveSince !== null) this.#closes.push(now);
    this.#liveSince = null;
    this.attempt += 1;
    const { firstMs, mostMs, random } = this.#options;
    const wait = Math.min(firstMs * 2 ** Math.min(this.attempt - 1, 20), mostMs);
    // Up to a fifth off, so that a roomful of pages does not come back in one instant.
    return Math.max(leastMs, Math.round(wait * (1 - 0.2 * (random ?? Math.random)())));
  }

  /** Live connections that ended within the last two minutes. */
  closes(now: number): number {
    this.#closes = this.#closes.filter((at) => now - at <= RECENT_MS);
    return this.#closes.length;
  }

  reset(): void {
    this.attempt = 0;
    this.#liveSince = null;
    this.#closes = [];
  }
}
