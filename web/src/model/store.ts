/** Values that can be watched. They keep Svelte's store contract (`subscribe` calls at once), so `$store` works in the view. */

export type Unsubscribe = () => void;

export interface Readable<T> {
  get(): T;
  /** Calls `run` with the value now, and with every later one. */
  subscribe(run: (value: T) => void): Unsubscribe;
}

export class Store<T> implements Readable<T> {
  #value: T;
  readonly #runs = new Set<(value: T) => void>();

  constructor(value: T) {
    this.#value = value;
  }

  get(): T {
    return this.#value;
  }

  set(value: T): void {
    if (Object.is(value, this.#value)) return;
    this.#value = value;
    for (const run of [...this.#runs]) run(value);
  }

  update(change: (value: T) => T): void {
    this.set(change(this.#value));
  }

  subscribe(run: (value: T) => void): Unsubscribe {
    this.#runs.add(run);
    run(this.#value);
    return () => this.#runs.delete(run);
  }
}

type Values<Sources extends readonly Readable<unknown>[]> = {
  [Index in keyof Sources]: Sources[Index] extends Readable<infer Value> ? Value : never;
};

/** A value made of others. It listens to them only while somebody listens to it. */
export class Derived<const Sources extends readonly Readable<unknown>[], T> implements Readable<T> {
  readonly #sources: Sources;
  readonly #make: (...values: Values<Sources>) => T;
  readonly #runs = new Set<(value: T) => void>();
  #leave: Unsubscribe[] = [];
  #value: T | undefined;

  constructor(sources: Sources, make: (...values: Values<Sources>) => T) {
    this.#sources = sources;
    this.#make = make;
  }

  get(): T {
    return this.#runs.size > 0 ? (this.#value as T) : this.#compute();
  }

  subscribe(run: (value: T) => void): Unsubscribe {
    if (this.#runs.size === 0) this.#begin();
    this.#runs.add(run);
    run(this.#value as T);
    return () => {
      this.#runs.delete(run);
      if (this.#runs.size === 0) this.#end();
    };
  }

  #compute(): T {
    return this.#make(...(this.#sources.map((source) => source.get()) as Values<Sources>));
  }

  #begin(): void {
    let starting = true;
    const changed = () => {
      if (starting) return;
      const value = this.#compute();
      if (Object.is(value, this.#value)) return;
      this.#value = value;
      for (const run of [...this.#runs]) run(value);
    };
    this.#leave = this.#sources.map((source) => source.subscribe(changed));
    this.#value = this.#compute();
    starting = false;
  }

  #end(): void {
    for (const leave of this.#leave) leave();
    this.#leave = [];
    this.#value = undefined;
  }
}

export function derive<const Sources extends readonly Readable<unknown>[], T>(
  sources: Sources,
  make: (...values: Values<Sources>) => T,
): Readable<T> {
  return new Derived(sources, make);
}

/** Things that happen, for those who listen now. */
export class Events<T> {
  readonly #runs = new Set<(event: T) => void>();

  emit(event: T): void {
    for (const run of [...this.#runs]) run(event);
  }

  on(run: (event: T) => void): Unsubscribe {
    this.#runs.add(run);
    return () => this.#runs.delete(run);
  }
}
