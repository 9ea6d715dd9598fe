"""From a client's cursor (`J-seq-idx`) to a place in its account's chain, or the reason why there is none."""

from __future__ import annotations

from onseju.contract.ids import Position
from onseju.contract.reasons import Reason
from onseju.gateway.principal import READ, Principal
from onseju.gateway.problems import FieldError, Problem
from onseju.push.ring import AccountRing, OtherJournalError, PositionAheadError


def position_of(ring: AccountRing, account: int, cursor: str, field: str) -> Position | None:
    """The cursor's position; None where it is another journal's, or what follows it is gone, so that a `reset` is due.

    Raises `Problem`: MALFORMED (naming `field`) or SEQ_AHEAD.
    """
    try:
        position = ring.parse(cursor)
    except OtherJournalError:
        return None
    except PositionAheadError:
        raise Problem(Reason.SEQ_AHEAD, seq=ring.head.seq) from None
    except ValueError:
        error = FieldError(field, "invalid_event_id", "An event id looks like J-seq-idx.")
        raise Problem(Reason.MALFORMED, errors=[error]) from None
    return None if ring.is_too_old(account, position) else position


def account_of(principal: Principal | None) -> int:
    """The account whose events the caller may read. Raises `Problem`: UNAUTHENTICATED or FORBIDDEN."""
    if principal is None:
        raise Problem(Reason.UNAUTHENTICATED)
    if not principal.account_id or not principal.may(READ):
        raise Problem(Reason.FORBIDDEN)
    return principal.account_id
