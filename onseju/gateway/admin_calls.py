"""What all of the host's calls share: how they are declared, who is written to the audit log, how the exchange is asked."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

import msgspec
import structlog
from starlette.requests import Request

from onseju.contract.commands import Command, NoteAdmin
from onseju.contract.commands import Request as ExchangeRequest
from onseju.contract.journal_records import MAX_TEXT_BYTES, EventBlock
from onseju.contract.reasons import Reason
from onseju.contract.words import Via
from onseju.gateway.blocks import refusal_of
from onseju.gateway.context import Gateway, gateway_of, principal_of
from onseju.gateway.operations import H, Operations
from onseju.gateway.principal import ADMIN
from onseju.gateway.problems import Problem

audit_log = structlog.get_logger("onseju.audit")

Symbol = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9._-]{1,16}\Z", examples=["005930"])]
Ppm = Annotated[int, msgspec.Meta(ge=0, le=1_000_000, description="Millionths of the price; 0 is off.")]


def declare(
    operations: Operations, method: str, path: str, summary: str, responses: dict[int, Any], **more: Any
) -> Callable[[H], H]:
    """Declare a call below `/v1/admin` that only the host may make."""
    return operations.add(
        method, "/v1/admin" + path, summary=summary, responses=responses, scope=ADMIN, limit="query", **more
    )


async def audit(
    request: Request, action: str, *, account: int = 0, instrument: int = 0, about_seq: int = 0, **what: Any
) -> None:
    """Write to the journal and to the log who did what. In the journal a user is an account number, nothing more.

    `what` holds numbers and words of the API, never a name or a secret: a journal can be published.
    """
    principal = principal_of(request)
    audit_log.info(action, by=principal.name, via=principal.via, account=account, about_seq=about_seq, **what)
    via = Via.parse("key" if principal.via == "signed" else principal.via)
    note = NoteAdmin(actor=principal.account_id, account=account, instrument=instrument, about_seq=about_seq, via=via)
    await gateway_of(request).commands.request([ExchangeRequest(note, _deed(action, what))])


def _deed(action: str, what: dict[str, Any]) -> str:
    """`deposit cash=5`: fields that were not given are left out, and what does not fit is cut off."""
    fields = [f"{name}={value}" for name, value in what.items() if value is not None]
    text = " ".join((action, *fields)).replace("\t", " ").replace("\n", " ")
    return text.encode()[:MAX_TEXT_BYTES].decode(errors="ignore")


async def ask(gateway: Gateway, command: Command, text: str = "") -> EventBlock:
    """The command's events. Raises `Problem` for a refusal."""
    (block,) = await gateway.commands.request([ExchangeRequest(command, text)])
    reason = refusal_of(block)
    if reason is not None:
        raise Problem(reason, seq=block.seq)
    return block


def instrument_id(gateway: Gateway, symbol: str | None) -> int:
    """The instrument's number; 0, which means all, without a symbol. Raises `Problem(UNKNOWN_SYMBOL)`."""
    if symbol is None:
        return 0
    instrument = gateway.market.directory.by_symbol(symbol)
    if instrument is None:
        raise Problem(Reason.UNKNOWN_SYMBOL)
    return instrument.id
