import { beforeEach, describe, expect, it } from "vitest";
import type { KisStatus, LinkStatus } from "../../../src/api/feed/protocol";
import { NoAnswer, Problem } from "../../../src/api/http";
import type { Decoded } from "../../../src/api/kis/layouts";
import { isLoopback, KisSocket, SILENT_MS, type Registration } from "../../../src/api/kis/socket";
import type { KisApproval } from "../../../src/api/types";
import { BOOK_FRAME, TRADE_FRAME } from "../../support/samples";
import { FakeSocket } from "../../support/socket";
import { FakeTime } from "../../support/time";

const APPROVAL: KisApproval = {
  approval_key: "key-1",
  url: null,
  mode: "simulator",
  layout: "new",
  registrations: 41,
};

let time: FakeTime;
let links: LinkStatus[];
let statuses: KisStatus[];
let records: Decoded[];
let approvals: (KisApproval | Error)[];
let asked: number;

function make(secure = false): KisSocket {
  return new KisSocket({
    approve: () => {
      asked += 1;
      const next = approvals.length > 1 ? approvals.shift() : approvals[0];
      return next instanceof Error ? Promise.reject(next) : Promise.resolve(next as KisApproval);
    },
    ownUrl: () => `${secure ? "wss" : "ws"}://exchange.test/tryitout`,
    secure,
    onRecords: (decoded) => records.push(decoded),
    onLink: (status) => links.push(status),
    onStatus: (status) => statuses.push(status),
    open: (url) => new FakeSocket(url),
    time,
    random: () => 0,
  });
}

const trades = (...keys: string[]): Registration[] => keys.map((key) => ({ tr: "H0STCNT0", key }));
const answer = (code: string, key = "005930", tr = "H0STCNT0", rt = "0") =>
  JSON.stringify({ header: { tr_id: tr, tr_key: key, encrypt: "N" }, body: { rt_cd: rt, msg_cd: code, msg1: "" } });
const requests = (socket: FakeSocket) =>
  socket.json.map((message) => {
    const { header, body } = message as {
      header: { tr_type: string; approval_key: string };
      body: { input: { tr_id: string; tr_key: string } };
    };
    return `${header.tr_type} ${body.input.tr_id} ${body.input.tr_key}`;
  });
const link = () => links.at(-1) as LinkStatus;
const status = () => statuses.at(-1) as KisStatus;

async function connected(kis: KisSocket): Promise<FakeSocket> {
  kis.start();
  await time.pass(0);
  FakeSocket.last.accept();
  FakeSocket.last.say(answer("OPSP0000"));
  return FakeSocket.last;
}

beforeEach(() => {
  FakeSocket.opened = [];
  time = new FakeTime();
  links = [];
  statuses = [];
  records = [];
  approvals = [APPROVAL];
  asked = 0;
});

describe("registering", () => {
  it("asks for what is wanted with the key that it was given", async () => {
    const kis = make();
    kis.want([...trades("005930"), { tr: "H0STASP0", key: "005930" }]);
    const socket = await connected(kis);
    expect(socket.url).toBe("ws://exchange.test/tryitout");
    expect(requests(socket)).toEqual(["1 H0STCNT0 005930", "1 H0STASP0 005930"]);
    expect((socket.json[0] as { header: unknown }).header).toEqual({
      approval_key: "key-1",
      custtype: "P",
      tr_type: "1",
      "content-type": "utf-8",
    });
    expect(link().state).toBe("live");
    expect(status()).toMatchObject({ mode: "simulator", used: 2, limit: 41, left_out: [] });
  });

  it("takes back what is no longer wanted before it asks for more", async () => {
    const kis = make();
    kis.want(trades("005930", "000660"));
    const socket = await connected(kis);
    socket.sent.length = 0;
    kis.want(trades("000660", "035420"));
    expect(requests(socket)).toEqual(["2 H0STCNT0 005930", "1 H0STCNT0 035420"]);
  });

  it("never asks for more than 41, and says what is left out", async () => {
    const kis = make();
    const keys = Array.from({ length: 45 }, (_, index) => String(index).padStart(6, "0"));
    kis.want(trades(...keys));
    const socket = await connected(kis);
    expect(requests(socket)).toHaveLength(41);
    expect(status()).toMatchObject({ used: 41, limit: 41, left_out: keys.slice(41) });
  });

  it("learns from the other side that there is less room", async () => {
    const kis = make();
    kis.want(trades("005930", "000660", "035420"));
    const socket = await connected(kis);
    socket.say(answer("OPSP0008", "035420", "H0STCNT0", "1"));
    expect(status()).toMatchObject({ used: 2, limit: 2, left_out: ["035420"] });
    expect(link().state).toBe("live");
  });

  it("drops a key that the other side does not know, and does not ask again", async () => {
    const kis = make();
    kis.want(trades("005930", "999999"));
    const socket = await connected(kis);
    socket.say(answer("OPSP8992", "999999", "H0STCNT0", "1"));
    kis.want(trades("005930", "999999", "000660"));
    expect(requests(socket)).toEqual(["1 H0STCNT0 005930", "1 H0STCNT0 999999", "1 H0STCNT0 000660"]);
    expect(status().left_out).toEqual(["999999"]);
  });

  it("leaves time between requests to the real service", async () => {
    approvals = [{ ...APPROVAL, mode: "mock", url: "ws://ops.kis.test:31000" }];
    const kis = make();
    kis.want(trades("005930", "000660", "035420"));
    const socket = await connected(kis);
    expect(socket.url).toBe("ws://ops.kis.test:31000");
    expect(requests(socket)).toHaveLength(1);
    await time.pass(60);
    expect(requests(socket)).toHaveLength(2);
    await time.pass(60);
    expect(requests(socket)).toHaveLength(3);
  });
});

