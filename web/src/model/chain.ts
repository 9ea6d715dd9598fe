/** The account's events form a chain: `prev` names the one before. This finds repeats and gaps. */

export interface Position {
  journal: string;
  seq: number;
  idx: number;
}

const ID = /^([A-Za-z0-9]+)-(\d{1,16})-(\d{1,16})$/;

/** `JOURNAL-seq-idx` in its parts; null for anything else. */
export function positionOf(id: string | null): Position | null {
  const found = id === null ? null : ID.exec(id);
  return found ? { journal: found[1] as string, seq: Number(found[2]), idx: Number(found[3]) } : null;
}

/** The command number in an event's id; 0 where there is none. */
export function seqOf(id: string | null): number {
  return positionOf(id)?.seq ?? 0;
}

function isAfter(one: Position, other: Position): boolean {
  return one.seq !== other.seq ? one.seq > other.seq : one.idx > other.idx;
}

export type Verdict =
  | "next"
  /** Had already. */
  | "repeat"
  /** Something between is missing, or it is another journal's: read everything anew. */
  | "gap";

export class Chain {
  #last: Position | null = null;
  #lastId: string | null = null;

  get lastId(): string | null {
    return this.#lastId;
  }

  /** Begin at this id: everything up to it is known. */
  start(id: string | null): void {
    this.#last = positionOf(id);
    this.#lastId = this.#last ? id : null;
  }

  /** Where an event stands. A `gap` moves on to the event, so that it is told once. */
  take(event: { id: string | null; prev: string | null }): Verdict {
    const at = positionOf(event.id);
    if (at === null) return "gap";
    const last = this.#last;
    if (last !== null && last.journal === at.journal && !isAfter(at, last)) return "repeat";
    this.#last = at;
    this.#lastId = event.id;
    if (last === null) return "next";
    if (last.journal !== at.journal) return "gap";
    // The stream may have begun at a moment between two events of the account: then `prev` lies before it.
    const prev = positionOf(event.prev);
    return prev !== null && isAfter(prev, last) ? "gap" : "next";
  }
}
