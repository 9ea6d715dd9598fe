"""Sign-up, sessions and keys over real sockets, with the real engine and the real database."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from structlog.testing import capture_logs

from onseju.contract.commands import Request as ExchangeRequest
from onseju.contract.commands import RollDay
from onseju.gateway import keys, users
from onseju.gateway.openings import ensure_account, finish_openings
from tests.unit.gateway.served import PASSWORD, Served, Venue


@pytest.fixture
def server(venue: Venue) -> Iterator[Served]:
    with venue.served(users.operations, keys.operations) as served:
        yield served


def sign_up(client: httpx.Client, name: str, password: str = PASSWORD) -> httpx.Response:
    return client.post("/v1/users", json={"name": name, "password": password})


def log_in(client: httpx.Client, name: str, password: str = PASSWORD) -> dict[str, Any]:
    """Log in, and send the cookie and the CSRF token from now on."""
    answer = client.post("/v1/session", json={"name": name, "password": password})
    assert answer.status_code == 201, answer.text
    client.headers["Cookie"] = answer.headers["set-cookie"].partition(";")[0]
    client.headers["X-CSRF-Token"] = answer.json()["csrf_token"]
    content: dict[str, Any] = answer.json()
    return content


def test_signing_up_opens_an_account_with_money_and_shares(venue: Venue, server: Served) -> None:
    with server.client() as client:
        first = sign_up(client, "김철수")
        second = sign_up(client, "lee")
    assert (first.status_code, second.status_code) == (201, 201)
    assert first.json() == {"user_id": 1, "name": "김철수", "account_id": 1, "seq": int(first.headers["onseju-seq"])}
    assert second.json()["account_id"] == 2
    for number in (1, 2):
        account = venue.bus.engine.account(number)
        assert account.cash == 1_000_000
        held = {instrument.id: 3 for instrument in venue.bus.market.directory.all()}
        assert {number: position.qty for number, position in account.positions.items()} == held
    assert venue.bus.engine.account(1).position(1).cost_amount == 3 * 98_500


@pytest.mark.parametrize(
    ("body", "field", "code"),
    [
        ({"name": "a", "password": PASSWORD}, "name", "invalid_name"),
        ({"name": "a b", "password": PASSWORD}, "name", "invalid_name"),
        ({"name": "x" * 300, "password": PASSWORD}, "name", "invalid"),
        ({"name": "kim", "password": "short"}, "password", "invalid_password"),
        ({"name": "kim", "password": "가" * 100}, "password", "invalid_password"),
        ({"name": "kim"}, "password", "missing"),
        ({"name": 7, "password": PASSWORD}, "name", "invalid"),
        ({"name": "kim", "password": PASSWORD, "kind": "admin"}, "kind", "unknown"),
    ],
)
def test_sign_ups_that_cannot_be(venue: Venue, server: Served, body: Any, field: str, code: str) -> None:
    before = venue.bus.last_seq
    with server.client() as client:
        answer = client.post("/v1/users", json=body)
    assert answer.status_code == 400
    assert [(error["field"], error["code"]) for error in answer.json()["errors"]] == [(field, code)]
    assert venue.bus.last_seq == before


def test_a_taken_name_is_refused_whatever_its_case(venue: Venue, server: Served) -> None:
    with server.client() as client:
        assert sign_up(client, "Dragon").status_code == 201
        before = venue.bus.last_seq
        for password in (PASSWORD, "another password"):
            answer = sign_up(client, "dRAGON", password)
            assert (answer.status_code, answer.json()["code"]) == (409, "name_taken")
    assert venue.bus.last_seq == before


def test_sign_up_can_be_closed(tmp_path: Path) -> None:
    venue = Venue(tmp_path, sign_up="closed")
    try:
        with venue.served(users.operations) as server, server.client() as client:
            answer = sign_up(client, "kim")
            assert (answer.status_code, answer.json()["code"]) == (403, "sign_up_closed")
    finally:
        venue.close()


@pytest.mark.parametrize("applied", [0, 1, 2, 7, 11])
def test_a_sign_up_cut_short_anywhere_is_finished_by_the_next_try(venue: Venue, server: Served, applied: int) -> None:
    with server.client() as client:
        venue.bus.busy_after = applied
        cut = sign_up(client, "kim")
        venue.bus.busy_after = None
        assert (cut.status_code, cut.json()["code"], cut.headers["retry-after"]) == (503, "overloaded", "1")
        stranger = sign_up(client, "kim", "not the password")
        assert stranger.status_code == 409
        if applied % 2:
            assert sign_up(client, "kim").status_code == 201
        log_in(client, "kim")
    account = venue.bus.engine.account(1)
    assert account.cash == 1_000_000
    assert [position.qty for position in account.positions.values()] == [3] * 10


def test_unfinished_openings_are_finished_at_the_start_even_after_base_prices_moved(
    venue: Venue, server: Served
) -> None:
    with server.client() as client:
        venue.bus.busy_after = 5
        assert sign_up(client, "kim").status_code == 503
        venue.bus.busy_after = None
    venue.bus.apply(ExchangeRequest(RollDay(trading_day=20261124)))
    asyncio.run(_finish(venue))
    account = venue.bus.engine.account(1)
    assert (account.cash, len(account.positions)) == (1_000_000, 10)


async def _finish(venue: Venue) -> None:
    assert await finish_openings(venue.gateway) == 1
    assert await finish_openings(venue.gateway) == 0


def test_an_opening_that_is_refused_does_not_stop_the_others(venue: Venue, server: Served) -> None:
    venue.settings.starting_cash = 2**63 - 1
    with server.client() as client:
        refused = sign_up(client, "kim")
        assert (refused.status_code, refused.json()["code"]) == (422, "amount_too_large")
        venue.bus.busy_after = 0
        assert sign_up(client, "lee").status_code == 503
        venue.bus.busy_after = None
        with capture_logs() as logs:
            venue.settings.starting_cash = 5
            assert asyncio.run(finish_openings(venue.gateway)) == 1
        assert [(entry["event"], entry.get("reason")) for entry in logs] == [
            ("account not opened", "amount_too_large"),
            ("account opened late", None),
        ]
        answer = client.post("/v1/session", json={"name": "kim", "password": PASSWORD})
        assert (answer.status_code, answer.json()["code"]) == (422, "amount_too_large")
        for day in (20261124, 20261125):
            venue.bus.apply(ExchangeRequest(RollDay(trading_day=day)))
        log_in(client, "kim")
    assert [venue.bus.engine.account(number).cash for number in (1, 2)] == [5, 5]


def test_numbers_that_the_exchange_gave_to_others_are_left_alone(venue: Venue, tmp_path: Path) -> None:
    """The identity database was lost, the journal was not."""

    async def fill() -> None:
        for number in range(30):
            await ensure_account(venue.gateway, f"old-{number}", cash=7, holdings={})

    asyncio.run(fill())
    (tmp_path / "new").mkdir()
    other = Venue(tmp_path / "new")
    other.bus = venue.bus
    other.gateway.commands = venue.bus
    try:
        with other.served(users.operations) as server, server.client() as client:
            answer = sign_up(client, "kim")
            assert answer.status_code == 201
            number = answer.json()["account_id"]
            assert number > 30
            log_in(client, "kim")
            assert client.get("/v1/session").json()["account_id"] == number
        assert [venue.bus.engine.account(old).cash for old in range(1, 31)] == [7] * 30
        assert venue.bus.engine.account(number).cash == 1_000_000
    finally:
        other.close()


def test_a_session_from_log_in_to_log_out(server: Served) -> None:
    with server.client() as client:
        sign_up(client, "kim")
        assert client.get("/v1/session").json()["code"] == "unauthenticated"
        wrong = client.post("/v1/session", json={"name": "kim", "password": "wrong password"})
        unknown = client.post("/v1/session", json={"name": "nobody", "password": "wrong password"})
        assert (wrong.status_code, wrong.json()["code"]) == (401, "wrong_password")
        assert (unknown.status_code, unknown.json()["code"]) == (401, "wrong_password")
        answer = client.post("/v1/session", json={"name": "KIM", "password": PASSWORD})
        name_value, _, marks = answer.headers["set-cookie"].partition("; ")
        assert name_value.startswith("__Host-onseju=")
        assert marks == "Path=/; Max-Age=604800; HttpOnly; SameSite=Strict; Secure"
        token = log_in(client, "kim")["csrf_token"]
        me = client.get("/v1/session").json()
        assert me == {
            "user_id": 1,
            "name": "kim",
            "account_id": 1,
            "scopes": ["read", "trade"],
            "via": "session",
            "csrf_token": token,
        }
        del client.headers["X-CSRF-Token"]
        answer = client.delete("/v1/session")
        assert (answer.status_code, answer.json()["code"]) == (403, "csrf_failed")
        answer = client.delete("/v1/session", headers={"X-CSRF-Token": token})
        assert answer.status_code == 204
        assert "Max-Age=0" in answer.headers["set-cookie"]
        ended = client.get("/v1/session")
        assert (ended.status_code, ended.json()["code"]) == (401, "session_ended")
        assert client.delete("/v1/session").status_code == 204


def test_logging_in_again_ends_the_session_before(server: Served) -> None:
    with server.client() as client:
        sign_up(client, "kim")
        log_in(client, "kim")
        old = client.headers["Cookie"]
        log_in(client, "kim")
        assert client.get("/v1/session").status_code == 200
        assert client.get("/v1/session", headers={"Cookie": old}).status_code == 401


def test_plain_http_away_from_this_machine(tmp_path: Path) -> None:
    for allowed in (False, True):
        directory = tmp_path / str(allowed)
        directory.mkdir()
        venue = Venue(directory, allow_plain_http=allowed, allowed_hosts=["class.example"])
        try:
            with venue.served(users.operations) as server, server.client(headers={"Host": "class.example"}) as client:
                sign_up(client, "kim")
                answer = client.post("/v1/session", json={"name": "kim", "password": PASSWORD})
                if not allowed:
                    assert answer.status_code == 403
                    assert "--allow-plain-http" in answer.json()["detail"]
                    continue
                cookie = answer.headers["set-cookie"]
                assert cookie.startswith("onseju=")
                assert "HttpOnly; SameSite=Strict" in cookie
                assert "Secure" not in cookie
                name_value = cookie.partition(";")[0]
                assert client.get("/v1/session", headers={"Cookie": name_value}).status_code == 200
                renamed = name_value.replace("onseju", "__Host-onseju")
                assert client.get("/v1/session", headers={"Cookie": renamed}).status_code == 401
        finally:
            venue.close()


def test_log_ins_are_limited_by_address(tmp_path: Path) -> None:
    venue = Venue(tmp_path, login_rate_per_min=3)
    try:
        with venue.served(users.operations) as server, server.client() as client:
            codes = [client.post("/v1/session", json={"name": "x1", "password": "y" * 8}).status_code for _ in range(5)]
            assert codes == [401, 401, 401, 429, 429]
            answer = client.post("/v1/session", json={"name": "x1", "password": "y" * 8})
            assert 1 <= int(answer.headers["retry-after"]) <= 20
            assert answer.json()["retryable"] is True
    finally:
        venue.close()


def test_keys_from_making_to_revoking(server: Served) -> None:
    with server.client() as client, server.client() as bot:
        sign_up(client, "kim")
        log_in(client, "kim")
        made = client.post("/v1/api-keys", json={"name": "bot", "scopes": ["read"]})
        assert made.status_code == 201
        key = made.json()
        assert key["api_key"].partition(".")[0] == key["key_id"]
        bot.headers["Authorization"] = f"Bearer {key['api_key']}"
        me = bot.get("/v1/session").json()
        assert (me["via"], me["scopes"], me["csrf_token"]) == ("key", ["read"], None)
        listed = bot.get("/v1/api-keys").json()["keys"]
        assert [(row["key_id"], row["name"], row["scopes"]) for row in listed] == [(key["key_id"], "bot", ["read"])]
        assert key["api_key"].partition(".")[2] not in bot.get("/v1/api-keys").text
        assert bot.post("/v1/api-keys", json={"name": "more"}).json()["code"] == "forbidden"
        assert client.delete("/v1/api-keys/unknown").status_code == 404
        assert client.delete(f"/v1/api-keys/{key['key_id']}").status_code == 204
        assert bot.get("/v1/session").status_code == 401
        assert client.delete(f"/v1/api-keys/{key['key_id']}").status_code == 404


def test_nobody_can_touch_anothers_keys(server: Served) -> None:
    with server.client() as kim, server.client() as lee:
        for client, name in ((kim, "kim"), (lee, "lee")):
            sign_up(client, name)
            log_in(client, name)
        key = kim.post("/v1/api-keys", json={"name": "bot"}).json()
        assert lee.get("/v1/api-keys").json() == {"keys": []}
        assert lee.delete(f"/v1/api-keys/{key['key_id']}").status_code == 404
        assert len(kim.get("/v1/api-keys").json()["keys"]) == 1


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"name": "bot", "scopes": ["read", "admin"]}, 403),
        ({"name": "bot", "scopes": ["fly"]}, 400),
        ({"name": "bot", "scopes": []}, 400),
        ({"name": "", "scopes": ["read"]}, 400),
        ({"name": "x" * 65, "scopes": ["read"]}, 400),
        ({"name": "a\nb", "scopes": ["read"]}, 400),
        ({"scopes": ["read"]}, 400),
    ],
)
def test_keys_that_cannot_be(server: Served, body: Any, status: int) -> None:
    with server.client() as client:
        sign_up(client, "kim")
        log_in(client, "kim")
        assert client.post("/v1/api-keys", json=body).status_code == status
        assert client.get("/v1/api-keys").json() == {"keys": []}


def test_wrong_passwords_for_one_name_are_limited_from_wherever_they_come(tmp_path: Path) -> None:
    """Right ones do not count, and another name is not held up."""
    venue = Venue(tmp_path, wrong_passwords_per_hour=3)
    try:
        with venue.served(users.operations) as server, server.client() as client:
            for name in ("kim", "lee"):
                assert client.post("/v1/users", json={"name": name, "password": PASSWORD}).status_code == 201
            right, wrong = {"name": "kim", "password": PASSWORD}, {"name": "KIM", "password": "wrong password"}
            for _ in range(3):
                assert client.post("/v1/session", json=right).status_code == 201
                refused = client.post("/v1/session", json=wrong)
                assert (refused.status_code, refused.json()["code"]) == (401, "wrong_password")
            for body in (wrong, right):
                limited = client.post("/v1/session", json=body)
                assert (limited.status_code, limited.json()["code"]) == (429, "rate_limited")
                assert int(limited.headers["Retry-After"]) >= 60
            assert client.post("/v1/session", json={"name": "lee", "password": PASSWORD}).status_code == 201
    finally:
        venue.close()
