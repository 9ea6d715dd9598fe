"""Checkpoints: all that a start needs of the commands through n, so that it replays only what came after.

A checkpoint is taken beside the exchange, never in it: another process takes up the last one, follows the journal to where
it is durable now, comparing with the event log, and writes the next. The exchange does not stop for it, and a checkpoint
proves that the journal replays. See docs/decisions/0009.
"""

from __future__ import annotations

import io
import pickle
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

import msgspec

from onseju.contract.event_runs import EventRun
from onseju.contract.journal_records import EventBlock
from onseju.exchange.applier import Applier
from onseju.exchange.recovery import BATCH, Progress, Supply, replayed, without_collector
from onseju.journal.files import Files
from onseju.journal.lock import DirectoryLock
from onseju.journal.port import JournalError
from onseju.journal.segments import SegmentJournal
from onseju.journal.snapshots import KEPT, OLDEST, Head, Place, Snapshot, SnapshotUnusableError, newest, prune, write
from onseju.matching.engine import SEMANTICS_VERSION, SnapshotEngine
from onseju.matching.snapshot import oldest_first_use

VIEWS_FORMAT = 2
"""Of what the views keep. One more whenever a class that is kept changes its attributes: then views are rebuilt once, from
the event log."""

_ENGINE, _TEXTS, _VIEW = "engine", "texts", "v."

_KEPT_MODULES = (
    "onseju.contract.",
    "onseju.exchange.watch",
    "onseju.kis.port",
    "onseju.market.",
    "onseju.story.landmarks",
)
_KEPT_OTHERS = frozenset(
    {
        ("array", "_array_reconstructor"),
        ("array", "array"),
        ("builtins", "object"),
        ("builtins", "set"),
        ("collections", "deque"),
        ("copyreg", "_reconstructor"),
        ("msgspec._utils", "rebuild"),
    }
)


class View(Protocol):
    """What is kept in memory of the events, and can be kept in a checkpoint: plain data, no callbacks."""

    def listen(self, blocks: Sequence[EventBlock]) -> None: ...

    def state(self) -> dict[str, Any]: ...

    def take_up(self, state: dict[str, Any]) -> None: ...


class Restored(NamedTuple):
    """The engine and the texts as they were at a place, and the views that could not be taken up there."""

    place: Place
    engine: SnapshotEngine
    texts: dict[int, str]
    behind: list[str]


Tell = Callable[[str], None]
"""Told, in a sentence, why a snapshot is not used."""


class _Unpickler(pickle.Unpickler):
    """Makes the views' own classes and plain containers; a file that asks for anything else is refused."""

    def find_class(self, module: str, name: str) -> Any:
        found = None
        if module.startswith(_KEPT_MODULES) or (module, name) in _KEPT_OTHERS:
            found = super().find_class(module, name)
        if found is None or (module.startswith("onseju.") and not isinstance(found, type)):
            raise pickle.UnpicklingError(f"{module}.{name} has no place in a snapshot")
        return found


def restore(
    journal: SegmentJournal,
    engine_from: Callable[[bytes], SnapshotEngine],
    views: Mapping[str, View],
    tell: Tell,
) -> Restored | None:
    """Take up the newest good snapshot; an older one where that is damaged; None where there is none.

    Raises `JournalError` where the journal ends before a snapshot's place: something was lost.
    """
    for found in newest(journal.snapshots):
        if isinstance(found, SnapshotUnusableError):
            tell(str(found))
            continue
        try:
            _check_place(found, journal)
            engine = engine_from(found.section(_ENGINE))
            texts = msgspec.msgpack.decode(found.section(_TEXTS), type=dict[int, str])
        except (SnapshotUnusableError, KeyError, ValueError, OSError) as error:
            tell(f"{found.path} is not used: {error}")
            continue
        behind = [name for name, view in views.items() if not _take_up(found, name, view, tell)]
        return Restored(found.head.place, engine, texts, behind)
    return None


