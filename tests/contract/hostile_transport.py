"""A carrier between processes that does whatever one may do: it shuffles, delays and doubles messages, loses
acknowledgements, brings what was not acknowledged again, and fails sends that it did, or did not, take."""

from __future__ import annotations

import contextlib
import heapq
import itertools
import random
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from queue import SimpleQueue
from typing import NamedTuple

from onseju.bus.transport import Delivery, Receiver, Sender, TransportError
from tests.contract.scaled_bus import Topics


class Habits(NamedTuple):
    """How bad it is: shares of 1, and seconds."""

    delay_s: float = 0.004
    """A message takes up to so long, each its own."""
    doubled: float = 0.2
    skipped: float = 0.1
    """A message is not brought the first time."""
    failed: float = 0.15
    """A send fails; in half of the cases the message arrives nevertheless."""
    ack_lost: float = 0.1
    invisible_s: float = 0.15
    """What is not acknowledged comes again after so long."""


GOOD = Habits(doubled=0, skipped=0, failed=0, ack_lost=0, invisible_s=5.0)
"""It only delays, and so shuffles."""


class Carrier:
    """Topics, and groups of readers that each get every message sent since the group was made."""

    def __init__(self, habits: Habits | None = None, seed: int = 0) -> None:
        self.habits = habits or Habits()
        self.is_down = False
        """While it is, sends fail and nothing is brought."""
        self.spoils: Callable[[str, bytes], bool] = lambda topic, body: False
        """Says which messages are taken and never brought."""
        self.log: list[tuple[str, bytes]] = []
        """Every message that was sent, as often as it was."""
        self._random = random.Random(seed)
        self._lock = threading.Condition()
        self._due: list[tuple[float, int, Callable[[], None]]] = []
        self._count = itertools.count()
        self._groups: dict[str, dict[str, _Group]] = defaultdict(dict)
        self._is_closed = False
        self._thread = threading.Thread(target=self._work, name="carrier", daemon=True)
        self._thread.start()

    def topics(self) -> Topics:
        return Topics()

    def sender(self) -> HostileSender:
        return HostileSender(self)

    def receiver(self, topic: str, group: str) -> HostileReceiver:
        with self._lock:
            return HostileReceiver(self._groups[topic].setdefault(group, _Group(self)))

    def close(self) -> None:
        with self._lock:
            self._is_closed = True
            self._lock.notify_all()
        self._thread.join()

    def chance(self, share: float) -> bool:
        with self._lock:
            return self._random.random() < share

    def soon(self, call: Callable[[], None], delay_s: float | None = None) -> None:
        with self._lock:
            if delay_s is None:
                delay_s = self._random.random() * self.habits.delay_s
            heapq.heappush(self._due, (time.monotonic() + delay_s, next(self._count), call))
            self._lock.notify_all()

    def take(self, topic: str, body: bytes, headers: Mapping[str, str]) -> None:
        with self._lock:
            self.log.append((topic, body))
            groups = list(self._groups[topic].values())
        if not self.spoils(topic, body):
            for group in groups:
                group.take(body, headers)

    def _work(self) -> None:
        while True:
            with self._lock:
                while not self._is_closed and (not self._due or self._due[0][0] > time.monotonic()):
                    self._lock.wait(self._due[0][0] - time.monotonic() if self._due else None)
                if self._is_closed:
                    return
                _, _, call = heapq.heappop(self._due)
            call()


class _Group:
    """What one group of readers has not acknowledged."""

    def __init__(self, carrier: Carrier) -> None:
        self.carrier = carrier
        self.readers: list[HostileReceiver] = []
        self._lock = threading.Lock()
        self._waiting: dict[int, tuple[bytes, Mapping[str, str]]] = {}
        self._count = itertools.count()

    def take(self, body: bytes, headers: Mapping[str, str]) -> None:
        number = next(self._count)
        with self._lock:
            self._waiting[number] = body, headers
        if not self.carrier.chance(self.carrier.habits.skipped):
            self.carrier.soon(lambda: self._bring(number))
        if self.carrier.chance(self.carrier.habits.doubled):
            self.carrier.soon(lambda: self._bring(number))
        self._again(number)

    def _again(self, number: int) -> None:
        self.carrier.soon(lambda: self._bring_again(number), self.carrier.habits.invisible_s)

    def _bring_again(self, number: int) -> None:
        if number in self._waiting:
            self._bring(number)
            self._again(number)

    def _bring(self, number: int) -> None:
        with self._lock:
            found = self._waiting.get(number)
            readers = list(self.readers)
        if found is None or self.carrier.is_down:
            return
        if readers:
            reader = readers[number % len(readers)]
            reader.queue.put(Delivery(*found, ack=lambda: self._acknowledge(number)))
        else:
            self.carrier.soon(lambda: self._bring(number), 0.02)

    def _acknowledge(self, number: int) -> None:
        if not self.carrier.chance(self.carrier.habits.ack_lost):
            with self._lock:
                self._waiting.pop(number, None)

    @property
    def unacknowledged(self) -> int:
        with self._lock:
            return len(self._waiting)


class HostileSender(Sender):
    """Hands messages over, more or less. `is_dead`: its process is; what it sends goes nowhere, and it hears nothing."""

    def __init__(self, carrier: Carrier) -> None:
        self.is_dead = False
        self._carrier = carrier

    def send(self, topic: str, body: bytes, headers: Mapping[str, str]) -> Future[None]:
        done: Future[None] = Future()
        done.set_running_or_notify_cancel()  # nobody takes a message back
        if self.is_dead:
            return done
        carrier = self._carrier
        fails = carrier.chance(carrier.habits.failed)
        arrives = not fails or carrier.chance(0.5)

        def finish() -> None:
            if arrives and not carrier.is_down:
                carrier.take(topic, body, headers)
            if fails or carrier.is_down:
                done.set_exception(TransportError("nobody knows"))
            else:
                done.set_result(None)

        carrier.soon(finish)
        return done

    def stop(self) -> None:
        self.is_dead = True


class HostileReceiver(Receiver):
    """Brings a group's messages in a thread of its own."""

    def __init__(self, group: _Group) -> None:
        self.group = group
        self.queue: SimpleQueue[Delivery | None] = SimpleQueue()
        self._thread: threading.Thread | None = None

    def start(self, deliver: Callable[[Delivery], None]) -> None:
        def work() -> None:
            while (delivery := self.queue.get()) is not None:
                deliver(delivery)

        self._thread = threading.Thread(target=work, name="receiver", daemon=True)
        self._thread.start()
        self.group.readers.append(self)

    def stop(self) -> None:
        with contextlib.suppress(ValueError):
            self.group.readers.remove(self)
        if self._thread is not None:
            while not self.queue.empty():  # what is not delivered comes again, to the next reader
                self.queue.get()
            self.queue.put(None)
            self._thread.join()
            self._thread = None
