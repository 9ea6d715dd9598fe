"""The steps of the measurement: the generator alone, each way up to its maximum, the tables' own rate, and the peers."""

from __future__ import annotations

import contextlib
import shutil
import statistics
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import msgspec

from bench.books.peers import FailedError
from bench.httpload import Server
from bench.load import peers
from bench.load.flow import Symbol
from bench.load.generator import WAYS, Generator, Way
from bench.load.profile import Profiler
from bench.load.watch import Watch, by_process, drain, processor_s, resident_mib, stages, threads_s

NEVER_S = 3600.0
"""Looks at the server's metrics that nobody needs would be in the profile."""

LISTENING = ("http", "websocket")
"""Ways whose accounts all listen on SSE at half of the maximum. Beside the others two accounts of their own trade and listen,
in an instrument of their own: a stream of ten thousands of events a second is not what anybody reads."""

RULES = {"max_open_orders": 0}


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """How much is measured. Seconds, unless it says otherwise."""

    seconds: float
    """Of each open loop."""
    warm_up_s: float
    closed_s: float
    alone_s: float
    profile_s: float
    drain_s: float
    """Patience for the tables."""
    sustain_s: float
    ladder: tuple[int, ...] = (2_500, 5_000, 10_000, 20_000, 30_000, 40_000, 60_000, 80_000)
    """Commands a second that the tables have to keep up with."""
    shares: tuple[float, ...] = (0.5, 0.8, 0.95)
    """Of the maximum, for the open loops; the first is the one with listeners."""
    accounts: int = 200
    symbols: int = 6
    peer_s: float
    peer_rounds: int
    small: bool = False
    """Few connections and small batches: whether it works."""


def full(seconds: float = 60) -> Plan:
    """The long form. Shorter open loops come with shorter looks at everything else."""
    return Plan(
        seconds=seconds,
        warm_up_s=min(2, 0.5 + seconds / 10),
        closed_s=min(8, 2 + 0.15 * seconds),
        alone_s=2,
        profile_s=min(8, 2 + 0.15 * seconds),
        drain_s=min(20, 2 + 0.3 * seconds),
        sustain_s=min(15, 2 + 0.3 * seconds),
        peer_s=min(5, 2 + 0.1 * seconds),
        peer_rounds=3,
    )


QUICK = Plan(
    seconds=0.4,
    warm_up_s=0.1,
    closed_s=0.3,
    alone_s=0.1,
    profile_s=0,
    drain_s=10,
    sustain_s=0.6,
    ladder=(200,),
    shares=(0.5,),
    accounts=8,
    symbols=3,
    peer_s=0.3,
    peer_rounds=1,
    small=True,
)


def way_of(name: str, plan: Plan) -> Way:
    """A way, as large as the plan wants it."""
    way = WAYS[name]
    if not plan.small:
        return way
    return msgspec.structs.replace(
        way, connections=min(4, way.connections), in_flight=min(8, way.in_flight), batch=min(20, way.batch)
    )


class Opening:
    """A venue as it is before any load: its accounts and rules, in a data folder that is copied for each server."""

    def __init__(self, directory: Path, plan: Plan, tree: Path | None = None) -> None:
        self._template = directory / "opening"
        self._template.mkdir()
        self._copies = 0
        self._directory = directory
        self._tree = tree
        with Server(self._template, tree) as server:
            rows = list(server.symbols().items())[: plan.symbols + 1]
            instruments = [Symbol(name, number, price) for number, (name, price) in enumerate(rows, 1)]
            self.symbols, self.probe_symbol = instruments[:-1], instruments[-1]
            for rule, value in RULES.items():
                server.set_rule(rule, value)

            def account(number: int) -> str:
                symbols = [self.probe_symbol] if number >= plan.accounts else self.symbols
                return server.account(f"load-{number}", 10**15, dict.fromkeys([one.name for one in symbols], 10**10))

            with ThreadPoolExecutor(16) as pool:
                keys = list(pool.map(account, range(plan.accounts + 2)))
        self.keys, self.probe_keys = keys[: plan.accounts], keys[plan.accounts :]

    @contextlib.contextmanager
    def server(self) -> Iterator[Server]:
        """A fresh server on a copy of it."""
        self._copies += 1
        directory = self._directory / f"copy-{self._copies}"
        shutil.copytree(self._template, directory)
        try:
            with Server(directory, self._tree) as server:
                yield server
        finally:
            shutil.rmtree(directory)


