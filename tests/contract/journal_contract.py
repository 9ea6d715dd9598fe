"""What every journal must do, whatever it is made of. A test class of an adapter inherits this one."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable

import pytest

from onseju.contract.command_runs import CommandRun
from onseju.contract.event_runs import EventRun
from onseju.journal.port import Journal, JournalError
from tests.contract.samples import block, blocks, record, records

Open = Callable[[], Journal]


class JournalContract:
    """Needs a fixture `open_journal`: opens the same journal each time it is called, all of them closed afterwards."""

    def test_a_new_journal_is_empty(self, open_journal: Open) -> None:
        journal = open_journal()
        assert (journal.last_seq, journal.last_event_seq) == (0, 0)
        assert list(journal.read()) == []
        assert list(journal.read_events()) == []

    def test_what_was_appended_is_read_back(self, open_journal: Open) -> None:
        journal = open_journal()
        journal.append(records(1, 3))
        journal.append(records(4, 4))
        journal.append_events(blocks(1, 2))
        assert (journal.last_seq, journal.last_event_seq) == (4, 2)
        assert list(journal.read()) == records(1, 4)
        assert list(journal.read_events()) == blocks(1, 2)

    def test_reading_begins_after_any_number(self, open_journal: Open) -> None:
        journal = open_journal()
        for first in range(1, 200, 10):
            journal.append(records(first, first + 9))
            journal.append_events(blocks(first, first + 9))
        for after in range(201):
            assert list(journal.read(after)) == records(after + 1, 200)
            assert [block.seq for block in journal.read_events(after)] == list(range(after + 1, 201))
        assert list(journal.read(5000)) == []

    def test_runs_hold_the_same_records_of_one_leader_each(self, open_journal: Open) -> None:
        journal = open_journal()
        many = [record(seq, epoch=1 if seq <= 70 else 2) for seq in range(1, 151)]
        told = [block(seq, epoch=1 if seq <= 70 else 2, events=seq % 3) for seq in range(1, 151)]
        journal.append(many)
        journal.append_events(told)
        for after in (0, 1, 69, 70, 71, 149, 150):
            runs, event_runs = list(journal.read_runs(after)), list(journal.read_event_runs(after))
            assert [one for run in runs for one in run] == many[after:]
            assert [one for run in event_runs for one in run] == told[after:]
            assert all(len({one.epoch for one in run}) == 1 for run in [*runs, *event_runs])

    def test_a_run_is_appended_as_its_records_are(self, open_journal: Open) -> None:
        journal = open_journal()
        journal.append(CommandRun.of(records(1, 60)))
        journal.append_events(EventRun.of(blocks(1, 40)))
        journal.append_events(EventRun.of(blocks(41, 60)))
        assert list(journal.read()) == records(1, 60)
        assert list(journal.read_events()) == blocks(1, 60)
        with pytest.raises(JournalError):
            journal.append(CommandRun.of(records(62, 63)))
        with pytest.raises(JournalError):
            journal.append_events(EventRun.of(blocks(61, 61)))

    def test_reading_ends_where_the_log_ended_at_the_call(self, open_journal: Open) -> None:
        journal = open_journal()
        journal.append(records(1, 2))
        journal.append_events(blocks(1, 2))
        commands, events = journal.read(), journal.read_events()
        journal.append(records(3, 4))
        journal.append_events(blocks(3, 4))
        assert [record.seq for record in commands] == [1, 2]
        assert [block.seq for block in events] == [1, 2]

    def test_nothing_appended_changes_nothing(self, open_journal: Open) -> None:
        journal = open_journal()
        journal.append([])
        journal.append_events([])
        assert (journal.last_seq, journal.last_event_seq) == (0, 0)

    def test_a_restart_continues(self, open_journal: Open) -> None:
        journal = open_journal()
        journal.append(records(1, 3))
        journal.append_events(blocks(1, 3))
        name = journal.journal_id
        journal.close()
        journal = open_journal()
        assert (journal.journal_id, journal.last_seq, journal.last_event_seq) == (name, 3, 3)
        journal.append(records(4, 5))
        journal.append_events(blocks(4, 5))
        journal.close()
        journal = open_journal()
        assert list(journal.read()) == records(1, 5)
        assert list(journal.read_events()) == blocks(1, 5)

    def test_the_journal_id_fits_into_event_ids(self, open_journal: Open) -> None:
        assert re.fullmatch(r"[0-9a-z]{1,32}", open_journal().journal_id)

    @pytest.mark.parametrize("first", [1, 2, 4, 9])
    def test_numbers_must_follow(self, open_journal: Open, first: int) -> None:
        journal = open_journal()
        journal.append(records(1, 2))
        with pytest.raises(JournalError):
            journal.append(records(first, first))
        journal.append(records(3, 3))
        assert list(journal.read()) == records(1, 3)

    def test_events_never_come_before_their_command(self, open_journal: Open) -> None:
        journal = open_journal()
        journal.append(records(1, 2))
        with pytest.raises(JournalError):
            journal.append_events(blocks(1, 3))
        with pytest.raises(JournalError):
            journal.append_events(blocks(2, 2))
        journal.append_events(blocks(1, 2))
        assert journal.last_event_seq == 2

    def test_there_is_one_writer(self, open_journal: Open) -> None:
        journal = open_journal()
        with pytest.raises(JournalError):
            open_journal()
        journal.append(records(1, 1))
        assert journal.last_seq == 1

    def test_closing_twice_is_harmless_and_ends_writing(self, open_journal: Open) -> None:
        journal = open_journal()
        journal.append(records(1, 1))
        journal.close()
        journal.close()
        with pytest.raises(JournalError):
            journal.append(records(2, 2))

    def test_threads_read_while_one_writes(self, open_journal: Open) -> None:
        journal = open_journal()
        total, wrong, done = 2000, [], threading.Event()

        def tail() -> None:
            seen = 0
            while seen < total:
                finished = done.wait(0 if journal.last_event_seq > seen else 0.001)
                for found in journal.read_events(seen):
                    seen += 1
                    if found.seq != seen or found.text != f"{seen}\t주문-{seen}":
                        wrong.append((seen, found))
                        return
                if finished and seen < total and journal.last_event_seq == seen:
                    wrong.append((seen, None))
                    return

        readers = [threading.Thread(target=tail) for _ in range(3)]
        for reader in readers:
            reader.start()
        try:
            for first in range(1, total, 8):
                journal.append(records(first, first + 7))
                journal.append_events(blocks(first, first + 7))
        finally:
            done.set()
            for reader in readers:
                reader.join()
        assert wrong == []
        assert journal.last_event_seq == total
