"""Two gateways on one PostgreSQL, over real ports: who is who, what was used up and what has ended is the same at both."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from onseju.gateway import keys, users
from onseju.scaled.postgres_server import PostgresServer
from tests.servers import NewDatabase
from tests.unit.gateway.served import PASSWORD, Served, Venue
from tests.unit.gateway.test_signing import a_key, log_in, signed

WITHIN_S = 20.0
TRIES = 3


def two(directory: Path, url: str) -> Iterator[tuple[Served, Served]]:
    one = Venue(directory, database=url, wrong_passwords_per_hour=TRIES)
    other = Venue(directory, database=url, bus=one.bus, wrong_passwords_per_hour=TRIES)
    with (
        one.served(users.operations, keys.operations) as first,
        other.served(users.operations, keys.operations) as second,
    ):
        yield first, second
    one.close()
    other.close()


@pytest.fixture
def pair(tmp_path: Path, new_database: NewDatabase) -> Iterator[tuple[Served, Served]]:
    yield from two(tmp_path, new_database())


def answer(server: Served, key: str) -> httpx.Response:
    with server.client(headers={"Authorization": f"Bearer {key}"}) as bot:
        return bot.get("/v1/session")


def until_refused(server: Served, headers: dict[str, str]) -> None:
    end = time.monotonic() + WITHIN_S
    with server.client(headers=headers) as client:
        while client.get("/v1/session").status_code == 200:
            assert time.monotonic() < end
            time.sleep(0.01)


def test_a_key_and_a_session_of_one_gateway_open_the_other_until_they_end(pair: tuple[Served, Served]) -> None:
    one, other = pair
    key = a_key(one, "bearer")
    assert answer(other, key).status_code == 200
    with one.client() as client:
        csrf = log_in(client, "alice")
        cookie = {"Cookie": client.headers["Cookie"]}
        with other.client(headers=cookie) as elsewhere:
            assert elsewhere.get("/v1/session").json()["csrf_token"] == csrf
        csrf_header = {"X-CSRF-Token": csrf}
        assert client.delete(f"/v1/api-keys/{key.partition('.')[0]}", headers=csrf_header).status_code == 204
        until_refused(other, {"Authorization": f"Bearer {key}"})
        assert client.delete("/v1/session", headers=csrf_header).status_code == 204
        until_refused(other, cookie)


def test_signed_bytes_work_once_at_either_gateway(pair: tuple[Served, Served]) -> None:
    one, other = pair
    key = a_key(one)
    headers = signed(key, "GET", "/v1/session")
    with one.client() as first, other.client() as second:
        assert first.get("/v1/session", headers=headers).status_code == 200
        again = second.get("/v1/session", headers=headers)
        assert (again.status_code, again.json()["code"]) == (401, "nonce_used")
        assert second.get("/v1/session", headers=signed(key, "GET", "/v1/session")).status_code == 200


def test_guessing_is_no_faster_at_two_gateways_than_at_one(pair: tuple[Served, Served]) -> None:
    with pair[0].client() as first, pair[1].client() as second:
        for name in ("kim", "lee"):
            assert first.post("/v1/users", json={"name": name, "password": PASSWORD}).status_code == 201
        for _ in range(TRIES * 2):  # right ones use up nothing
            assert second.post("/v1/session", json={"name": "kim", "password": PASSWORD}).status_code == 201
        wrong = {"name": "Kim", "password": "wrong password"}
        codes = [(first, second)[n % 2].post("/v1/session", json=wrong).json()["code"] for n in range(TRIES + 2)]
        assert codes == ["wrong_password"] * TRIES + ["rate_limited"] * 2
        right = second.post("/v1/session", json={"name": "kim", "password": PASSWORD})
        assert (right.status_code, right.headers["Retry-After"]) == (429, "60")
        assert second.post("/v1/session", json={"name": "lee", "password": PASSWORD}).status_code == 201


@pytest.mark.once
def test_a_lost_server_is_a_refusal_that_says_so_and_then_all_goes_on(tmp_path: Path, open_folder: Path) -> None:
    server = PostgresServer(open_folder / "gateways")
    server.start()
    try:
        for one, other in two(tmp_path, server.url):
            key = a_key(one, "bearer")
            server.kill()
            sign_up = {"name": "second", "password": PASSWORD}
            with one.client() as client:
                for path in ("/v1/users", "/v1/session"):
                    refused = client.post(path, json=sign_up)
                    assert (refused.status_code, refused.json()["code"]) == (503, "users_unavailable"), refused.text
                    assert refused.headers["Retry-After"]
            refused = answer(other, key)
            assert (refused.status_code, refused.json()["code"]) == (503, "users_unavailable"), refused.text
            server.start()
            end = time.monotonic() + WITHIN_S
            with one.client() as client:
                while (made := client.post("/v1/users", json=sign_up)).status_code == 503:
                    assert time.monotonic() < end
                    time.sleep(0.05)
                assert made.status_code == 201
            assert answer(other, key).status_code == 200
    finally:
        server.stop()
