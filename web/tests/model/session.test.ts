import { beforeEach, describe, expect, it } from "vitest";
import { Exchange } from "../../src/api/exchange";
import { Http, NoAnswer } from "../../src/api/http";
import { WORDS } from "../../src/model/messages";
import { Session, wrongName, wrongPassword } from "../../src/model/session";

const USER = { user_id: 1, name: "김철수", account_id: 5, scopes: [], via: "session", csrf_token: "token" };

let answers: Record<string, () => Response | Error>;
let calls: string[];
let http: Http;
let session: Session;

beforeEach(() => {
  answers = {};
  calls = [];
  http = new Http({
    fetch: (url, init) => {
      const call = `${init.method} ${url}`;
      calls.push(call);
      const result = answers[call]?.() ?? new TypeError("away");
      return result instanceof Error ? Promise.reject(result) : Promise.resolve(result);
    },
  });
  session = new Session(new Exchange(http));
});

const refuse = (status: number, code: string) => () => Response.json({ code, detail: code }, { status });

describe("who one is", () => {
  it("is asked for; nobody is not an error", async () => {
    answers["GET /v1/session"] = () => Response.json(USER);
    await session.check();
    expect(session.accountId).toBe(5);
    expect(http.csrfToken).toBe("token");
    answers["GET /v1/session"] = refuse(401, "session_ended");
    await session.check();
    expect(session.state.get()).toEqual({ kind: "out", ended: true });
    expect(http.csrfToken).toBeNull();
    await session.check();
    expect(session.state.get()).toEqual({ kind: "out", ended: false });
  });

  it("stays unknown while the server cannot be reached", async () => {
    await expect(session.check()).rejects.toBeInstanceOf(NoAnswer);
    expect(session.state.get()).toEqual({ kind: "unknown" });
  });
});

describe("signing up and logging in", () => {
  it("is one step", async () => {
    answers["POST /v1/users"] = () => Response.json({ user_id: 1 }, { status: 201 });
    answers["POST /v1/session"] = () => Response.json(USER, { status: 201 });
    expect(await session.signUp("김철수", "long enough")).toBeNull();
    expect(session.state.get()).toMatchObject({ kind: "in", user: { name: "김철수" } });
  });

  it("says what is wrong before anything is sent", async () => {
    expect(await session.signUp("김", "long enough")).toEqual({ key: "session.name_short" });
    expect(await session.signUp("김 철수", "long enough")).toEqual({ key: "session.name_letters" });
    expect(await session.signUp("김철수", "short")).toEqual({ key: "session.password_short" });
    expect(wrongPassword("가".repeat(100))).toEqual({ key: "session.password_long" });
    expect([wrongName("a.b_c-1"), wrongName("😀".repeat(4)), wrongName("x".repeat(33))]).toEqual([
      null,
      { key: "session.name_letters" },
      { key: "session.name_short" },
    ]);
    expect(calls).toEqual([]);
  });

  it("is refused in words", async () => {
    answers["POST /v1/users"] = refuse(409, "name_taken");
    answers["POST /v1/session"] = refuse(401, "wrong_password");
    const taken = await session.signUp("김철수", "long enough");
    expect(taken && WORDS.ko.say(taken)).toBe("이미 쓰이는 이름입니다.");
    const wrong = await session.logIn("김철수", "nonsense");
    expect(wrong && WORDS.en.say(wrong)).toBe("The name or the password is wrong.");
    delete answers["POST /v1/session"];
    const away = await session.logIn("김철수", "nonsense");
    expect(away && WORDS.ko.say(away)).toBe("서버에 닿지 못했습니다. 연결을 확인해 주세요.");
  });
});

describe("logging out", () => {
  it("ends the session here even if it had ended there", async () => {
    answers["POST /v1/session"] = () => Response.json(USER, { status: 201 });
    await session.logIn("김철수", "long enough");
    answers["DELETE /v1/session"] = refuse(401, "session_ended");
    expect(await session.logOut()).toBeNull();
    expect(session.state.get().kind).toBe("out");
  });

  it("is not done while the server cannot be reached: the cookie would still hold", async () => {
    answers["POST /v1/session"] = () => Response.json(USER, { status: 201 });
    await session.logIn("김철수", "long enough");
    expect(await session.logOut()).toEqual({ key: "refused.network" });
    expect(session.state.get().kind).toBe("in");
  });
});
