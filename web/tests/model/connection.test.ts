import { beforeEach, describe, expect, it } from "vitest";
import type { KisStatus, LinkStatus } from "../../src/api/feed/protocol";
import { Connection } from "../../src/model/connection";
import { WORDS } from "../../src/model/messages";

const NOW = 1_000_000;
let now: number;
let connection: Connection;

const link = (changes: Partial<LinkStatus>): LinkStatus => ({
  name: "account",
  state: "live",
  reason: null,
  attempt: 0,
  retryAt: null,
  heardAt: NOW,
  closes: 0,
  ...changes,
});
const kis = (changes: Partial<KisStatus> = {}): KisStatus => ({
  mode: "simulator",
  used: 12,
  limit: 41,
  left_out: [],
  frames: 1,
  broken: {},
  ...changes,
});
const sentence = () => WORDS.ko.say(connection.view.get().sentence);
const kisSentence = () => WORDS.ko.say(connection.view.get().kis.sentence);

beforeEach(() => {
  now = NOW;
  connection = new Connection(() => now);
  connection.setLoggedIn(true);
});

describe("the exchange", () => {
  it("is live when the account's stream and the book are", () => {
    expect(connection.view.get()).toMatchObject({ state: "connecting", maySend: false });
    connection.takeLink(link({}));
    connection.takeLink(link({ name: "book" }));
    expect(connection.view.get()).toMatchObject({ state: "live", maySend: true });
    expect(sentence()).toBe("실시간");
  });

  it("counts down, and says which try it is", () => {
    connection.takeLink(link({ state: "waiting", reason: "lost", attempt: 4, retryAt: NOW + 2500 }));
    expect(sentence()).toBe("연결이 끊겼습니다. 3초 뒤 다시 연결합니다 (4번째).");
    expect(connection.counting).toBe(true);
    now += 1000;
    connection.tick();
    expect(connection.view.get().seconds).toBe(2);
    connection.takeLink(link({ state: "connecting", attempt: 4 }));
    expect(sentence()).toBe("연결이 끊겼습니다. 지금 다시 연결합니다 (4번째).");
    expect(connection.view.get().maySend).toBe(false);
  });

  it("an ended session is told as such", () => {
    connection.takeLink(link({ state: "refused", reason: "session_ended" }));
    expect(sentence()).toBe("로그인이 끝났습니다. 다시 로그인해 주세요.");
  });

  it("without a log-in only the book counts", () => {
    connection.setLoggedIn(false);
    connection.takeLink(link({ name: "book" }));
    expect(connection.view.get()).toMatchObject({ state: "live", maySend: false });
  });

  it("tells no change where there is none", () => {
    connection.takeLink(link({}));
    let told = 0;
    connection.view.subscribe(() => (told += 1));
    connection.takeLink(link({ heardAt: NOW + 1 }));
    connection.tick();
    expect(told).toBe(1);
  });

  it("remembers the newest command", () => {
    connection.heard(5);
    connection.heard(3);
    expect(connection.lastSeq.get()).toBe(5);
  });
});

describe("KIS", () => {
  const at = (changes: Partial<LinkStatus>, status: Partial<KisStatus> = {}) => {
    connection.takeKis(kis(status));
    connection.takeLink(link({ name: "kis", ...changes }));
    return kisSentence();
  };

  it("says in words how it is", () => {
    expect(at({})).toBe("KIS 시세 실시간 12/41");
    expect(at({}, { left_out: ["999999"] })).toMatch(/41건까지만/);
    now += 26_000;
    expect(at({ state: "silent", reason: "lost" })).toBe(
      "KIS에서 26초 동안 소식이 없습니다. 보이는 가격은 실시간이 아닙니다.",
    );
    expect(at({ state: "waiting", reason: "lost", attempt: 2, retryAt: now + 1000 })).toMatch(/1초 뒤.*2번째/);
    expect(at({ state: "waiting", reason: "flapping", closes: 5, retryAt: now + 8000 })).toMatch(/자꾸.*5번.*8초/);
    expect(at({ state: "waiting", reason: "in_use", retryAt: now + 20_000 })).toMatch(/같은 KIS 키.*20초/);
    expect(at({ state: "waiting", reason: "key_superseded" })).toMatch(/새로 받고/);
    expect(at({ state: "waiting", reason: "no_approval" })).toMatch(/접속키를 받지 못했/);
    expect(at({ state: "connecting" })).toMatch(/연결하는 중/);
    expect(at({ state: "off" })).toMatch(/아직 받지 않/);
  });

  it("is live only when its link is", () => {
    at({});
    expect(connection.view.get().kis.live).toBe(true);
    at({ state: "silent" });
    expect(connection.view.get().kis.live).toBe(false);
  });

  it("cannot be reached from https", () => {
    connection.setSecure(true);
    expect(at({ state: "refused", reason: "mixed_content" })).toMatch(/https/);
  });

  it("needs a log-in", () => {
    connection.setLoggedIn(false);
    expect(kisSentence()).toBe("로그인하면 실시간 시세를 받습니다.");
  });
});
