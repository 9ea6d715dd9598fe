"""What is counted on the way of an order: latencies by stage, orders by result, answers by operation."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Sequence
from itertools import compress
from time import monotonic

from onseju.contract.event_runs import EventRun, runs_of
from onseju.contract.events import EVENT_BYTES, KIND_OFFSET, EventKind
from onseju.contract.journal_records import EventBlock
from onseju.metrics.histogram import Histogram

STAGES = ("queue", "apply", "journal", "events", "publish", "commit")
"""`queue`: from the bus taking a batch's first command to the exchange taking it. `apply`: matching. `journal`: until written
and flushed, with the wait for the flush before it (beside `apply`). `events`: the event log. `publish`: all listeners.
`commit`: from the exchange taking it to its answer, so all but the first together. Each command counts with its batch's
time."""

ORDER_RESULTS: dict[int, str] = {
    EventKind.ORDER_ACCEPTED: "accepted",
    EventKind.ORDER_REJECTED: "rejected",
    EventKind.ORDER_CORRECTED: "corrected",
    EventKind.ORDER_CANCELED: "canceled",
    EventKind.ORDER_EXPIRED: "expired",
    EventKind.ORDER_TRIGGERED: "triggered",
    EventKind.ORDER_FILLED: "filled",
    EventKind.REQUEST_REJECTED: "request_rejected",
    EventKind.REQUEST_REPEATED: "request_repeated",
    EventKind.TRADE: "trade",
}
"""What of the events is counted, under which name. `filled` counts fills: two for each trade."""

_NOT_COUNTED = bytes(kind for kind in range(256) if kind not in ORDER_RESULTS)
_REASON_OFFSET = 30
SAMPLE_S = 0.05
MAX_SAMPLES = 2_000
"""When which command was published, every 50 ms: 100 s of them tell how long ago a reader's position was the head."""


class Recorder:
    """The counters of one process. Everything here is bounded by the contract's words and the API's table."""

    def __init__(self, clock: Callable[[], float] = monotonic, *, trace: bool = False) -> None:
        self.trace = trace
        """Whether each batch of commands is written to the log, with the ids of the requests that it came from."""
        self.stages = {name: Histogram() for name in STAGES}
        self.fsync = Histogram()
        self.requests: dict[str, Histogram] = {}
        """Until an answer begins, by rate-limit group; `page` for the files of the web page."""
        self.answers: Counter[tuple[str, int]] = Counter()
        """By operation (`POST /v1/orders`) and status."""
        self.head_seq = 0
        self._events: Counter[tuple[int, int, int]] = Counter()
        self._published: deque[tuple[int, float]] = deque(maxlen=MAX_SAMPLES)
        self._clock = clock

    def listen(self, blocks: Sequence[EventBlock]) -> None:
        """Count events (an `EventListener`), by slices of all bytes at once: 0.02 µs an event."""
        events = self._events
        for run in runs_of(blocks):
            data = run.payload
            kinds = data[KIND_OFFSET::EVENT_BYTES].translate(None, _NOT_COUNTED)
            if not kinds:
                continue
            for kind in ORDER_RESULTS:
                count = kinds.count(kind)
                if count:
                    events[kind, 0, 0] += count
            for offset in compress(range(0, len(data), EVENT_BYTES), _either(data)):
                kind = data[offset + KIND_OFFSET]
                if kind in ORDER_RESULTS:
                    events[kind, data[offset + _REASON_OFFSET], data[offset + _REASON_OFFSET + 1]] += 1
                    events[kind, 0, 0] -= 1
        self.head_seq = blocks[-1].seq if not isinstance(blocks, EventRun) else blocks.last_seq
        now = self._clock()
        if not self._published or now - self._published[-1][1] >= SAMPLE_S:
            self._published.append((self.head_seq, now))

    def answered(self, group: str, operation: str, status: int, duration_s: float) -> None:
        """An answer has begun."""
        self.answers[operation, status] += 1
        histogram = self.requests.get(group)
        if histogram is None:
            histogram = self.requests[group] = Histogram()
        histogram.observe(duration_s)

    def order_results(self) -> Counter[tuple[str, int]]:
        """How often each result came about, by its name and reason number."""
        found: Counter[tuple[str, int]] = Counter()
        for (kind, low, high), count in self._events.copy().items():
            if count:
                found[ORDER_RESULTS[kind], low + 256 * high] += count
        return found

    def lag_s(self, position: int) -> float:
        """How long ago the command after `position` was published: how late a reader is that stands there. Seconds, good to
        a tenth; 0 for one that has everything."""
        if position >= self.head_seq:
            return 0.0
        for seq, at in self._published:
            if seq > position:
                return self._clock() - at
        return 0.0


def _either(data: bytes) -> bytes:
    """For each event a byte that is not 0 where it has a reason."""
    low, high = data[_REASON_OFFSET::EVENT_BYTES], data[_REASON_OFFSET + 1 :: EVENT_BYTES]
    either = int.from_bytes(low, "little") | int.from_bytes(high, "little")
    return either.to_bytes(len(low), "little")
