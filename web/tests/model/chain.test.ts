import { describe, expect, it } from "vitest";
import { Chain, positionOf, seqOf } from "../../src/model/chain";

const event = (id: string, prev: string | null) => ({ id, prev });

describe("ids", () => {
  it("are read, or are none", () => {
    expect(positionOf("k3f9-1042-3")).toEqual({ journal: "k3f9", seq: 1042, idx: 3 });
    expect(seqOf("k3f9-1042-3")).toBe(1042);
    for (const text of [null, "", "1042-3", "a-b-c", "k3f9-1042-3-4"]) expect(positionOf(text)).toBeNull();
  });
});

describe("the chain", () => {
  it("goes on along prev", () => {
    const chain = new Chain();
    chain.start("j-40-0");
    // the account's event before the stream's beginning lies before it
    expect(chain.take(event("j-41-0", "j-3-2"))).toBe("next");
    expect(chain.take(event("j-41-1", "j-41-0"))).toBe("next");
    expect(chain.take(event("j-50-0", "j-41-1"))).toBe("next");
    expect(chain.lastId).toBe("j-50-0");
  });

  it("finds repeats", () => {
    const chain = new Chain();
    chain.start("j-40-5");
    for (const id of ["j-40-5", "j-40-4", "j-39-9"]) expect(chain.take(event(id, null))).toBe("repeat");
    expect(chain.take(event("j-40-6", "j-40-5"))).toBe("next");
    expect(chain.take(event("j-40-10", "j-40-6"))).toBe("next");
    expect(chain.take(event("j-40-9", "j-40-6"))).toBe("repeat");
  });

  it("finds a gap, tells it once, and goes on", () => {
    const chain = new Chain();
    chain.start("j-40-0");
    expect(chain.take(event("j-45-0", "j-43-1"))).toBe("gap");
    expect(chain.take(event("j-46-0", "j-45-0"))).toBe("next");
  });

  it("another journal's event, or one without an id, is a gap", () => {
    const chain = new Chain();
    chain.start("j-40-0");
    expect(chain.take(event("k-2-0", null))).toBe("gap");
    expect(chain.take(event("k-3-0", "k-2-0"))).toBe("next");
    expect(chain.take(event("", null))).toBe("gap");
  });

  it("begins with whatever comes when it does not know where it is", () => {
    const chain = new Chain();
    expect(chain.take(event("j-7-0", "j-5-0"))).toBe("next");
    expect(chain.take(event("j-9-0", "j-8-0"))).toBe("gap");
  });
});
