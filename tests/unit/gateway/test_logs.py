"""The log keeps no secrets."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator

import pytest
import structlog

from onseju.gateway.logs import REDACTED, configure_logs, redact
from onseju.metrics.trace import REQUEST_ID

KEY = "ok0123456789abcdef01.AbCdEfGhIjKlMnOpQrStUvWxYz0123456789_-abcde"


@pytest.fixture(autouse=True)
def _restore(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    logger, root = logging.getLogger("uvicorn.error"), logging.getLogger()
    # A test that served in this process had uvicorn set up its loggers; `onseju up` does not let it.
    uvicorn = (logging.getLogger("uvicorn"), logger)
    levels = [each.level for each in uvicorn]
    for each in uvicorn:
        monkeypatch.setattr(each, "handlers", [])
        monkeypatch.setattr(each, "propagate", True)
        each.setLevel(logging.NOTSET)
    filters, handlers, level = list(logger.filters), root.handlers, root.level
    yield
    structlog.reset_defaults()
    for each, its_level in zip(uvicorn, levels, strict=True):
        each.setLevel(its_level)
    logger.filters, root.handlers, root.level = filters, handlers, level


def test_what_is_named_like_a_secret_is_blacked_out() -> None:
    event = redact(
        None,
        "info",
        {
            "password": "p",
            "X-CSRF-Token": "t",
            "appsecret": "a",
            "headers": {"Authorization": "x", "host": "h", "nested": [{"api_key": "k", "n": 1}]},
            "qty": 3,
            "name": "김철수",
        },
    )
    assert event == {
        "password": REDACTED,
        "X-CSRF-Token": REDACTED,
        "appsecret": REDACTED,
        "headers": {"Authorization": REDACTED, "host": "h", "nested": [{"api_key": REDACTED, "n": 1}]},
        "qty": 3,
        "name": "김철수",
    }


@pytest.mark.parametrize(
    "text",
    [
        f"Bearer {KEY}",
        f"key={KEY}!",
        "ADMIN0123456789AB.AbCdEfGhIjKlMnOpQrStUvWxYz0123456789",
        "__Host-onseju=AbCdEfGhIjKlMnOpQrStUvWxYz0123456789abcdefg; a=b",
        "$argon2id$v=19$m=16,t=2,p=1$c2FsdA$aGFzaA",
    ],
)
def test_what_looks_like_one_of_our_secrets_is_blacked_out(text: str) -> None:
    for value in (text, text.encode(), [text], {"a": text}, ValueError(text)):
        assert "AbCdEf" not in str(redact(None, "info", {"value": value}))
        assert "c2FsdA" not in str(redact(None, "info", {"value": value}))


def test_a_traceback_shows_no_values_of_variables(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs(json=True)

    def handler(bearer: str) -> None:
        raise ValueError(f"no such key: {bearer}")

    try:
        handler(KEY)
    except ValueError:
        structlog.get_logger().exception("unexpected error", request_id="r1")
    entry = json.loads(capsys.readouterr().err)
    assert (entry["event"], entry["request_id"], entry["level"]) == ("unexpected error", "r1", "error")
    assert "ValueError: no such key: " + REDACTED in entry["exception"]
    assert KEY not in str(entry)


def test_on_a_terminal_it_is_text(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs(json=False)
    structlog.get_logger().info("open_account", by="bootstrap", password="hunter22222")
    text = capsys.readouterr().err
    assert "open_account" in text
    assert "hunter22222" not in text


def test_uvicorn_does_not_complain_about_refused_websockets(caplog: pytest.LogCaptureFixture) -> None:
    configure_logs(json=True)
    logger = logging.getLogger("uvicorn.error")
    with caplog.at_level(logging.ERROR, "uvicorn.error"):
        logger.error("ASGI callable returned without completing handshake.")
        logger.error("something else")
    assert [record.message for record in caplog.records] == ["something else"]


def test_what_libraries_log_takes_the_same_way(capsys: pytest.CaptureFixture[str]) -> None:
    """uvicorn's lines are JSON, too, carry the request they belong to, and are looked at for secrets."""
    configure_logs(json=True)
    asked = REQUEST_ID.set("run-7")
    try:
        try:
            raise ValueError("Bearer ok0123456789abcdef01.a-secret-that-is-long")
        except ValueError:
            logging.getLogger("uvicorn.error").exception("broken: %s", "$argon2id$v=19$hash")
        logging.getLogger("uvicorn.error").info("too little to tell")
    finally:
        REQUEST_ID.reset(asked)
    (line,) = capsys.readouterr().err.splitlines()
    told = json.loads(line)
    assert (told["level"], told["request_id"], told["event"]) == ("error", "run-7", f"broken: {REDACTED}")
    assert "ValueError" in told["exception"]
    assert "a-secret" not in line


def test_the_level_is_the_hosts_choice(capsys: pytest.CaptureFixture[str]) -> None:
    for level, count in (("debug", 3), ("info", 2), ("error", 1)):
        structlog.reset_defaults()
        configure_logs(json=True, level=level)
        log = structlog.get_logger("test")
        log.debug("a")
        log.info("b")
        log.error("c")
        assert len(capsys.readouterr().err.splitlines()) == count
