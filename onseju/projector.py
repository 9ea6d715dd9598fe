"""`python -m onseju.projector`: the tables' writer as a process beside its server, which `projections.process` starts.

It reads on standard input how far the event log goes, tells on standard output how far the tables are, and ends with its
server: when standard input ends.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import signal
import threading
from pathlib import Path

import msgspec
import structlog

from onseju.gateway.logs import configure_logs
from onseju.journal.port import JournalError
from onseju.journal.tail import EventTail
from onseju.projections.projector import ProjectionError, Projector
from onseju.projections.words import MAX_NEWS, NEWS_BYTES, Word, decode_news

log = structlog.get_logger("onseju.projector")


class Child:
    """The process's two threads: this one hears, the projector's writes and tells."""

    def __init__(self, journal: Path, database: Path, hear: int, say: int) -> None:
        self._journal = journal
        self._database = database
        self._hear = hear
        self._say = say
        self._projector: Projector | None = None

    def run(self) -> int:
        """Until the server says stop. Where it is gone, the process ends at once, whatever it does: as if it were killed."""
        data = os.read(self._hear, NEWS_BYTES)
        if not data:
            return 1
        news = decode_news(data)
        writing: threading.Thread | None = None
        tail: EventTail | None = None
        while not news.stop:
            if tail is None:
                try:
                    tail = EventTail(self._journal)
                except JournalError as error:
                    self.say(Word(0, cannot=str(error)))
                    return 1
            self._see(tail, news.through_seq, news.newest_segment)
            if self._projector is None:
                self._projector = Projector(tail, self._database, tell=self.tell)
                writing = threading.Thread(target=self._begin, args=(self._projector,), name="catching up", daemon=True)
                writing.start()
            self._projector.wake(hurry=news.hurry)
            data = os.read(self._hear, NEWS_BYTES * MAX_NEWS)
            if not data:
                os._exit(1)
            news = decode_news(data)
        if self._projector is not None and writing is not None:
            self._projector.ask_to_stop()
            writing.join()
            self._projector.stop()
        return 0

    def _see(self, tail: EventTail, through_seq: int, newest_segment: int) -> None:
        try:
            tail.see(through_seq, newest_segment)
        except JournalError as error:
            self.say(Word(0, cannot=str(error)))
            os._exit(1)

    def _begin(self, projector: Projector) -> None:
        try:
            projector.catch_up()
            projector.start()
        except Exception as error:
            if not isinstance(error, ProjectionError | JournalError):
                log.error("the tables cannot be brought up to date", exc_info=error)
            self.say(Word(projector.position, cannot=str(error) or type(error).__name__))
            os._exit(1)

    def tell(self, waits: bool) -> None:
        """The projector's state, to the server."""
        projector = self._projector
        if projector is not None:
            failed = None if projector.failed is None else type(projector.failed).__name__
            self.say(Word(projector.position, waits, failed, projector.failures))

    def say(self, word: Word) -> None:
        """Write a word, whole. Nobody hears it where the server is gone: that ends this process elsewhere."""
        with contextlib.suppress(BrokenPipeError):
            os.write(self._say, msgspec.json.encode(word) + b"\n")


def main() -> int:
    """Run as a child; the exit status."""
    parser = argparse.ArgumentParser(prog="python -m onseju.projector", description=__doc__)
    parser.add_argument("--journal", type=Path, required=True, help="the journal's folder")
    parser.add_argument("--database", type=Path, required=True, help="the tables' file")
    parser.add_argument("--nice", type=int, default=0, help="how much lower its priority is than its server's")
    parser.add_argument("--log-level", default="info")
    parser.add_argument("--log-format", choices=("auto", "json", "text"), default="auto")
    arguments = parser.parse_args()
    for number in (signal.SIGINT, signal.SIGTERM):  # they are its server's, which ends it in order
        signal.signal(number, signal.SIG_IGN)
    os.nice(arguments.nice)
    configure_logs(json={"json": True, "text": False}.get(arguments.log_format), level=arguments.log_level)
    say = os.dup(1)
    os.dup2(2, 1)  # whatever prints must not get between the words
    return Child(arguments.journal, arguments.database, 0, say).run()


if __name__ == "__main__":
    os._exit(main())  # all is closed: nothing of what was loaded need be taken down in order
