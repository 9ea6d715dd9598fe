"""What the ring no longer holds: one account's events out of the event log.

An index of checkpoints says where to look, so that reading a quiet account's history does not read everybody's.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from typing import NamedTuple

from onseju.contract.ids import Position
from onseju.journal.port import EventLog
from onseju.push.frames import Codec, Frame, events_of

STRIDE = 4096
"""Commands that one checkpoint covers."""


class EventIndex:
    """Where each account's events are: a checkpoint covers its first event and those less than `STRIDE` commands later.

    8 bytes for each account and `STRIDE` commands in which it had events.
    """

    def __init__(self) -> None:
        self.checkpoints: dict[int, array[int]] = {}

    def add(self, account: int, seq: int) -> None:
        """The account has an event in command `seq`; called in ascending order."""
        found = self.checkpoints.get(account)
        if found is None:
            self.checkpoints[account] = array("Q", (seq,))
        elif seq - found[-1] >= STRIDE:
            found.append(seq)

    def windows(self, account: int, seq: int) -> array[int]:
        """The checkpoints to search for events from command `seq` on, and for the last one before `seq`."""
        found = self.checkpoints.get(account)
        if found is None:
            return array("Q")
        return found[max(bisect_left(found, seq) - 1, 0) :]


class Cursor(NamedTuple):
    """A place in an account's chain: everything through `after` was seen, and `last` is the account's last event there."""

    after: Position
    last: Position | None
    known: bool = True
    """Whether `last` is known. It is not where a client's cursor is not an event of its account."""


class LogPage(NamedTuple):
    """Frames in order, and the place after them."""

    frames: list[Frame]
    cursor: Cursor


def read_log(
    journal: EventLog,
    codec: Codec,
    windows: array[int],
    account: int,
    cursor: Cursor,
    through: Position,
    limit: int,
    oldest: int = 1,
) -> LogPage:
    """At most `limit` of the account's events after the cursor and not after `through`. Blocking.

    Blocks before `oldest` are not there any more: an event that followed one of them has no `prev`.
    """
    after, last, known = cursor
    if not known and after.seq < oldest:
        known = True
    elif not known and _is_event_of(journal, account, after):
        last, known = after, True
    frames: list[Frame] = []
    for checkpoint in windows:
        end = min(checkpoint + STRIDE - 1, through.seq)
        # With `last` unknown the search begins at the checkpoint before the cursor: the last event stands there.
        start = max(checkpoint, after.seq if known else 0, oldest)
        if start > end:
            continue
        for block in journal.read_events(start - 1):
            if block.seq > end:
                break
            for idx in events_of(block.payload, account):
                position = Position(block.seq, idx)
                if position <= after:
                    last = position
                    continue
                if position > through:
                    break
                if len(frames) == limit:
                    return LogPage(frames, Cursor(frames[-1].position, last))
                frame = Frame.of(codec, block, idx, last)
                frame.encode()  # here in the thread, not in the event loop
                frames.append(frame)
                last = position
    return LogPage(frames, Cursor(max(through, after), last))


def _is_event_of(journal: EventLog, account: int, position: Position) -> bool:
    if position.seq < 1:
        return False
    block = next(iter(journal.read_events(position.seq - 1)), None)
    return block is not None and block.seq == position.seq and position.idx in set(events_of(block.payload, account))
