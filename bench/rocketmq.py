"""What RocketMQ's settings cost: commands a second there and back, the empty round trip's latency, and loss at a crash.

`python -m bench.rocketmq [--quick]` starts servers of its own, one for each setting that needs one, side by side. It sends
messages to one topic; an echo in another process sends each back on another topic and then acknowledges it, as an exchange
does that takes no time. Each setting differs from the base in one thing. A first round warms up and does not count; rounds
are interleaved; a figure is its rounds' median, a percentile that of all rounds' samples. `python -m bench.rocketmq_report`
writes docs/rocketmq-tuning.md.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Collection, Iterator
from concurrent.futures import Future
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

from onseju.bus.rocketmq import RocketReceiver, RocketSender
from onseju.bus.transport import Delivery
from onseju.contract.commands import COMMAND_BYTES
from onseju.scaled.rocketmq_server import RocketServer, RocketSettings

RESULT = Path("build/bench/rocketmq.json")
READY_S = 30.0
ANSWER_S = 20.0
QUIET_RATE = 50
"""Messages a second while latency is measured."""
OFFERED = 10_000
"""Commands a second while windows are compared."""


@dataclass(frozen=True)
class Case:
    """One setting of all that can be set, and the seconds of its two phases."""

    server: str = "base"
    topic: str = "q4"
    type: Literal["NORMAL", "FIFO"] = "NORMAL"
    message_groups: int = 1
    commands: int = 100
    """A message."""
    in_flight: int = 64
    batch: int = 32
    pollers: int = 2
    invisible_s: int = 15
    window_ms: int = 0
    """0: as much as goes, then a quiet phase. Else: messages each so often, at `OFFERED` commands a second."""
    busy_s: float = 1.5
    quiet_s: float = 2.0


BASE = Case()
TWIN = replace(BASE, server="twin")
"""The same on a server that has done as little as those it is compared with: a JVM grows faster with what it does."""
SERVERS: dict[str, RocketSettings] = {
    "base": RocketSettings(),
    "twin": RocketSettings(),
    "async": RocketSettings(flush="ASYNC_FLUSH"),
    "heap 256": RocketSettings(proxy_heap_mb=256),
    "heap 1024": RocketSettings(proxy_heap_mb=1024),
}
TABLES: dict[str, dict[str, Case]] = {
    "flush": {"SYNC_FLUSH": TWIN, "ASYNC_FLUSH": replace(BASE, server="async")},
    "type": {
        "NORMAL": BASE,
        "FIFO, 8 message groups": replace(BASE, topic="fifo", type="FIFO", message_groups=8),
        "FIFO, 1 message group": replace(BASE, topic="fifo", type="FIFO"),
    },
    "queues": {"1": replace(BASE, topic="q1"), "4": BASE, "16": replace(BASE, topic="q16")},
    "commands": {
        "1": replace(BASE, commands=1),
        "10": replace(BASE, commands=10),
        "100": BASE,
        "1,000": replace(BASE, commands=1000),
    },
    "batch": {"1": replace(BASE, batch=1), "8": replace(BASE, batch=8), "32": BASE},
    "pollers": {"1": replace(BASE, pollers=1), "2": BASE, "4": replace(BASE, pollers=4)},
    "invisible": {"2 s": replace(BASE, invisible_s=2), "15 s": BASE},
    "heap": {
        "256 MB": replace(BASE, server="heap 256"),
        "512 MB": TWIN,
        "1,024 MB": replace(BASE, server="heap 1024"),
    },
    "window": {f"{ms} ms": replace(BASE, window_ms=ms) for ms in (2, 5, 10, 20, 50)},
}


def topics(case: Case) -> tuple[str, str]:
    """There, and back."""
    return f"{case.topic}-orders", f"{case.topic}-executions"


def group(case: Case, who: str) -> str:
    """The consumer group: those of FIFO topics are ordered."""
    return f"{who}-fifo" if case.type == "FIFO" else who


# in processes of their own


def echo() -> None:
    """Send back what comes, as each line of standard input says anew, until it ends."""
    for line in sys.stdin:
        endpoints, fields = json.loads(line)
        case = Case(**fields)
        there, back = topics(case)
        sender = RocketSender(endpoints, in_flight=1024, type=case.type)
        receiver = RocketReceiver(
            endpoints,
            there,
            group(case, "echo"),
            pollers=case.pollers,
            batch=case.batch,
            invisible_s=case.invisible_s,
        )

        def answer(delivery: Delivery, sender: RocketSender = sender, back: str = back) -> None:
            def sent(future: Future[None]) -> None:
                if future.exception() is None:
                    delivery.ack()

            sender.send(back, delivery.body, delivery.headers).add_done_callback(sent)

        receiver.start(answer)
        print(receiver.wait_ready(READY_S), flush=True)
        sys.stdin.readline()  # an empty one: this case is over
        receiver.stop()
        sender.stop()


class Driver:
    """Sends, and takes the time until each message has come back."""

    def __init__(self, endpoints: str, case: Case) -> None:
        self.case = case
        self._topic, back = topics(case)
        self._sender = RocketSender(endpoints, in_flight=1024, type=case.type)
        self._receiver = RocketReceiver(
            endpoints, back, group(case, "driver"), pollers=case.pollers, batch=case.batch, invisible_s=case.invisible_s
        )
        self._run = f"{os.getpid()}-"
        self._sent: dict[str, float] = {}
        self._lock = threading.Lock()
        self._room = threading.Semaphore(case.in_flight)
        self._number = 0
        self.trips: list[float] = []
        self.sends: list[float] = []
        self.failed = 0
        self.twice = 0

    def __enter__(self) -> Driver:
        self._receiver.start(self._back)
        if not self._receiver.wait_ready(READY_S):
            raise SystemExit("no proxy")
        return self

    def __exit__(self, *_: object) -> None:
        self._receiver.stop()
        self._sender.stop()

    def send(self, body: bytes) -> None:
        self._number += 1
        number = self._number
        key = f"{self._run}{number}"
        began = time.perf_counter()
        with self._lock:
            self._sent[key] = began
        message_group = str(number % self.case.message_groups)

        def done(future: Future[None]) -> None:
            self.sends.append(time.perf_counter() - began)
            if future.exception() is not None:
                self.failed += 1

        self._sender.send(self._topic, body, {"key": key, "onseju-group": message_group}).add_done_callback(done)

    def busy(self, seconds: float, body: bytes) -> float:
        """Messages a second there and back, with as many on their way as may be."""
        self._closed(0.5, body)
        before, began = len(self.trips), time.perf_counter()
        self._closed(seconds, body)
        rate = (len(self.trips) - before) / (time.perf_counter() - began)
        self.drain()
        return rate

    def _closed(self, seconds: float, body: bytes) -> None:
        until = time.perf_counter() + seconds
        while time.perf_counter() < until:
            if self._room.acquire(timeout=0.1):
                self.send(body)

    def paced(self, seconds: float, rate: float, body: bytes) -> None:
        """One message each 1/rate s, on a timetable."""
        began = time.perf_counter()
        for number in range(int(seconds * rate)):
            time.sleep(max(0.0, began + number / rate - time.perf_counter()))
            self.send(body)

    def drain(self) -> int:
        """Wait for what is on its way; how many have not come."""
        until = time.perf_counter() + ANSWER_S
        while self._sent and time.perf_counter() < until:
            time.sleep(0.01)
        return len(self._sent)

    def _back(self, delivery: Delivery) -> None:
        delivery.ack()
        now = time.perf_counter()
        key = delivery.headers["key"]
        with self._lock:
            began = self._sent.pop(key, None)
        if began is not None:
            self.trips.append(now - began)
            self._room.release()
        elif key.startswith(self._run):
            self.twice += 1


def drive(endpoints: str, case: Case) -> dict[str, Any]:
    """One round of one case."""
    with Driver(endpoints, case) as driver:
        if case.window_ms:
            count = OFFERED * case.window_ms // 1000
            body = os.urandom(COMMAND_BYTES * count)
            driver.paced(0.5, 1000 / case.window_ms, body)
            driver.drain()
            driver.trips.clear()
            began = time.perf_counter()
            driver.paced(case.busy_s + case.quiet_s, 1000 / case.window_ms, body)
            missing = driver.drain()
            rate = len(driver.trips) * count / (time.perf_counter() - began)
            # what a command waits until its message goes, evenly, and the trip
            trips = [trip + case.window_ms / 1000 * part / 10 for trip in driver.trips for part in range(10)]
        else:
            body = os.urandom(COMMAND_BYTES * case.commands)
            rate = driver.busy(case.busy_s, body) * case.commands
            driver.trips.clear()
            driver.sends.clear()
            driver.paced(case.quiet_s, QUIET_RATE, os.urandom(COMMAND_BYTES))
            missing = driver.drain()
            trips = driver.trips
        return {
            "commands_per_s": rate,
            "trips_ms": [round(trip * 1000, 3) for trip in trips],
            "sends_ms": [round(send * 1000, 3) for send in driver.sends],
            "missing": missing,
            "failed": driver.failed,
            "twice": driver.twice,
        }


# the whole


class Echo:
    """The other side, in a process of its own, for one case after the other."""

    def __enter__(self) -> Echo:
        command = [sys.executable, "-m", "bench.rocketmq", "--echo"]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        return self

    def __exit__(self, *_: object) -> None:
        with self._process as process:
            assert process.stdin is not None
            process.stdin.close()

    def run(self, server: RocketServer, case: Case) -> dict[str, Any]:
        """One round of one case."""
        self._say(json.dumps([server.endpoints, asdict(case)]))
        assert self._process.stdout is not None
        if self._process.stdout.readline().strip() != "True":
            raise SystemExit("the echo does not start")
        try:
            return drive(server.endpoints, case)
        finally:
            self._say("")

    def _say(self, line: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()


def crash(server: RocketServer) -> dict[str, Any]:
    """Kill broker and proxy while messages are sent: how many confirmed ones are missing, and for how long nothing went."""
    got: set[str] = set()
    receiver = RocketReceiver(server.endpoints, "crash-orders", "echo")

    def take(delivery: Delivery) -> None:
        got.add(delivery.headers["key"])
        delivery.ack()

    receiver.start(take)
    receiver.wait_ready(READY_S)
    sender = RocketSender(server.endpoints)
    confirmed: dict[str, float] = {}
    ended = threading.Event()

    def send() -> None:
        number = 0
        while not ended.is_set():
            futures = {}
            for _ in range(20):
                number += 1
                key = f"{os.getpid()}-{number}"
                futures[key] = sender.send("crash-orders", os.urandom(COMMAND_BYTES * 10), {"key": key})
            for key, future in futures.items():
                if future.exception() is None:
                    confirmed[key] = time.perf_counter()
            ended.wait(0.005)

    thread = threading.Thread(target=send)
    thread.start()
    time.sleep(2.0)
    killed = time.perf_counter()
    server.kill_proxy()
    server.start()
    started = time.perf_counter()
    while not any(at > started for at in list(confirmed.values())) and time.perf_counter() < started + READY_S:
        time.sleep(0.01)
    time.sleep(1.0)
    ended.set()
    thread.join()
    until = time.perf_counter() + ANSWER_S
    while not set(confirmed) <= got and time.perf_counter() < until:
        time.sleep(0.05)
    missing = len(set(confirmed) - got)
    receiver.stop()
    sender.stop()
    after = min((at for at in confirmed.values() if at > started), default=started)
    return {
        "confirmed": len(confirmed),
        "missing": missing,
        "server_s": started - killed,
        "service_s": after - killed,
    }


def percentile(values: list[float], share: float) -> float:
    """The value that `share` of all do not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else float("nan")


