import type { Clockwork, TimerId } from "../../src/api/clockwork";

/** A clock that moves when it is told to. */
export class FakeTime implements Clockwork {
  #now: number;
  #next = 1;
  readonly #timers = new Map<number, { at: number; run: () => void }>();

  constructor(now = Date.parse("2026-11-23T01:00:00Z")) {
    this.#now = now;
  }

  now(): number {
    return this.#now;
  }

  setTimeout(run: () => void, ms: number): TimerId {
    const id = this.#next++;
    this.#timers.set(id, { at: this.#now + ms, run });
    return id;
  }

  clearTimeout(id: TimerId): void {
    this.#timers.delete(id as number);
  }

  /** Time passes, timers run in their order, promises in between are settled. */
  async pass(ms: number): Promise<void> {
    await settle();
    const end = this.#now + ms;
    for (;;) {
      const due = [...this.#timers].filter(([, timer]) => timer.at <= end).sort((a, b) => a[1].at - b[1].at)[0];
      if (due === undefined) break;
      this.#timers.delete(due[0]);
      this.#now = Math.max(this.#now, due[1].at);
      due[1].run();
      await settle();
    }
    this.#now = end;
  }

  /** Sleep: time passes, and no timer runs until it is over. */
  async sleep(ms: number): Promise<void> {
    this.#now += ms;
    const due = [...this.#timers].filter(([, timer]) => timer.at <= this.#now).sort((a, b) => a[1].at - b[1].at);
    for (const [id, timer] of due) {
      this.#timers.delete(id);
      timer.run();
      await settle();
    }
  }
}

/** Let what waits for promises go on. */
export async function settle(): Promise<void> {
  for (let turn = 0; turn < 20; turn += 1) await Promise.resolve();
}
