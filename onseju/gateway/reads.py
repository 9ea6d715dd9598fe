"""What reads have in common: reading one's own write, asking the tables, and checking parameters of the query."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import structlog
from starlette.requests import Request

from onseju.contract.reasons import Reason
from onseju.gateway.context import gateway_of, principal_of
from onseju.gateway.operations import Parameter
from onseju.gateway.problems import FieldError, Problem
from onseju.market.directory import Instrument
from onseju.projections.cursors import BadCursorError
from onseju.projections.queries import (
    DEFAULT_LIMIT,
    MAX_LIMIT,
    QueriesBusyError,
    QueriesFailedError,
    UnknownSymbolError,
)

log = structlog.get_logger("onseju.gateway")

T = TypeVar("T")

MIN_SEQ_HEADER = "Onseju-Min-Seq"

MIN_SEQ = Parameter(
    MIN_SEQ_HEADER,
    "Answer only with what holds after this command, to read one's own write: the `seq` of an earlier answer.",
    {"type": "integer", "minimum": 0},
    "header",
)
SYMBOL = Parameter("symbol", "The instrument, like 005930.")
LIMIT = Parameter(
    "limit", "Rows a page.", {"type": "integer", "minimum": 1, "maximum": MAX_LIMIT, "default": DEFAULT_LIMIT}
)
CURSOR = Parameter("cursor", "The `next_cursor` of the page before.")

_NUMBER = re.compile(r"[0-9]{1,16}")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def malformed(field: str, code: str) -> Problem:
    """The refusal of one parameter or header."""
    return Problem(Reason.MALFORMED, errors=[FieldError(field, code)])


async def min_seq(request: Request) -> int:
    """The command number that the answer must hold; 0 = any. Raises `Problem` for one that does not exist yet, or is not
    heard of here in time."""
    text = request.headers.get(MIN_SEQ_HEADER)
    if text is None:
        return 0
    if not _NUMBER.fullmatch(text):
        raise malformed(MIN_SEQ_HEADER, "invalid_seq")
    seq = int(text)
    gateway = gateway_of(request)
    if seq > gateway.journal.last_event_seq:
        reason = Reason.SEQ_AHEAD if gateway.reach is None else await gateway.reach(seq)
        if reason is not None:
            raise Problem(reason)
    return seq


async def settle(request: Request) -> None:
    """Wait until the tables hold what the request asks for (`Onseju-Min-Seq`).

    Raises `Problem`: MALFORMED, SEQ_AHEAD, or PROJECTION_BEHIND when the tables are late, too many wait, or they no
    longer follow at all.
    """
    gateway = gateway_of(request)
    seq = await min_seq(request)
    if gateway.projector.failed is not None:
        raise Problem(Reason.PROJECTION_BEHIND)
    if seq > gateway.projector.position:
        if gateway.projector.waiting >= gateway.settings.min_seq_waiters:
            raise Problem(Reason.PROJECTION_BEHIND)
        if not await gateway.projector.wait_for(seq, gateway.settings.min_seq_wait_s):
            raise Problem(Reason.PROJECTION_BEHIND)


async def ask(request: Request, query: Callable[..., T], *args: Any) -> T:
    """Run a query of `projections.queries` in a thread. What it refuses becomes a `Problem`."""
    try:
        return await gateway_of(request).queries.ask(query, *args)
    except BadCursorError:
        raise malformed("cursor", "invalid_cursor") from None
    except UnknownSymbolError:
        raise Problem(Reason.UNKNOWN_SYMBOL) from None
    except QueriesBusyError:
        raise Problem(Reason.OVERLOADED) from None
    except QueriesFailedError as error:
        log.error("a query failed", path=request.scope["path"], exc_info=error)
        raise Problem(Reason.PROJECTION_BEHIND) from None


async def ask_surely(request: Request, query: Callable[..., T], *args: Any, found: Callable[[T], bool]) -> T:
    """Run a query; what it does not find is looked for again once the tables hold all that had happened at the request.

    So what somebody made a moment ago is not told to be missing.
    """
    gateway = gateway_of(request)
    head = gateway.journal.last_event_seq
    behind = gateway.projector.position < head
    answer = await ask(request, query, *args)
    if found(answer) or not behind:
        return answer
    await gateway.projector.wait_for(head, gateway.settings.min_seq_wait_s)
    return await ask(request, query, *args)


def account_of(request: Request) -> int:
    """The caller's account. Raises `Problem(FORBIDDEN)` for the bootstrap key, which holds none."""
    account = principal_of(request).account_id
    if account == 0:
        raise Problem(Reason.FORBIDDEN)
    return account


def instrument_named(request: Request, symbol: str) -> Instrument:
    """The instrument. Raises `Problem(UNKNOWN_SYMBOL)`."""
    instrument = gateway_of(request).market.directory.by_symbol(symbol)
    if instrument is None:
        raise Problem(Reason.UNKNOWN_SYMBOL)
    return instrument


def symbol_asked(request: Request) -> str | None:
    """The query's `symbol`, which must be listed; None without one."""
    symbol = request.query_params.get("symbol")
    return None if symbol is None else instrument_named(request, symbol).symbol


def number_asked(request: Request, name: str, default: int | None, low: int, high: int) -> int | None:
    """A whole number of the query, from `low` to `high`."""
    text = request.query_params.get(name)
    if text is None:
        return default
    if not _NUMBER.fullmatch(text) or not low <= int(text) <= high:
        raise malformed(name, "invalid_number")
    return int(text)


def limit_asked(request: Request) -> int:
    """The page's number of rows."""
    return number_asked(request, "limit", DEFAULT_LIMIT, 1, MAX_LIMIT) or DEFAULT_LIMIT


def choice_asked(request: Request, name: str, choices: Collection[str], default: str | None = None) -> str:
    """One of `choices`; without a default it must be given."""
    text = request.query_params.get(name, default)
    if text is None:
        raise malformed(name, "missing")
    if text not in choices:
        raise malformed(name, "invalid_choice")
    return text


def time_asked(request: Request, name: str) -> int | None:
    """A time of the query (RFC 3339 with its offset) in microseconds since 1970 UTC; None without one."""
    text = request.query_params.get(name)
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text.replace(" ", "+"))  # a plus sign in a query means a space
        if moment.tzinfo is None:
            raise malformed(name, "invalid_time")
        return (moment - _EPOCH) // timedelta(microseconds=1)
    except (ValueError, OverflowError):
        raise malformed(name, "invalid_time") from None