def _check_place(snapshot: Snapshot, journal: SegmentJournal) -> None:
    """Raise where the snapshot is not one of this journal's history."""
    head, seq = snapshot.head, snapshot.head.place.seq
    if (head.journal_id, head.venue) != (journal.journal_id, journal.venue):
        raise SnapshotUnusableError(f"it is of journal {head.journal_id}, venue {head.venue}.")
    if seq > journal.last_seq:
        raise JournalError(
            f"{snapshot.path} stands at command {seq}, but the journal ends at {journal.last_seq}: what was written is "
            "lost. Put the journal back from a backup; to go on without what is lost, take the snapshots away."
        )
    if head.semantics != SEMANTICS_VERSION:
        raise SnapshotUnusableError(f"its semantics version is {head.semantics}, not {SEMANTICS_VERSION}.")
    if seq > journal.last_event_seq:
        raise SnapshotUnusableError(f"the event log ends at {journal.last_event_seq}, before its place {seq}.")
    if seq < max(journal.first_seq, journal.first_event_seq) - 1:
        raise SnapshotUnusableError(f"the journal begins after its place {seq}.")
    if journal.chains_at(seq) != (head.place.command_chain, head.place.event_chain):
        raise SnapshotUnusableError(f"the journal went on otherwise after it was taken at {seq}.")


def _take_up(snapshot: Snapshot, name: str, view: View, tell: Tell) -> bool:
    if snapshot.head.views_format != VIEWS_FORMAT:
        return False
    try:
        with without_collector():
            state = _Unpickler(io.BytesIO(snapshot.section(_VIEW + name))).load()
    except KeyError:
        return False
    except (SnapshotUnusableError, pickle.UnpicklingError, EOFError, AttributeError, TypeError, ValueError) as error:
        tell(f"{snapshot.path}: the view {name!r} is not used: {error}")
        return False
    view.take_up(state)
    return True


def follow(journal: SegmentJournal, views: Sequence[View], through: int, progress: Progress | None = None) -> None:
    """Give views the events through command `through`, from the event log. Raises `JournalError`."""
    if not views:
        return
    with without_collector():
        for blocks in _batches(journal, through):
            for view in views:
                view.listen(blocks)
            if progress is not None:
                progress(blocks.last_seq, through)


def _batches(journal: SegmentJournal, through: int) -> Iterator[EventRun]:
    runs = Supply(journal.read_event_runs())
    while run := runs.take(BATCH):
        if run.last_seq >= through:
            if run.first_seq <= through:
                yield run.part(0, through - run.first_seq + 1)
            return
        yield run


def take(
    journal: SegmentJournal,
    engines: tuple[Callable[[], SnapshotEngine], Callable[[bytes], SnapshotEngine]],
    views: Mapping[str, View],
    through: int,
    tell: Tell,
    progress: Progress | None = None,
) -> Place | None:
    """Write the checkpoint of command `through`, which must be durable; None where there is one, or nothing to keep.

    `engines` makes an engine, fresh and from a snapshot. Raises `RecoveryError` where the journal does not replay to what
    the event log says, other `JournalError`, and `OSError` where the disk fails or is full.
    """
    if not journal.snapshots.exists():
        journal.snapshots.mkdir(exist_ok=True)
        Files().sync_directory(journal.directory)  # segments will be let go because of what is in it
    lock = DirectoryLock(journal.snapshots)
    try:
        return _take(journal, engines, views, through, tell, progress)
    finally:
        lock.release()


def _take(
    journal: SegmentJournal,
    engines: tuple[Callable[[], SnapshotEngine], Callable[[bytes], SnapshotEngine]],
    views: Mapping[str, View],
    through: int,
    tell: Tell,
    progress: Progress | None,
) -> Place | None:
    fresh, engine_from = engines
    through = min(through, journal.last_event_seq)
    restored = restore(journal, engine_from, views, tell)
    after = 0 if restored is None else restored.place.seq
    if after >= through:
        return None
    engine, texts = (fresh(), {}) if restored is None else (restored.engine, restored.texts)
    if restored is not None:
        follow(journal, [views[name] for name in restored.behind], after)
    applier = Applier(engine, texts)
    last = None
    with without_collector():
        for commands, blocks, _ in replayed(journal, applier, after, through):
            for view in views.values():
                view.listen(blocks)
            last = commands[-1]
            if progress is not None:
                progress(last.seq, through)
    if last is None:
        return None
    journal.flush_through(through)
    place = Place(through, last.ts, last.epoch, *journal.chains_at(through))
    head = Head(journal.venue, journal.journal_id, SEMANTICS_VERSION, VIEWS_FORMAT, place)
    state = engine.snapshot()
    sections = {
        _ENGINE: state,
        _TEXTS: msgspec.msgpack.encode(applier.texts),
        OLDEST: oldest_first_use(state).to_bytes(8, "little"),
    }
    for name, view in views.items():
        sections[_VIEW + name] = pickle.dumps(view.state(), protocol=5)
    write(journal.snapshots, head, sections)
    prune(journal.snapshots, KEPT)
    return place