def generator_alone(plan: Plan, ways: Sequence[str], symbols: Sequence[Symbol]) -> dict[str, Any]:
    """What the load process reaches with a server that does nothing."""
    told = {}
    for name in ways:
        way = way_of(name, plan)
        with (
            tempfile.TemporaryDirectory(prefix="onseju-bench-") as directory,
            peers.nothing(name, way.batch, Path(directory)) as server,
            Generator() as generator,
        ):
            generator.connect(server.port, way, peers.keys(plan.accounts), symbols, way.mix)
            generator.ask("run", seconds=plan.alone_s / 2)
            told[name] = generator.ask("run", seconds=plan.alone_s)
    return told


def loaded(watch: Watch, server: Server, generator: Generator, **run: Any) -> dict[str, Any]:
    """A run, with what the server did meanwhile."""
    before, threads, spent = watch.metrics(), threads_s(server.pid), processor_s(server.pid)
    told = generator.ask("run", **run)
    after, threads_after = watch.metrics(), threads_s(server.pid)
    spent = processor_s(server.pid) - spent
    seconds = after.at - before.at
    done = (after.head - after.lag) - (before.head - before.lag)
    return {
        **told,
        "server_us": round(spent / max(1, told["commands"]) * 1e6, 1),
        "server_cores": round(spent / seconds, 3),
        "threads": by_process(threads, threads_after),
        "stages": stages(before, after),
        "lag": after.lag,
        "tables_per_s": round(done / seconds),
        "memory_mib": resident_mib(server.pid),
    }


def maximum(server: Server, opening: Opening, generator: Generator, way: Way, plan: Plan) -> dict[str, Any]:
    """Closed loop with both flows, and a profile of the realistic one."""
    told: dict[str, Any] = {}
    with Watch(server, NEVER_S) as watch:
        for mix in ("simple", way.mix):
            generator.connect(server.port, way, opening.keys, opening.symbols, mix)
            generator.ask("run", seconds=plan.warm_up_s)
            told["simple" if mix == "simple" else "mixed"] = loaded(watch, server, generator, seconds=plan.closed_s)
        if plan.profile_s:
            try:
                with tempfile.TemporaryDirectory(prefix="onseju-bench-") as directory:
                    profiler = Profiler(server.pid, plan.profile_s, Path(directory))
                    generator.ask("run", seconds=plan.profile_s + 1)
                    told["profile"] = profiler.result()
            except FailedError as error:
                told["profile"] = {"missing": str(error)}
    return told


def step(
    server: Server, opening: Opening, generator: Generator, way: Way, plan: Plan, per_s: float, share: float
) -> dict[str, Any]:
    """An open loop at one rate, and the tables' way back."""
    with Watch(server, max(0.2, min(10.0, plan.seconds / 6))) as watch:
        generator.connect(server.port, way, opening.keys, opening.symbols, way.mix)
        generator.ask("run", seconds=plan.warm_up_s, per_s=per_s / 2)
        begin = resident_mib(server.pid)
        more: dict[str, Any] = {}
        if share == plan.shares[0]:
            if way.name in LISTENING:
                more["listeners"] = len(opening.keys) if way.name == "http" else way.connections
            else:
                more |= {"probe": opening.probe_keys, "symbol": list(opening.probe_symbol)}
        told = loaded(watch, server, generator, seconds=plan.seconds, per_s=per_s, **more)
        told["drain"] = drain(watch, plan.drain_s)
        told["memory"] = {
            "begin_mib": begin,
            "most_mib": max([begin, told["memory_mib"], *(sample[3] for sample in watch.samples)]),
            "end_mib": resident_mib(server.pid),
        }
        told["samples"] = [list(sample) for sample in watch.samples]
    return {"share": share, "rate": round(per_s), **told}