def measure(
    folder: Path, rounds: int, shorter: float, minutes: float, chosen: Collection[str]
) -> Iterator[dict[str, Any]]:
    """The chosen tables after each round; no round begins that would end after so many minutes."""
    cases = dict.fromkeys(case for name in chosen for case in TABLES[name].values())
    servers = {
        name: RocketServer(folder / name.replace(" ", "-"), settings=SERVERS[name])
        for name in dict.fromkeys(case.server for case in cases)
    }
    until = time.monotonic() + minutes * 60
    try:
        for name, server in servers.items():
            server.start()
            if name == "base":
                server.make(topics(replace(BASE, topic="q1")), ["echo", "driver"], queues=1)
                server.make(topics(replace(BASE, topic="q16")), queues=16)
                server.make(topics(replace(BASE, topic="fifo")), ["echo-fifo", "driver-fifo"], queues=4, type="FIFO")
            server.make([*topics(BASE), "crash-orders"], ["echo", "driver"])
        crashes = {}
        if "flush" in chosen:
            crashes = {SERVERS[name].flush: crash(servers[name]) for name in ("twin", "async")}
        results: dict[Case, list[dict[str, Any]]] = {case: [] for case in cases}
        took = 0.0
        with Echo() as other:
            for turn in range(rounds + 1):  # the first is to warm up, and does not count
                if time.monotonic() + took > until:
                    return
                began = time.monotonic()
                for case in cases:
                    share = shorter if turn else shorter / 2
                    short = replace(case, busy_s=case.busy_s * share, quiet_s=case.quiet_s * share)
                    one = other.run(servers[case.server], short)
                    print(turn, case, round(one["commands_per_s"]), one["missing"], flush=True)
                    if turn:
                        results[case].append(one)
                took = time.monotonic() - began
                if turn:
                    yield {"tables": summaries(results, chosen), "crashes": crashes, "rounds": turn}
    finally:
        for server in servers.values():
            server.kill()


