"""What a data folder is made of, each with a short run that changes it, and with what must hold however that run ended."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from onseju.app import take_snapshot
from onseju.backup import BackupError, backup, restore
from onseju.bus.inproc import InprocBus
from onseju.bus.port import DiskFullError, StoppedError
from onseju.exchange import checkpoint
from onseju.exchange import writer as writer_module
from onseju.exchange.applier import Applier
from onseju.exchange.exchange import Exchange
from onseju.exchange.recovery import replayed
from onseju.exchange.snapshots import Retention, Snapshots
from onseju.identity.store import Store
from onseju.journal.files import Files
from onseju.journal.inspect import verify
from onseju.journal.port import JournalError
from onseju.journal.segments import SegmentJournal
from tests.contract.samples import SmallEngine, blocks, order, records
from tests.faults.disk import BROKEN, CUT_SHORT, FULL, KILLED, STAYS_FULL, Disk, Fault
from tests.unit.exchange.checkpoints import day_records, makers, write_day

Tell = Callable[[str], None]

TRADERS, ORDERS = 3, 6
SEGMENT_BYTES, RESERVE_BYTES = 3000, 1500
TRIES = 2000
DAY = 90


class Part(Protocol):
    """`work` tells a line for all that it acknowledges, and gives why it ended early. `check` finds what was told."""

    faults: tuple[Fault, ...]

    def prepare(self, directory: Path) -> None: ...

    def work(self, directory: Path, disk: Disk, tell: Tell) -> str | None: ...

    def check(self, directory: Path, fault: Fault, told: list[str], ended: str | None) -> None: ...


class JournalPart:
    """Commands and events, by an exchange that traders send orders to."""

    faults = (FULL, STAYS_FULL, BROKEN, CUT_SHORT, KILLED)

    def prepare(self, directory: Path) -> None:
        writer_module.ROOM_POLL_S = 0.001

    def work(self, directory: Path, disk: Disk, tell: Tell) -> str | None:
        return asyncio.run(_trade(directory, disk, tell))

    def check(self, directory: Path, fault: Fault, told: list[str], ended: str | None) -> None:
        if ended is not None:
            assert "The journal's disk failed: writing" in ended, ended
            assert fault not in (CUT_SHORT, KILLED), f"a short write stopped the exchange: {ended}"
        elif fault != KILLED:
            assert len(told) == TRADERS * ORDERS
        journal = _opened(directory)
        try:
            texts = [f"{record.text} {record.seq}" for record in journal.read() if record.text]
            assert len({text.split()[0] for text in texts}) == len(texts), "an order is there twice"
            assert not set(told) - set(texts), "acknowledged, but lost"
            Exchange(SmallEngine(), journal, InprocBus(10), venue=1).recover()
            assert journal.last_event_seq == journal.last_seq
            journal.verify()
        finally:
            journal.close()


def _opened(directory: Path) -> SegmentJournal:
    return SegmentJournal.open(directory / "journal", segment_bytes=SEGMENT_BYTES, reserve_bytes=RESERVE_BYTES)


async def _trade(directory: Path, disk: Disk, tell: Tell) -> str | None:
    journal = _opened(directory)
    bus = InprocBus(1000)
    room: asyncio.Task[None] | None = None
    try:
        exchange = Exchange(SmallEngine(), journal, bus, venue=1)
        exchange.recover()
        task = asyncio.create_task(exchange.run())
        disk.arm()
        room = asyncio.create_task(_make_room(bus, disk))
        try:
            await asyncio.gather(*[_trader(bus, name, tell) for name in range(TRADERS)])
        except StoppedError:
            await task
            return str(exchange.stopped)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        return None
    finally:
        if room is not None:
            room.cancel()
        disk.relieve()
        journal.close()


async def _make_room(bus: InprocBus, disk: Disk) -> None:
    """When orders are refused, see that there is room again."""
    while bus._only is None:  # noqa: ASYNC110 - the bus has no event for it
        await asyncio.sleep(0.001)
    await asyncio.sleep(0.005)
    disk.relieve()


async def _trader(bus: InprocBus, name: int, tell: Tell) -> None:
    """Orders one after another, each asked again while the disk is full."""
    for number in range(ORDERS):
        cid = f"{name}.{number}"
        for _ in range(TRIES):
            try:
                (block,) = await bus.request([order(cid)])
            except DiskFullError:
                await asyncio.sleep(0.001)
                continue
            tell(f"{cid} {block.seq}")
            break
        else:
            raise AssertionError(f"{cid} was refused {TRIES} times")


class FirstStartPart:
    """A journal that was not there before, with one command."""

    faults = (FULL, BROKEN, CUT_SHORT, KILLED)

    def prepare(self, directory: Path) -> None:
        return None

    def work(self, directory: Path, disk: Disk, tell: Tell) -> str | None:
        disk.arm()
        try:
            Files().make_directory(directory / "data")  # as `onseju up` does
            journal = _opened(directory / "data")
            journal.append(records(1, 1))
            tell(journal.journal_id)
            journal.append_events(blocks(1, 1))
            journal.close()
        except (JournalError, OSError) as error:
            return str(error)
        return None

    def check(self, directory: Path, fault: Fault, told: list[str], ended: str | None) -> None:
        journal = _opened(directory / "data")
        try:
            assert journal.journal_id in told or not told
            assert list(journal.read()) == records(1, 1) if told else journal.last_seq <= 1
            journal.append(records(journal.last_seq + 1, 5))
            journal.verify()
        finally:
            journal.close()


class ArchivePart:
    """Segments that nobody needs go into the archive, as the exchange lets go of them."""

    faults = (FULL, BROKEN, CUT_SHORT, KILLED)
    NEEDED = 60

    def prepare(self, directory: Path) -> None:
        write_day(directory / "journal", day_records()[:DAY], segment_bytes=6_000)
        for through in (70, 80):
            take_snapshot(directory / "journal", "reference", through, _quiet)
        self.segments = {name: part for name, part in _content(directory / "journal").items() if name.suffix == ".log"}

    def work(self, directory: Path, disk: Disk, tell: Tell) -> str | None:
        journal = SegmentJournal.open(directory / "journal", segment_bytes=6_000)
        retention = Retention("archive", directory / "kept" / "archive")
        beside = Snapshots(journal, every=1, command=(), retention=retention, needed_from=lambda: self.NEEDED)
        disk.arm()
        asyncio.run(beside._let_go())
        disk.relieve()
        tell(str(journal.first_seq))
        journal.close()
        return None

    def check(self, directory: Path, fault: Fault, told: list[str], ended: str | None) -> None:
        archive = directory / "kept" / "archive"
        archived = _content(archive) if archive.exists() else {}
        for name, content in self.segments.items():
            path = directory / "journal" / name
            assert content in (archived.get(name), path.read_bytes() if path.exists() else None), f"{name} is lost"
        journal = SegmentJournal.open(directory / "journal", segment_bytes=6_000)
        journal.verify()
        assert journal.retire(self.NEEDED - 1, archive) or fault != KILLED or told or journal.first_seq > 1
        journal.close()
        for name, content in _content(archive).items():
            if name.suffix == ".log":
                (directory / "journal" / name).write_bytes(content)
        assert verify(directory / "journal", _quiet).first_seq == 1


class SnapshotPart:
    """A snapshot of a journal that has one already."""

    faults = (FULL, BROKEN, CUT_SHORT, KILLED)
    OLD, NEW, LATER = 30, 60, 80

    def prepare(self, directory: Path) -> None:
        journal = directory / "journal"
        write_day(journal, day_records()[:DAY], segment_bytes=10_000)
        take_snapshot(journal, "reference", self.OLD, _quiet)
        self.state = self._start(journal)[1]

    def work(self, directory: Path, disk: Disk, tell: Tell) -> str | None:
        disk.arm()
        try:
            tell(str(take_snapshot(directory / "journal", "reference", self.NEW, _quiet)))
        except (JournalError, OSError) as error:
            return str(error)
        return None

    def check(self, directory: Path, fault: Fault, told: list[str], ended: str | None) -> None:
        journal = directory / "journal"
        place, state = self._start(journal)
        assert state == self.state
        assert place == self.NEW if told else place in (self.OLD, self.NEW)
        assert take_snapshot(journal, "reference", self.LATER, _quiet) == self.LATER
        assert self._start(journal) == (self.LATER, self.state)
        assert list(journal.glob("*/*.new")) == []

    def _start(self, directory: Path) -> tuple[int, int]:
        """Where the newest good snapshot stands, and the state with the rest. None of them may be damaged."""
        journal, why = SegmentJournal.open_for_reading(directory), list[str]()
        restored = checkpoint.restore(journal, makers()[1], {}, why.append)
        assert (restored is not None, why) == (True, [])
        assert restored is not None
        for _ in replayed(journal, Applier(restored.engine, restored.texts), restored.place.seq):
            pass
        return restored.place.seq, restored.engine.state_hash()


def _quiet(_done: int, _all: int) -> None:
    return None


class BackupPart:
    """A backup of a data folder."""

    faults = (FULL, BROKEN, CUT_SHORT, KILLED)

    def prepare(self, directory: Path) -> None:
        data = directory / "data"
        data.mkdir()
        write_day(data / "journal", day_records()[:DAY], segment_bytes=10_000)
        take_snapshot(data / "journal", "reference", 60, _quiet)
        store = Store(data / "identity.db")
        store.add_user("somebody", None, "user", 1)
        store.close()
        for name in ("admin.key", "signing.key"):
            (data / name).write_bytes(b"secret of " + name.encode())
        self.content = _content(data)

    def work(self, directory: Path, disk: Disk, tell: Tell) -> str | None:
        disk.arm()
        try:
            tell(str(backup(directory / "data", directory / "kept", _quiet).last_seq))
        except BackupError as error:
            return str(error)
        return None

    def check(self, directory: Path, fault: Fault, told: list[str], ended: str | None) -> None:
        data, kept = directory / "data", directory / "kept"
        assert _content(data) == self.content, "a backup changes nothing"
        assert kept.exists() or not told
        if kept.exists():
            self._check_whole(kept)
            shutil.rmtree(kept)
        backup(data, kept, _quiet)
        self._check_whole(kept)
        assert sorted(path.name for path in directory.iterdir()) == ["data", "kept"]

    def _check_whole(self, folder: Path) -> None:
        assert verify(folder / "journal", _quiet).last_seq == DAY
        assert {
            name: part for name, part in _content(folder).items() if name.suffix in (".log", ".key", ".snapshot")
        } == {name: part for name, part in self.content.items() if name.suffix in (".log", ".key", ".snapshot")}
        store = Store(folder / "identity.db")
        assert [user.name for user in store.list_users(10**6, 10)] == ["somebody"]
        store.close()


class RestorePart(BackupPart):
    """A data folder made of a backup."""

    def prepare(self, directory: Path) -> None:
        super().prepare(directory)
        backup(directory / "data", directory / "kept", _quiet)
        shutil.rmtree(directory / "data")
        self.kept = _content(directory / "kept")

    def work(self, directory: Path, disk: Disk, tell: Tell) -> str | None:
        disk.arm()
        try:
            tell(str(restore(directory / "kept", directory / "data", _quiet).last_seq))
        except BackupError as error:
            return str(error)
        return None

    def check(self, directory: Path, fault: Fault, told: list[str], ended: str | None) -> None:
        kept, data = directory / "kept", directory / "data"
        assert _content(kept) == self.kept, "to restore changes nothing of the backup"
        assert data.exists() or not told
        if data.exists():
            self._check_whole(data)
            shutil.rmtree(data)
        restore(kept, data, _quiet)
        self._check_whole(data)
        assert sorted(path.name for path in directory.iterdir()) == ["data", "kept"]

    def _check_whole(self, folder: Path) -> None:
        journal = SegmentJournal.open_for_reading(folder / "journal")
        assert journal.last_seq == journal.last_event_seq == verify(folder / "journal", _quiet).last_seq == DAY
        assert (folder / "signing.key").read_bytes() == b"secret of signing.key"
        store = Store(folder / "identity.db")
        assert [user.name for user in store.list_users(10**6, 10)] == ["somebody"]
        store.close()


def _content(folder: Path) -> dict[Path, bytes]:
    """Every file but locks, which hold a process's number."""
    return {
        path.relative_to(folder): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.name != "lock"
    }
