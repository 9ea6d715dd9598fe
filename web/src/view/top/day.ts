/** The trading day on the clock: it ends at midnight, Korean time. */

const DAY_MS = 86_400_000;
const KST_MS = 9 * 3_600_000;

const sinceMidnight = (now: number) => (now + KST_MS) % DAY_MS;

/** How much of the day has passed, 0 to 1. */
export function passedOf(now: number): number {
  return sinceMidnight(now) / DAY_MS;
}

/** What is left of the day: `4:38:53`. */
export function leftOf(now: number): string {
  const seconds = Math.floor((DAY_MS - sinceMidnight(now)) / 1000);
  const two = (value: number) => String(value).padStart(2, "0");
  return `${Math.floor(seconds / 3600)}:${two(Math.floor(seconds / 60) % 60)}:${two(seconds % 60)}`;
}
