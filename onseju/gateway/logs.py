"""The log's form: one event a line, tracebacks without the values of variables, secrets blacked out."""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Mapping, MutableMapping
from typing import Any

import structlog

from onseju.metrics.trace import REQUEST_ID

REDACTED = "[redacted]"

_SECRET_NAMES = re.compile(
    r"password|secret|token|authori[sz]ation|cookie|api_?key|admin_?key|app_?key|csrf|bearer", re.IGNORECASE
)
_SECRET_TEXTS = re.compile(
    r"(?i)(?<=bearer )\S+"
    r"|\b(?:ok[0-9a-f]{18}|ADMIN[0-9A-F]{12})\.[A-Za-z0-9_-]{16,}"
    r"|(?<=onseju=)[A-Za-z0-9_-]{16,}"
    r"|\$argon2id\$\S+"
)
_MAX_DEPTH = 6
_HANDLER = "onseju"
_NOISE = (
    "ASGI callable returned without completing handshake.",  # of every WebSocket that was refused with a proper answer
    "Invalid UTF-8 sequence received from client.",  # with a traceback; the client is told, by close code 1007
)
"""What uvicorn says of clients' mistakes as if they were errors in the program."""


def redact(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """A structlog processor: what is named like a secret, or looks like one of ours, does not reach the log."""
    for name, value in event.items():
        event[name] = REDACTED if _SECRET_NAMES.search(name) else _clean(value, _MAX_DEPTH)
    return event


def _clean(value: Any, depth: int) -> Any:
    if isinstance(value, str):
        return _SECRET_TEXTS.sub(REDACTED, value)
    if isinstance(value, bytes):
        return _clean(value.decode("utf-8", "replace"), depth)
    if depth and isinstance(value, Mapping):
        return {
            name: REDACTED if _SECRET_NAMES.search(str(name)) else _clean(item, depth - 1)
            for name, item in value.items()
        }
    if depth and isinstance(value, list | tuple | set | frozenset):
        return [_clean(item, depth - 1) for item in value]
    if value is None or isinstance(value, bool | int | float):
        return value
    return _SECRET_TEXTS.sub(REDACTED, str(value))


def configure_logs(*, json: bool | None = None, level: str = "info") -> None:
    """Log to standard error: for people on a terminal, else a JSON object a line. To be called once, at the start.

    What libraries log (uvicorn's errors) takes the same way, so that nothing leaves without being looked at for secrets.
    """
    as_json = not sys.stderr.isatty() if json is None else json
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        with_request_id,
        structlog.processors.format_exc_info,
        redact,
    ]
    renderer: Any = (
        structlog.processors.JSONRenderer(ensure_ascii=False)
        if as_json
        else structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
    )
    structlog.configure(
        processors=[*shared, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(getattr(logging, level.upper())),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.name = _HANDLER
    remove = structlog.stdlib.ProcessorFormatter.remove_processors_meta
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(foreign_pre_chain=shared, processors=[remove, redact, renderer])
    )
    root = logging.getLogger()
    root.handlers = [other for other in root.handlers if other.name != _HANDLER] + [handler]
    root.setLevel(logging.WARNING)
    logging.getLogger("uvicorn.error").addFilter(_is_worth_saying)


def with_request_id(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """A structlog processor: a line that is written on a request's way carries its id."""
    request_id = REQUEST_ID.get()
    if request_id:
        event.setdefault("request_id", request_id)
    return event


def _is_worth_saying(record: logging.LogRecord) -> bool:
    return record.msg not in _NOISE
