/** The exchange's clock in the page: its last answer, carried on at its own speed. Times in milliseconds since 1970. */

import type { Clock } from "../api/types";
import { millis } from "./numbers";
import { Store } from "./store";

export class ExchangeClock {
  /** The last answer. */
  readonly state = new Store<Clock | null>(null);
  readonly #machine: () => number;
  #at = 0;
  #base = 0;
  #speed = 1;

  constructor(machine: () => number = Date.now) {
    this.#machine = machine;
  }

  /** Take an answer that was true when this machine's clock showed `at`. One that is older than the last is passed over. */
  take(clock: Clock, at: number): void {
    const base = millis(clock.now);
    if (!Number.isFinite(base) || (this.state.get() !== null && at < this.#at)) return;
    this.#at = at;
    this.#base = base;
    this.#speed = clock.speed > 0 ? clock.speed : 1;
    this.state.set(clock);
  }

  /** Seconds of the exchange's time per second. */
  get speed(): number {
    return this.#speed;
  }

  /** The exchange's time; this machine's before the first answer. */
  now(): number {
    const machine = this.#machine();
    return this.state.get() === null ? machine : this.#base + (machine - this.#at) * this.#speed;
  }

  /** Milliseconds of this machine until the exchange's clock shows `time`; 0 where it does already. */
  until(time: number): number {
    return Math.max(0, (time - this.now()) / this.#speed);
  }
}
