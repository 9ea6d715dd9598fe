/** What `GET /v1/admin/status` tells, and what two of them tell about the time between. */

export interface Histogram {
  counts: number[];
  sum_s: number;
}

export interface Invariant {
  name: string;
  holds: boolean;
  left: number;
  right: number;
}

export interface Status {
  version: string;
  ts: string;
  uptime_s: number;
  head_seq: number;
  ready: boolean;
  obstacles: { code: string; detail: string }[];
  sums: {
    seq: number;
    cash_held: number;
    cash_reserved: number;
    orders_open: number;
    orders_rejected: number;
    shares: { symbol: string; held: number; paid_in: number; reserved: number; offered: number }[];
  } | null;
  invariants: Invariant[];
  bounds_s: number[];
  stages: Record<string, Histogram>;
  requests: Record<string, Histogram>;
  fsync: Histogram;
  results: [result: string, reason: string, count: number][];
  gauges: Record<string, number>;
}

export interface Deed {
  seq: number;
  ts: string;
  actor: number | null;
  via: string;
  action: string;
  account_id: number | null;
  symbol: string | null;
  about_seq: number | null;
  details: string;
}

/** What a stage took between two looks; the durations are null where nothing passed. In seconds. */
export interface Reading {
  count: number;
  p50: number | null;
  p99: number | null;
}

/** One moment of a stage's plot. */
export interface Moment extends Reading {
  at: number;
}

/**
 * The duration under which a share of the counted ones lies, by its bucket: somewhere between its bounds, as if they lay
 * evenly in it. Above the last bound it is that bound.
 */
export function quantile(bounds: readonly number[], counts: readonly number[], share: number): number | null {
  const total = counts.reduce((sum, count) => sum + count, 0);
  if (total <= 0) return null;
  let below = 0;
  for (const [bucket, count] of counts.entries()) {
    const upper = bounds[bucket];
    if (upper === undefined) break;
    if (count > 0 && below + count >= share * total) {
      const lower = bounds[bucket - 1] ?? 0;
      return lower + (upper - lower) * ((share * total - below) / count);
    }
    below += count;
  }
  return bounds.at(-1) ?? null;
}

/** What was counted between two looks. A count that went back means a new start: then all of it is new. */
export function between(before: Histogram | undefined, now: Histogram): number[] {
  const gone = now.counts.map((count, bucket) => count - (before?.counts[bucket] ?? 0));
  return gone.some((count) => count < 0) ? now.counts : gone;
}

export function reading(bounds: readonly number[], before: Histogram | undefined, now: Histogram): Reading {
  const counts = between(before, now);
  return {
    count: counts.reduce((sum, count) => sum + count, 0),
    p50: quantile(bounds, counts, 0.5),
    p99: quantile(bounds, counts, 0.99),
  };
}