def summaries(results: dict[Case, list[dict[str, Any]]], chosen: Collection[str]) -> dict[str, dict[str, Any]]:
    """All tables of what there is so far."""
    return {table: {label: summary(results[case]) for label, case in TABLES[table].items()} for table in chosen}


def summary(rounds: list[dict[str, Any]]) -> dict[str, Any]:
    """Many rounds' figures in one row."""
    trips = [trip for one in rounds for trip in one["trips_ms"]]
    sends = [send for one in rounds for send in one["sends_ms"]]
    rates = [one["commands_per_s"] for one in rounds]
    return {
        "commands_per_s": statistics.median(rates),
        "slowest_per_s": min(rates),
        "fastest_per_s": max(rates),
        "p50_ms": percentile(trips, 0.5),
        "p95_ms": percentile(trips, 0.95),
        "p99_ms": percentile(trips, 0.99),
        "send_p50_ms": percentile(sends, 0.5),
        "send_p99_ms": percentile(sends, 0.99),
        "trips": len(trips),
        "missing": sum(one["missing"] for one in rounds),
        "failed": sum(one["failed"] for one in rounds),
        "twice": sum(one["twice"] for one in rounds),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one short round: whether it runs, not what it costs")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--minutes", type=float, default=12.0, help="no round begins that would end later (12)")
    parser.add_argument("--tables", nargs="+", choices=list(TABLES), default=list(TABLES), help="only these")
    parser.add_argument("--echo", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.echo:
        echo()
        return
    about = {
        "quick": options.quick,
        "cores": os.cpu_count(),
        "machine": platform.machine(),
        "load_before": os.getloadavg()[0],
    }
    RESULT.parent.mkdir(parents=True, exist_ok=True)
    earlier = {"tables": {}, "crashes": {}}
    if options.tables != list(TABLES) and RESULT.exists():
        earlier = json.loads(RESULT.read_text("utf-8"))
    rounds, shorter = (1, 0.25) if options.quick else (options.rounds, 1.0)
    with tempfile.TemporaryDirectory(prefix="onseju-rocketmq-") as folder:
        for figures in measure(Path(folder), rounds, shorter, options.minutes, options.tables):
            for part in ("tables", "crashes"):
                figures[part] = earlier[part] | figures[part]
            RESULT.write_text(json.dumps(figures | about, indent=2), "utf-8")


if __name__ == "__main__":
    main()
