"""Hosts, origins and cookies."""

from __future__ import annotations

from pathlib import Path

import pytest

from onseju.gateway.cookies import cookie_name, cookie_value, is_loopback, set_cookie
from onseju.gateway.hosts import AllowedHosts, host_name, same_origin
from onseju.settings import Settings


@pytest.mark.parametrize(
    ("host", "name"),
    [
        ("localhost", "localhost"),
        ("LocalHost:8000", "localhost"),
        ("example.com.", "example.com"),
        ("[::1]:8000", "[::1]"),
        ("[::1]", "[::1]"),
        ("[::1", ""),
        ("", ""),
        (":8000", ""),
    ],
)
def test_names_without_ports(host: str, name: str) -> None:
    assert host_name(host) == name


def test_a_star_allows_every_host() -> None:
    assert AllowedHosts(["*"]).allows(b"anything.example")
    assert not AllowedHosts(["localhost"]).allows(b"")
    assert not AllowedHosts(["localhost"]).allows(b"\xff\xfe")


@pytest.mark.parametrize(
    ("origin", "scheme", "host", "same"),
    [
        ("http://localhost:8000", "ws", "localhost:8000", True),
        ("http://LOCALHOST:8000", "ws", "localhost:8000", True),
        ("http://localhost", "ws", "localhost:80", True),
        ("https://a.example", "wss", "a.example:443", True),
        ("https://a.example", "wss", "a.example", True),
        ("http://localhost:8001", "ws", "localhost:8000", False),
        ("https://localhost:8000", "ws", "localhost:8000", False),
        ("http://localhost:8000.evil.example", "ws", "localhost:8000", False),
        ("http://evil.example", "ws", "localhost:8000", False),
        ("null", "ws", "localhost:8000", False),
        ("", "ws", "localhost:8000", False),
    ],
)
def test_origins(origin: str, scheme: str, host: str, same: bool) -> None:
    assert same_origin(origin, scheme, host) is same


@pytest.mark.parametrize(
    ("host", "loopback"),
    [
        ("localhost:8000", True),
        ("127.0.0.1", True),
        ("127.9.9.9:1", True),
        ("[::1]:8000", True),
        ("a.localhost", True),
        ("192.168.0.2", False),
        ("localhost.evil.example", False),
    ],
)
def test_loopback(host: str, loopback: bool) -> None:
    assert is_loopback(host) is loopback


def test_the_cookies_name_follows_the_address(tmp_path: Path) -> None:
    strict, loose = Settings(data_dir=tmp_path), Settings(data_dir=tmp_path, allow_plain_http=True)
    assert cookie_name("https", "a.example", strict) == "__Host-onseju"
    assert cookie_name("wss", "a.example", strict) == "__Host-onseju"
    assert cookie_name("http", "localhost:8000", loose) == "__Host-onseju"
    assert cookie_name("http", "a.example", strict) is None
    assert cookie_name("http", "a.example", loose) == "onseju"


def test_reading_and_writing_cookies() -> None:
    header = b"a=1; __Host-onseju=the-token; onseju=other; b"
    assert cookie_value(header, "__Host-onseju") == "the-token"
    assert cookie_value(header, "onseju") == "other"
    assert cookie_value(header, "none") is None
    assert cookie_value(b"", "a") is None
    assert set_cookie("onseju", "x", 60) == "onseju=x; Path=/; Max-Age=60; HttpOnly; SameSite=Strict"
    assert set_cookie("__Host-onseju", "", 0).endswith("; Secure")
