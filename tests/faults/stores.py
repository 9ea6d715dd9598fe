"""The databases and the keys of a data folder, as `tests.faults.parts` has the rest of it."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import TypeVar

import sqlalchemy as sa

from onseju.contract.command_runs import CommandRun
from onseju.exchange.applier import Applier
from onseju.identity.master import FILE_NAME, SigningMaster
from onseju.identity.records import DatabaseUnusableError, NameTakenError, User
from onseju.identity.store import Store
from onseju.journal.segments import SegmentJournal
from onseju.nodes.starting import admin_key
from onseju.projections import projector as projector_module
from onseju.projections.projector import ProjectionError, Projector
from onseju.projections.rebuild import catch_up, differences, project
from onseju.settings import Settings
from tests.faults.disk import BROKEN, CUT_SHORT, FULL, KILLED, STAYS_FULL, Disk, Fault
from tests.faults.parts import DAY, TRIES, Tell
from tests.unit.exchange.checkpoints import day_records, makers

T = TypeVar("T")

PATIENCE = 5
"""So many refusals of a lasting fault, then there is room again."""
WITHIN_S = 60


class IdentityPart:
    """Users, sessions and keys."""

    faults = (FULL, STAYS_FULL, BROKEN, CUT_SHORT, KILLED)
    USERS = 2

    def prepare(self, directory: Path) -> None:
        Store(directory / "identity.db").close()

    def work(self, directory: Path, disk: Disk, tell: Tell) -> str | None:
        store = Store(directory / "identity.db")
        disk.arm()
        for number in range(self.USERS):
            user = _until_done(disk, lambda name=f"user-{number}": _signed_up(store, name))
            tell(f"user {user.name} {user.account_id}")
            _until_done(disk, lambda user=user: store.mark_ready(user.user_id))
            tell(f"ready {user.name}")
            key = f"KEY{number}"
            _until_done(disk, lambda user=user, key=key: _has_key(store, user, key))
            tell(f"key {key}")
        disk.relieve()
        store.close()
        return None

    def check(self, directory: Path, fault: Fault, told: list[str], ended: str | None) -> None:
        store = Store(directory / "identity.db")
        there = set[str]()
        for user in store.list_users(10**6, 100):
            there.add(f"user {user.name} {user.account_id}")
            if user.account_ready:
                there.add(f"ready {user.name}")
            there.update(f"key {key.key_id}" for key in store.keys(user.user_id))
        assert not set(told) - there, "acknowledged, but lost"
        assert fault == KILLED or len(told) == 3 * self.USERS
        accounts = [line.split()[2] for line in there if line.startswith("user ")]
        assert len(set(accounts)) == len(accounts), "an account belongs to two"
        assert store.add_user("later", None, "user", 1).account_id > len(accounts)
        store.close()
        with closing(sqlite3.connect(directory / "identity.db")) as database:
            assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


def _until_done(disk: Disk, ask: Callable[[], T]) -> T:
    """Ask again where the database says that it could not."""
    for tried in range(TRIES):
        try:
            return ask()
        except sa.exc.DatabaseError:
            if tried == PATIENCE:
                disk.relieve()
    raise AssertionError(f"it failed {TRIES} times")


def _signed_up(store: Store, name: str) -> User:
    try:
        return store.add_user(name, None, "user", 1)
    except NameTakenError:  # the try before had done it, though it said otherwise
        found = store.user_by_name(name)
        assert found is not None
        return found[0]


def _has_key(store: Store, user: User, key: str) -> None:
    if store.key(key) is None:
        store.add_key(key, b"hash", user.user_id, "bot", "read", 1, replace=False)


class TablesPart:
    """The tables, by a projector that tries again by itself."""

    faults = (FULL, STAYS_FULL, BROKEN, CUT_SHORT, KILLED)
    BEFORE = 60

    def prepare(self, directory: Path) -> None:
        projector_module.ROOM_POLL_S = 0.001
        projector_module.LAST_RETRY_S = 0.01
        records = day_records()[:DAY]
        blocks = Applier(makers()[0]()).apply(CommandRun.of(records))
        journal = SegmentJournal.open(directory / "journal", fsync=False)
        journal.append(records[: self.BEFORE])
        journal.append_events(blocks[: self.BEFORE])
        catch_up(journal, directory / "tables.db")
        journal.append(records[self.BEFORE :])
        journal.append_events(blocks[self.BEFORE :])
        journal.close()
        self.whole = project(journal, directory.with_name("whole.db"))

    def work(self, directory: Path, disk: Disk, tell: Tell) -> str | None:
        journal = SegmentJournal.open_for_reading(directory / "journal")
        projector = Projector(journal, directory / "tables.db", max_blocks=8, gather_s=0, first_retry_s=0.001)
        disk.arm()
        end, tried = time.monotonic() + WITHIN_S, 0
        while True:
            try:
                projector.start()
                break
            except (ProjectionError, sa.exc.DatabaseError):
                tried += 1
                if tried == PATIENCE:
                    disk.relieve()
        while projector.position < journal.last_event_seq:
            assert time.monotonic() < end, f"the tables stay at {projector.position}: {projector.failed!r}"
            if disk.hits > PATIENCE:
                disk.relieve()
            time.sleep(0.001)
        tell(str(projector.position))
        disk.relieve()
        projector.stop()
        return None

    def check(self, directory: Path, fault: Fault, told: list[str], ended: str | None) -> None:
        assert fault == KILLED or told == [str(DAY)]
        if told:
            assert list(differences(directory / "tables.db", self.whole)) == []
        catch_up(SegmentJournal.open_for_reading(directory / "journal"), directory / "tables.db")
        assert list(differences(directory / "tables.db", self.whole)) == []


class KeysPart:
    """The files with the host's key and the master of the signing ones, made at the first start."""

    faults = (FULL, BROKEN, CUT_SHORT, KILLED)

    def prepare(self, directory: Path) -> None:
        return None

    def work(self, directory: Path, disk: Disk, tell: Tell) -> str | None:
        disk.arm()
        try:
            tell(_keys(directory))
        except (OSError, DatabaseUnusableError) as error:
            return str(error)
        return None

    def check(self, directory: Path, fault: Fault, told: list[str], ended: str | None) -> None:
        keys = _keys(directory)
        assert keys in told or not told
        assert keys == _keys(directory)


def _keys(directory: Path) -> str:
    return f"{admin_key(Settings(data_dir=directory))} {SigningMaster(directory / FILE_NAME).secret_of('KEY')}"
