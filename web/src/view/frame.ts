/** Drawing happens once per animation frame. A hidden tab has no frames: it keeps receiving and draws nothing. */

import type { Readable } from "../model/store";

const waiting = new Set<() => void>();
let asked = false;

function run(): void {
  asked = false;
  const tasks = [...waiting];
  waiting.clear();
  for (const task of tasks) task();
}

/** Run `task` in the next frame, however often it is asked for until then. */
export function onNextFrame(task: () => void): void {
  waiting.add(task);
  if (asked) return;
  asked = true;
  requestAnimationFrame(run);
}

export function forgetFrame(task: () => void): void {
  waiting.delete(task);
}

/** The same value, told at most once a frame. */
export function perFrame<T>(source: Readable<T>): Readable<T> {
  return {
    get: () => source.get(),
    subscribe(tell) {
      let told = false;
      const draw = () => tell(source.get());
      const leave = source.subscribe((value) => {
        if (told) return onNextFrame(draw);
        told = true;
        tell(value);
      });
      return () => {
        forgetFrame(draw);
        leave();
      };
    },
  };
}
