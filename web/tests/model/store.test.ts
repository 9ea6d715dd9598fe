import { describe, expect, it } from "vitest";
import { derive, Events, Store } from "../../src/model/store";

describe("stores", () => {
  it("tell at once, and then each change once", () => {
    const store = new Store(1);
    const told: number[] = [];
    const leave = store.subscribe((value) => told.push(value));
    store.set(2);
    store.set(2);
    store.update((value) => value + 1);
    leave();
    store.set(9);
    expect(told).toEqual([1, 2, 3]);
  });

  it("bear a listener that leaves while it is told", () => {
    const store = new Store(0);
    const told: string[] = [];
    const leave = store.subscribe((value) => {
      told.push(`a${value}`);
      if (value === 1) leave();
    });
    store.subscribe((value) => told.push(`b${value}`));
    store.set(1);
    store.set(2);
    expect(told).toEqual(["a0", "b0", "a1", "b1", "b2"]);
  });
});

describe("derived values", () => {
  it("follow their sources, and listen only while they are listened to", () => {
    const one = new Store(1);
    const two = new Store(10);
    let made = 0;
    const sum = derive([one, two], (a, b) => {
      made += 1;
      return a + b;
    });
    expect(sum.get()).toBe(11);
    const told: number[] = [];
    const leave = sum.subscribe((value) => told.push(value));
    one.set(2);
    two.set(20);
    expect(sum.get()).toBe(22);
    leave();
    const before = made;
    one.set(3);
    expect(made).toBe(before);
    expect(sum.get()).toBe(23);
    expect(told).toEqual([11, 12, 22]);
  });

  it("do not tell what has not changed", () => {
    const source = new Store(1);
    const parity = derive([source], (value) => value % 2);
    const told: number[] = [];
    parity.subscribe((value) => told.push(value));
    source.set(3);
    source.set(4);
    expect(told).toEqual([1, 0]);
  });

  it("can be made of derived ones", () => {
    const source = new Store(2);
    const square = derive([source], (value) => value * value);
    const text = derive([square, source], (a, b) => `${b}²=${a}`);
    const told: string[] = [];
    text.subscribe((value) => told.push(value));
    source.set(3);
    expect(told.at(-1)).toBe("3²=9");
    expect(text.get()).toBe("3²=9");
  });
});

it("events reach those who listen now", () => {
  const events = new Events<number>();
  const told: number[] = [];
  events.emit(1);
  const leave = events.on((event) => told.push(event));
  events.emit(2);
  leave();
  events.emit(3);
  expect(told).toEqual([2]);
});
