"""The short way of a single order: `POST /v1/orders` with a key and a whole, right body, entered without a task of its own.

What came on all connections in one turn of the event loop goes to the exchange together, and is answered together. Only what
is in order goes this way: `take` refuses everything else, a wrong key or field as much as an unusual header, having done
nothing. Then the shell handles it, which knows every rule; nothing that it checks is left out here. The answers are the same.
"""

from __future__ import annotations

import asyncio
import itertools
import secrets
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from onseju.gateway import order_batches
from onseju.gateway.hosts import AllowedHosts
from onseju.gateway.limits import Allowance, Limits, limit_headers
from onseju.gateway.order_forms import NewOrder, decode_well_formed
from onseju.gateway.principal import TRADE
from onseju.gateway.replies import Answer

if TYPE_CHECKING:
    from onseju.gateway.context import Gateway

PATH = b"/v1/orders"
MAX_BODY_BYTES = 4096
"""A longer body is nothing that an order needs."""

_OPERATION, _GROUP = "POST /v1/orders", "order"
_CREATED = 201
_HEADERS = frozenset(
    {
        b"accept",
        b"accept-encoding",
        b"accept-language",
        b"authorization",
        b"connection",
        b"content-length",
        b"content-type",
        b"host",
        b"user-agent",
    }
)
"""What a request may say and take the short way."""

Headers = Sequence[tuple[bytes, bytes]]
Reply = Callable[[int, bytes, bytes], None]
"""Sends an answer: its status, its header lines, its body. Once, and without raising."""

Whole = tuple[int, list[tuple[bytes, bytes]], bytes]
"""A response: status, headers, body."""


class Forms(NamedTuple):
    """The shell's forms of responses."""

    fixed: Callable[[str, str], Headers]
    """The headers that all responses have, by scheme and path."""
    whole: Callable[[dict[str, Any], Answer | Exception], Whole]
    """Any response, by the request's scope and what came of it."""


class _Waiting(NamedTuple):
    form: NewOrder
    account: int
    allowance: Allowance
    headers: Headers
    scheme: str
    reply: Reply
    began_s: float
    request_id: str


class Express:
    """One for an application; used from its event loop alone."""

    def __init__(self, gateway: Gateway, limits: Limits, forms: Forms) -> None:
        self._gateway = gateway
        self._limits = limits
        self._forms = forms
        self._fixed = {scheme: _lines(forms.fixed(scheme, PATH.decode())) for scheme in ("http", "https")}
        self._hosts = AllowedHosts(gateway.settings.allowed_hosts)
        self._good_hosts: set[bytes] = set()
        self._run = secrets.token_hex(4)
        self._count = itertools.count(1)
        self._waiting: list[_Waiting] = []
        self._entering: set[asyncio.Task[None]] = set()
        self._is_open = not gateway.settings.log_requests
        """Where every request has its line in the log, each goes the long way."""

    def take(self, headers: Headers, scheme: str, body: bytes, reply: Reply) -> bool:
        """Enter the order in this request to `PATH`, whose body is whole, and answer by `reply`; or do nothing and give
        False, and then the request is to be handled by the shell."""
        began_s = time.perf_counter()
        named = dict(headers)
        if (
            len(named) != len(headers)
            or not named.keys() <= _HEADERS
            or not self._is_open
            or self._gateway.recorder.trace
        ):
            return False
        authorization = named.get(b"authorization", b"")
        if (
            authorization[:7] != b"Bearer "
            or len(authorization) > 300
            or named.get(b"content-type") != b"application/json"
        ):
            return False
        if not self._is_our_host(named.get(b"host", b"")):
            return False
        principal = self._gateway.identity.cached_key(authorization[7:].decode("latin-1"))
        if principal is None or not principal.account_id or principal.via != "key" or not principal.may(TRADE):
            return False
        form = decode_well_formed(body)
        if form is None or self._gateway.market.directory.by_symbol(form.symbol) is None:
            return False
        allowance = self._limits.spend(_GROUP, principal.account_id)
        if not allowance.allowed:
            return False  # nothing was taken
        request_id = f"{self._run}-e{next(self._count):x}"
        self._waiting.append(
            _Waiting(form, principal.account_id, allowance, headers, scheme, reply, began_s, request_id)
        )
        if len(self._waiting) == 1:
            asyncio.get_running_loop().call_soon(self._leave)
        return True

    def _is_our_host(self, host: bytes) -> bool:
        if host in self._good_hosts:
            return True
        if not self._hosts.allows(host):
            return False
        if len(self._good_hosts) < 100:
            self._good_hosts.add(host)
        return True

    def _leave(self) -> None:
        """All who came in this turn go together."""
        waiting, self._waiting = self._waiting, []
        task = asyncio.create_task(self._enter(waiting))
        self._entering.add(task)
        task.add_done_callback(self._entering.discard)

    async def _enter(self, waiting: list[_Waiting]) -> None:
        try:
            records, texts, _ = order_batches.pack(
                self._gateway, [one.account for one in waiting], [one.form for one in waiting]
            )
            answers = await order_batches.outcome(self._gateway, records, texts)
        except Exception as error:
            for one in waiting:
                self._finish(one, error)
            return
        for one, answer in zip(waiting, answers, strict=True):
            if isinstance(answer, tuple):
                self._accept(one, *answer)
            else:
                self._finish(one, answer)

    def _accept(self, one: _Waiting, seq: int, body: bytes) -> None:
        self._gateway.recorder.answered(_GROUP, _OPERATION, _CREATED, time.perf_counter() - one.began_s)
        head = b"content-length: %d\r\ncontent-type: application/json\r\nonseju-seq: %d\r\nx-request-id: %b\r\n%b%b" % (
            len(body),
            seq,
            one.request_id.encode(),
            self._fixed[one.scheme],
            _lines(limit_headers(one.allowance)),
        )
        one.reply(_CREATED, head, body)

    def _finish(self, one: _Waiting, outcome: Answer | Exception) -> None:
        """Any answer but a new order's."""
        scope = {
            "type": "http",
            "path": PATH.decode(),
            "scheme": one.scheme,
            "headers": one.headers,
            "state": {"request_id": one.request_id, "allowance": one.allowance},
        }
        status, headers, body = self._forms.whole(scope, outcome)
        self._gateway.recorder.answered(_GROUP, _OPERATION, status, time.perf_counter() - one.began_s)
        one.reply(status, _lines(headers), body)


def _lines(headers: Headers) -> bytes:
    return b"".join([b"%b: %b\r\n" % pair for pair in headers])