describe("hearing", () => {
  it("answers PINGPONG with the same text", async () => {
    const kis = make();
    const socket = await connected(kis);
    const ping = '{"header":{"tr_id":"PINGPONG","datetime":"20261123101530"}}';
    socket.say(ping);
    expect(socket.sent.at(-1)).toBe(ping);
  });

  it("takes data before the answer to its request, as text and as bytes", async () => {
    const kis = make();
    kis.start();
    await time.pass(0);
    FakeSocket.last.accept();
    FakeSocket.last.say(TRADE_FRAME);
    const bytes = new TextEncoder().encode(BOOK_FRAME);
    FakeSocket.last.say(bytes.buffer as ArrayBuffer);
    expect(records.map(({ tr }) => tr)).toEqual(["H0STCNT0", "H0STASP0"]);
    expect(link().state).toBe("live");
  });

  it("counts broken frames and goes on", async () => {
    const kis = make();
    const socket = await connected(kis);
    socket.say("0|H0STCNT0|001|005930^1");
    socket.say("0|H0XXXXX0|001|x");
    socket.say("{half a mess");
    socket.say(new Uint8Array([0x30, 0x7c, 0xff, 0xfe]).buffer);
    socket.say(TRADE_FRAME);
    expect(status().broken).toEqual({ bad_width: 1, unknown_tr: 1, not_a_frame: 1, not_utf8: 1 });
    expect(records).toHaveLength(1);
    expect(link().state).toBe("live");
  });

  it("calls nothing live after silence, and hangs up on a dead connection", async () => {
    const kis = make();
    const socket = await connected(kis);
    await time.pass(SILENT_MS.simulator - 1);
    expect(link().state).toBe("live");
    await time.pass(1);
    expect(link()).toMatchObject({ state: "silent", reason: "lost" });
    await time.pass(SILENT_MS.simulator);
    expect(socket.closed).toBe(true);
    expect(link().state).toBe("waiting");
  });

  it("is live again when the silence ends", async () => {
    const kis = make();
    const socket = await connected(kis);
    await time.pass(SILENT_MS.simulator);
    expect(link().state).toBe("silent");
    socket.say(TRADE_FRAME);
    expect(link().state).toBe("live");
    await time.pass(SILENT_MS.simulator - 1000);
    expect(link().state).toBe("live");
  });

  it("hears nothing from a socket that it let go", async () => {
    const kis = make();
    const first = await connected(kis);
    kis.restart();
    await time.pass(0);
    first.say(TRADE_FRAME);
    first.hangUp();
    expect(records).toEqual([]);
    expect(FakeSocket.opened).toHaveLength(2);
    expect(link().state).toBe("connecting");
  });

  it("begins anew only when the old connection has ended, or seems to never end", async () => {
    const kis = make();
    const first = await connected(kis);
    kis.restart();
    await time.pass(1000);
    expect(first.closed).toBe(true);
    expect(FakeSocket.opened).toHaveLength(1);
    expect(link().state).toBe("connecting");
    await time.pass(1000);
    expect(FakeSocket.opened).toHaveLength(2);
    first.hangUp();
    FakeSocket.last.accept();
    FakeSocket.last.say(answer("OPSP0000"));
    await time.pass(1000);
    expect(FakeSocket.opened).toHaveLength(2);
    expect(link().state).toBe("live");
  });
});