def sustained(
    server: Server, opening: Opening, generator: Generator, plan: Plan, way: Way, most: float
) -> list[dict[str, Any]]:
    """Rising rates until the tables fall behind for good. A rate is kept up with where the lag, from the middle of its time
    to the end, does not grow by more than a twentieth of what came in."""
    rows = []
    with Watch(server, max(0.1, plan.sustain_s / 30)) as watch:
        generator.connect(server.port, way, opening.keys, opening.symbols, way.mix)
        generator.ask("run", seconds=plan.warm_up_s, per_s=plan.ladder[0])
        drain(watch, plan.drain_s)
        for per_s in plan.ladder:
            if per_s > most:
                break
            del watch.samples[:]
            told = generator.ask("run", seconds=plan.sustain_s, per_s=per_s)
            samples = list(watch.samples)
            if len(samples) < 2:
                samples = [(0.0, (now := watch.metrics()).head, now.lag, 0.0)] * 2
            middle, last = samples[len(samples) // 2], samples[-1]
            passed = max(1e-9, last[0] - middle[0])
            rows.append(
                {
                    "rate": per_s,
                    "per_s": told["per_s"],
                    "lag": last[2],
                    "growth_per_s": round((last[2] - middle[2]) / passed),
                    "tables_per_s": round(((last[1] - last[2]) - (middle[1] - middle[2])) / passed),
                    "keeps_up": last[2] - middle[2] <= max(0.05 * per_s * passed, 0.2 * per_s),
                }
            )
            if not rows[-1]["keeps_up"] or drain(watch, plan.drain_s)["left"]:
                break
    return rows


def beside(opening: Opening, plan: Plan) -> dict[str, Any]:
    """The same requests to us and to what one would run instead: rounds in turn, then each at half of its own maximum."""
    way = way_of("http", plan)
    told: dict[str, Any] = {}
    with contextlib.ExitStack() as stack:
        servers: dict[str, tuple[int, int, Sequence[str], str]] = {}
        ours = stack.enter_context(opening.server())
        servers["onseju"] = ours.port, ours.pid, opening.keys, "onseju"
        told["onseju"] = {"label": "**Onseju**", "rounds": []}
        for peer in peers.PEERS:
            directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="onseju-bench-")))
            told[peer.name] = {"label": peer.label, "rounds": []}
            try:
                process = stack.enter_context(peers.start(peer, directory, plan.accounts, opening.symbols))
                servers[peer.name] = process.port, process.pid, peers.keys(plan.accounts), peer.dialect
            except (FailedError, RuntimeError) as error:
                told[peer.name]["missing"] = str(error)
        generator = stack.enter_context(Generator())

        def turn(name: str, seconds: float, per_s: float = 0.0) -> dict[str, Any]:
            """Its turn, on fresh connections: some servers close those that were idle for five seconds."""
            port, pid, keys, dialect = servers[name]
            generator.connect(port, way, keys, opening.symbols, "entered", dialect)
            generator.ask("run", seconds=plan.warm_up_s)
            spent = processor_s(pid)
            row = generator.ask("run", seconds=seconds, per_s=per_s)
            return {**row, "server_us": round((processor_s(pid) - spent) / max(1, row["commands"]) * 1e6, 1)}

        for _ in range(plan.peer_rounds):
            for name in servers:
                told[name]["rounds"].append(turn(name, plan.peer_s))
        for name in servers:
            rounds = told[name]["rounds"]
            for figure in ("per_s", "server_us"):
                told[name][figure] = statistics.median(row[figure] for row in rounds)
            half = max(1.0, told[name]["per_s"] / 2)
            told[name]["half"] = turn(name, min(plan.seconds, 2 * plan.peer_s), half)
    return told


def against(here: Opening, there: Opening, plan: Plan, names: Sequence[str]) -> dict[str, Any]:
    """The ways' maxima on two trees of Onseju: both servers run, and take turns. Medians."""
    rows: dict[str, dict[str, list[dict[str, Any]]]] = {name: {"here": [], "there": []} for name in names}
    with here.server() as ours, there.server() as theirs, Generator() as generator:
        for _ in range(plan.peer_rounds):
            for name in names:
                way = way_of(name, plan)
                for side, opening, server in (("here", here, ours), ("there", there, theirs)):
                    generator.connect(server.port, way, opening.keys, opening.symbols, way.mix)
                    generator.ask("run", seconds=plan.warm_up_s)
                    spent = processor_s(server.pid)
                    row = generator.ask("run", seconds=plan.peer_s)
                    row["server_us"] = (processor_s(server.pid) - spent) / max(1, row["commands"]) * 1e6
                    rows[name][side].append(row)
    return {
        name: {
            side: {key: round(statistics.median(row[key] for row in found), 1) for key in ("per_s", "server_us")}
            for side, found in sides.items()
        }
        for name, sides in rows.items()
    }
