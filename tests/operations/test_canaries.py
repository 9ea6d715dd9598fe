"""Secrets do not leave: canaries are planted wherever a secret goes in, and everything that comes out is searched for them.

Passwords, keys, tokens, cookies, signatures, KIS secrets; right and wrong, in good requests, broken ones, and in one that
makes the program itself fail. Searched are the log at its most talkative, every file of the data folder, metrics, status,
audit trail and all answers that are not meant to give them.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import sqlite3
import subprocess
import sys
from pathlib import Path

import httpx

from tests.journey.hostile import CALM, SYMBOL, base_price
from tests.serverprocess import ServerProcess
from tests.unit.gateway.test_signing import signed

TALKATIVE = CALM | {"ONSEJU_LOG_LEVEL": "debug", "ONSEJU_LOG_REQUESTS": "true", "ONSEJU_LOG_FORMAT": "json"}
ADMIN_KEY = "CANARYADMIN.canary-admin-secret-0123"
METRICS_KEY = "CANARYMETRICS.canary-metrics-secret-45"


def test_no_secret_comes_out(tmp_path: Path) -> None:
    env = TALKATIVE | {"ONSEJU_ADMIN_KEY": ADMIN_KEY, "ONSEJU_METRICS_KEY": METRICS_KEY}
    server = ServerProcess(tmp_path / "data", env=env).start()
    canaries = {"admin key": ADMIN_KEY.partition(".")[2], "metrics key": METRICS_KEY.partition(".")[2]}
    told: list[str] = []
    try:
        plant(server, canaries, told)
        breaks(server, canaries, told)
        told += [look(server, "journal", "dump", "--events"), look(server, "journal", "verify")]
        told += [backup(server, tmp_path)]
    finally:
        assert server.stop() == 0
    assert any('"event": "request"' in line for line in server.output), "the log says nothing"
    assert any('"committed"' in line for line in server.output)
    assert any("unexpected error" in line for line in server.output), "the program did not fail: nothing was tried"
    wanted = {name: text.encode() for name, text in canaries.items()}
    assert len(wanted) >= 14
    found = [
        f"{name} in {where}"
        for where, content in [("the log", "".join(server.output).encode()), ("an answer", "".join(told).encode())]
        for name, canary in wanted.items()
        if canary in content
    ]
    may_hold = {"identity.db": {"stored hash"}}
    for directory, _, files in os.walk(tmp_path / "data"):
        for file in files:
            content = (Path(directory) / file).read_bytes()
            found += [
                f"{name} in {file}"
                for name, canary in wanted.items()
                if canary in content and name not in may_hold.get(file, ())
            ]
    assert found == []


def plant(server: ServerProcess, canaries: dict[str, str], told: list[str]) -> None:
    password = canaries["password"] = "canary-password-말-1"
    canaries["wrong password"] = "canary-wrong-password-2"
    canaries["new password"] = "canary-new-password-3"
    canaries["short password"] = "cnry-4"
    with server.client() as http:
        told.append(http.post("/v1/users", json={"name": "kim", "password": password}).text)
        told.append(http.post("/v1/users", json={"name": "kim", "password": canaries["wrong password"]}).text)
        told.append(http.post("/v1/users", json={"name": "lee", "password": canaries["short password"]}).text)
        told.append(http.post("/v1/users", json={"name": "lee", "pasword": canaries["wrong password"]}).text)
        told.append(http.post("/v1/session", json={"name": "kim", "password": canaries["wrong password"]}).text)
        broken = b'{"name": "kim", "password": "' + canaries["wrong password"].encode() + b'"'
        told.append(http.post("/v1/session", content=broken, headers={"content-type": "application/json"}).text)
        session = http.post("/v1/session", json={"name": "kim", "password": password})
        csrf = canaries["csrf token"] = session.json()["csrf_token"]
        cookie = session.headers["Set-Cookie"].partition(";")[0]
        canaries["cookie"] = cookie.partition("=")[2]
        told.append(http.get("/v1/session", headers={"Cookie": "__Host-onseju=canary-cookie-9876543210"}).text)
        canaries["wrong cookie"] = "canary-cookie-9876543210"
        keys = {}
        for kind in ("bearer", "signed"):
            body = {"name": kind, "kind": kind}
            made = http.post("/v1/api-keys", json=body, headers={"X-CSRF-Token": csrf, "Cookie": cookie})
            keys[kind] = made.json()["api_key"]
            canaries[f"{kind} secret"] = keys[kind].partition(".")[2]
        told.append(http.get("/v1/api-keys", headers={"Cookie": cookie}).text)
        canaries["kis secret"] = "canary-kis-secret-5555"
        kis = {"grant_type": "client_credentials", "appkey": "PSabcdefghijklmnopqrstuvwxyz01234567"}
        told.append(http.post("/oauth2/Approval", json=kis | {"secretkey": canaries["kis secret"]}).text)
    with server.client() as http:
        headers = signed(keys["signed"], "GET", "/v1/account")
        canaries["signature"] = headers["X-Onseju-Sign"]
        told += [http.get("/v1/account", headers=headers).text, http.get("/v1/account", headers=headers).text]
        bad = signed(keys["signed"], "GET", "/v1/account", sign="c" * 64)
        canaries["wrong signature"] = bad["X-Onseju-Sign"]
        told.append(http.get("/v1/account", headers=bad).text)
        canaries["wrong bearer"] = "canary-bearer-secret-777"
        told.append(http.get("/v1/account", headers={"Authorization": f"Bearer ok12.{canaries['wrong bearer']}"}).text)
    with server.client(keys["bearer"]) as http:
        order = {"symbol": SYMBOL, "side": "buy", "type": "limit", "qty": 1, "limit_price": base_price(http) - 1000}
        assert http.post("/v1/orders", json=order).status_code == 201
        told += [http.get(path).text for path in ("/v1/account", "/v1/orders", "/v1/events", "/v1/session")]
    with server.client(ADMIN_KEY) as admin:
        users = admin.get("/v1/admin/users").json()["users"]
        kim = next(user["user_id"] for user in users if user["name"] == "kim")
        new = {"password": canaries["new password"]}
        assert admin.post(f"/v1/admin/users/{kim}/password", json=new).status_code == 204
        made = admin.post("/v1/admin/accounts", json={"name": "park", "password": password})
        canaries["made key"] = made.json()["api_key"].partition(".")[2]
        told += [
            admin.get(path).text for path in ("/v1/admin/status", "/v1/admin/audit", "/v1/admin/users", "/metrics")
        ]


def breaks(server: ServerProcess, canaries: dict[str, str], told: list[str]) -> None:
    """Things go wrong while the program holds a secret: identity's database is spoilt under it, then its tables are gone,
    which no code expects."""
    path = server.data_dir / "identity.db"
    whole = path.read_bytes()
    path.write_bytes(b"spoilt" * 4096)
    spoilt = ask_with_secrets(server, canaries)
    path.write_bytes(whole)
    with contextlib.closing(sqlite3.connect(path)) as other:
        stored = other.execute("SELECT password_hash FROM users WHERE password_hash IS NOT NULL").fetchall()
        canaries["stored hash"] = stored[0][0].rpartition("$")[2]
        other.execute("ALTER TABLE sessions RENAME COLUMN token_hash TO gone")
        other.execute("ALTER TABLE api_keys RENAME COLUMN secret_hash TO gone")
        other.execute("ALTER TABLE users RENAME COLUMN password_hash TO gone")
        other.commit()
        lost = ask_with_secrets(server, canaries)
        other.execute("ALTER TABLE sessions RENAME COLUMN gone TO token_hash")
        other.execute("ALTER TABLE api_keys RENAME COLUMN gone TO secret_hash")
        other.execute("ALTER TABLE users RENAME COLUMN gone TO password_hash")
        other.commit()
    assert {answer.status_code for answer in spoilt} == {503}
    assert {answer.status_code for answer in lost} == {500}
    told += [answer.text for answer in (*spoilt, *lost)]
    with server.client() as http:
        assert http.post("/v1/users", json={"name": "choi", "password": canaries["password"]}).status_code == 201


def ask_with_secrets(server: ServerProcess, canaries: dict[str, str]) -> list[httpx.Response]:
    """Requests that cannot be answered from memory, each with a secret."""
    with server.client() as http:
        return [
            http.post("/v1/session", json={"name": "kim", "password": canaries["new password"]}),
            http.post("/v1/users", json={"name": "choi", "password": canaries["password"]}),
            http.get("/v1/account", headers={"Authorization": f"Bearer okfeed.{canaries['wrong bearer']}"}),
            http.get(
                "/v1/session", headers={"Cookie": f"__Host-onseju={canaries['wrong cookie']}{secrets.token_hex(4)}"}
            ),
        ]


def look(server: ServerProcess, *words: str) -> str:
    """What a command says about the running server's journal."""
    first, second, *options = words
    return command(first, second, str(server.data_dir / "journal"), *options)


def backup(server: ServerProcess, folder: Path) -> str:
    """What the command that makes a backup says, and the one that refuses to put it back over a venue in use."""
    made = command("backup", "--data-dir", str(server.data_dir), str(folder / "backup"))
    assert (folder / "backup").exists(), made
    return made


def command(*words: str) -> str:
    done = subprocess.run([sys.executable, "-m", "onseju", *words], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout
    return done.stdout + done.stderr