describe("coming back", () => {
  it("waits longer each time, with the same key, and registers everything again", async () => {
    const kis = make();
    kis.want(trades("005930"));
    await connected(kis);
    for (const wait of [500, 1000, 2000, 4000, 8000, 15000, 15000]) {
      FakeSocket.last.hangUp();
      expect(link()).toMatchObject({ state: "waiting", retryAt: time.now() + wait });
      await time.pass(wait);
    }
    expect(asked).toBe(1);
    FakeSocket.last.accept();
    expect(requests(FakeSocket.last)).toEqual(["1 H0STCNT0 005930"]);
  });

  it("says that a socket that closes every ten seconds keeps closing", async () => {
    const kis = make();
    kis.start();
    await time.pass(0);
    for (let turn = 0; turn < 3; turn += 1) {
      FakeSocket.last.accept();
      FakeSocket.last.say(answer("OPSP0000"));
      await time.pass(10_000);
      FakeSocket.last.hangUp();
      const { retryAt } = link();
      if (turn < 2) {
        expect(link().reason).toBe("lost");
        await time.pass((retryAt ?? 0) - time.now());
      }
    }
    expect(link()).toMatchObject({ state: "waiting", reason: "flapping", closes: 3 });
  });

  it("begins the waits anew after a connection that lasted", async () => {
    const kis = make();
    await connected(kis);
    FakeSocket.last.hangUp();
    await time.pass(500);
    FakeSocket.last.accept();
    FakeSocket.last.say(answer("OPSP0000"));
    await time.pass(16_000);
    FakeSocket.last.hangUp();
    expect(link()).toMatchObject({ attempt: 1, retryAt: time.now() + 500 });
  });

  it("gets a new key when its own is unknown or superseded", async () => {
    approvals = [APPROVAL, { ...APPROVAL, approval_key: "key-2" }];
    const kis = make();
    kis.want(trades("005930"));
    kis.start();
    await time.pass(0);
    FakeSocket.last.accept();
    FakeSocket.last.say(answer("OPSP0011", "005930", "H0STCNT0", "1"));
    expect(link()).toMatchObject({ state: "waiting", reason: "key_superseded" });
    await time.pass(500);
    expect(asked).toBe(2);
    FakeSocket.last.accept();
    expect((FakeSocket.last.json[0] as { header: { approval_key: string } }).header.approval_key).toBe("key-2");
  });

  it("does not wait long for a new key after a server that was away for long, nor ask in a circle", async () => {
    const kis = make();
    await connected(kis);
    for (let turn = 0; turn < 7; turn += 1) {
      FakeSocket.last.hangUp();
      await time.pass(15_000);
    }
    const refuse = () => {
      FakeSocket.last.accept();
      FakeSocket.last.say(answer("OPSP0011", "005930", "H0STCNT0", "1"));
    };
    for (const wait of [500, 1000, 2000, 4000]) {
      refuse();
      expect(link()).toMatchObject({ reason: "key_superseded", retryAt: time.now() + wait });
      await time.pass(wait);
    }
  });

  it("leaves a key that is in use alone for long", async () => {
    const kis = make();
    kis.start();
    await time.pass(0);
    const refuse = () => {
      FakeSocket.last.accept();
      FakeSocket.last.say(
        '{"header":{"tr_id":"(null)","tr_key":"","encrypt":"N"},"body":{"rt_cd":"9","msg_cd":"OPSP8996","msg1":"ALREADY IN USE appkey"}}',
      );
    };
    for (const wait of [20_000, 40_000, 80_000, 120_000, 120_000]) {
      refuse();
      expect(link()).toMatchObject({ state: "waiting", reason: "in_use", retryAt: time.now() + wait });
      await time.pass(wait);
    }
    expect(asked).toBe(1);
  });

  it("connects at once when it is asked to", async () => {
    const kis = make();
    await connected(kis);
    FakeSocket.last.hangUp();
    expect(FakeSocket.opened).toHaveLength(1);
    kis.retry();
    await time.pass(0);
    expect(FakeSocket.opened).toHaveLength(2);
    expect(link()).toMatchObject({ state: "connecting", retryAt: null });
    await time.pass(60_000);
    expect(FakeSocket.opened).toHaveLength(2);
  });

  it("stops for good", async () => {
    const kis = make();
    await connected(kis);
    FakeSocket.last.hangUp();
    kis.stop();
    await time.pass(60_000);
    expect(FakeSocket.opened).toHaveLength(1);
    expect(link().state).toBe("off");
  });
});

describe("approval", () => {
  const refusal = (status: number, code: string) => new Problem({ status, code, detail: code });

  it("waits for a server that does not answer, and for one that is busy", async () => {
    approvals = [new NoAnswer("gone"), refusal(503, "kis_unavailable"), APPROVAL];
    const kis = make();
    kis.start();
    await time.pass(0);
    expect(link()).toMatchObject({ state: "waiting", reason: "lost", attempt: 1 });
    await time.pass(500);
    expect(link()).toMatchObject({ state: "waiting", reason: "lost", attempt: 2 });
    await time.pass(1000);
    expect(FakeSocket.opened).toHaveLength(1);
  });

  it("says when the host does not share its key", async () => {
    approvals = [refusal(403, "kis_not_shared")];
    const kis = make();
    kis.start();
    await time.pass(0);
    expect(link()).toMatchObject({ state: "waiting", reason: "no_approval", retryAt: time.now() + 30_000 });
    expect(FakeSocket.opened).toHaveLength(0);
  });

  it("does not try ws:// from an https page, except to this machine", async () => {
    approvals = [{ ...APPROVAL, mode: "live", url: "ws://ops.kis.test:21000" }];
    const kis = make(true);
    kis.start();
    await time.pass(0);
    expect(link()).toMatchObject({ state: "refused", reason: "mixed_content", retryAt: null });
    expect(FakeSocket.opened).toHaveLength(0);
    expect(["ws://127.0.0.1:1", "ws://localhost", "ws://[::1]:2/", "ws://127.evil.test"].map(isLoopback)).toEqual([
      true,
      true,
      true,
      false,
    ]);
  });
});
