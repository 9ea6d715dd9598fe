"""What may go wrong on many machines, each as a function of the running set and of the load on it.

Each brings one fault about and returns once service is as it was before. What it must prove beyond the ledger, it does itself.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import psycopg

from onseju.scaled.postgres_server import free_port
from onseju.scaled.tied import tied
from tests.pgproxy import PostgresProxy
from tests.scaled.ledger import Load
from tests.scaled.relay import Namespace, Relay
from tests.scaled.the_set import LEAVE_S, SERVERS, WAIT_S, Beside, Process, ScaledSet, kill

CUT_S = float(os.environ.get("ONSEJU_SCALED_CUT_S", "30"))
"""So long the network is cut."""

AFTER = 20
"""So many orders of each trader must be acknowledged afterwards."""

Fault = Callable[[ScaledSet, Load, int], None]
"""The third is the round's number."""


def kill_gateway(scaled: ScaledSet, load: Load, round_: int) -> None:
    """`kill -9` of a gateway, each in turn."""
    _kill_process(scaled, f"gateway {round_ % 2 + 1}")


def kill_exchange(scaled: ScaledSet, load: Load, round_: int) -> None:
    """`kill -9` of the exchange that leads. No gateway's commands may be given up: both gateways live, and send again."""
    before = _kill_process(scaled, "exchange leader")
    leader = scaled.processes()["exchange leader"]
    assert leader["epoch"] > before["epoch"]
    load.go_on(AFTER)
    assert metric(leader["url"], "onseju_gaps_closed_total") == 0


def kill_projector(scaled: ScaledSet, load: Load, round_: int) -> None:
    """`kill -9` of the projector that writes, after its commit has reached the database and before it has heard so."""
    before = scaled.processes()
    settings = scaled.settings_of(before["projector active"])
    proxy = PostgresProxy(settings["ONSEJU_DATABASE_URL"])
    beside = Beside("projector", settings, scaled.data_dir, database_url=proxy.url)
    try:
        beside.ready()
        kill(before["projector active"]["pid"])
        beside.wait(lambda found: found["role"] == "active")
        load.go_on(AFTER)
        proxy.stop_at(b"COMMIT", before=False)
        assert proxy.reached.wait(WAIT_S), "the projector commits nothing"
        beside.kill()
    finally:
        beside.kill()
        proxy.close()
    scaled.wait_complete({before["projector active"]["pid"]})


def kill_rocketmq(scaled: ScaledSet, load: Load, round_: int) -> None:
    """`kill -9` of the broker, and of the proxy: in this set they are one process. Flushes are synchronous."""
    _kill_server(scaled, "proxy")


def kill_nameserver(scaled: ScaledSet, load: Load, round_: int) -> None:
    """`kill -9` of the name server."""
    _kill_server(scaled, "nameserver")


def kill_postgresql(scaled: ScaledSet, load: Load, round_: int) -> None:
    """`kill -9` of PostgreSQL's first process."""
    _kill_server(scaled, "PostgreSQL")


def kill_proxy(scaled: ScaledSet, load: Load, round_: int) -> None:
    """`kill -9` of a proxy that is a process of its own; the broker lives. The leader and a gateway are connected to it."""
    proxy = OwnProxy(scaled)
    try:
        with machine(scaled, load, f"127.0.0.1:{proxy.port}"):
            load.go_on(AFTER)
            proxy.kill()
            proxy.start()
            load.go_on(AFTER)
    finally:
        proxy.kill()


def cut_network(scaled: ScaledSet, load: Load, round_: int) -> None:
    """The leader and a gateway lose PostgreSQL, RocketMQ, or both, without a word, and find them again."""
    like = scaled.settings_of(scaled.processes()["exchange leader"])
    namespace = Namespace.make()
    here = namespace.back if namespace is not None else "127.0.0.1"
    database = Relay(_port(like["ONSEJU_DATABASE_URL"]), here)
    broker = Relay(int(like["ONSEJU_ROCKETMQ_ENDPOINTS"].rpartition(":")[2]), here)
    url = like["ONSEJU_DATABASE_URL"].replace(
        f"127.0.0.1:{_port(like['ONSEJU_DATABASE_URL'])}", f"{here}:{database.port}"
    )
    which = ("both", "database", "broker")[round_ % 3]
    try:
        with machine(scaled, load, f"{here}:{broker.port}", url, namespace) as (exchange, gateway):
            epoch = exchange.ready()["epoch"]
            load.go_on(AFTER)
            began_s = time.monotonic()
            ways = [way for way, name in ((database, "database"), (broker, "broker")) if which in (name, "both")]
            cables = [namespace] if namespace is not None and which == "both" else ways
            for cable in cables:
                cable.cut()
            print(
                f"cut: {which}, by {'a network namespace' if cables == [namespace] else 'a relay that hands nothing on'}"
            )
            if which != "broker":  # somebody else leads before the network is there again
                scaled.wait_for(lambda found: found.get("exchange leader", {"epoch": 0})["epoch"] > epoch)
                print(f"another exchange leads after {time.monotonic() - began_s:.1f} s")
                load.urls = [one for one in load.urls if one != gateway.url]
                load.go_on(AFTER)
            time.sleep(max(0.0, began_s + CUT_S - time.monotonic()))  # what is under test is a time
            for cable in cables:
                cable.mend()
            if which != "broker":
                _until(lambda: exchange.status is not None, "an exchange that was followed must end")
            gateway.ready()
            load.urls = [*load.urls, gateway.url] if gateway.url not in load.urls else load.urls
            load.go_on(AFTER)
    finally:
        database.close()
        broker.close()
        if namespace is not None:
            namespace.close()


def many_exchanges(scaled: ScaledSet, load: Load, round_: int) -> None:
    """Both exchanges die, and two more start at the moment in which they are started again: one of all leads."""
    before = scaled.processes()
    settings = scaled.settings_of(before["exchange leader"])
    gone = {before[f"exchange {role}"]["pid"] for role in ("leader", "standby")}
    for pid in gone:
        kill(pid)
    beside = [Beside("exchange", settings, scaled.data_dir) for _ in range(2)]
    try:
        for one in beside:
            one.ready()
        scaled.wait_for(lambda found: bool(gone.isdisjoint(process["pid"] for process in found.values())))
        load.go_on(AFTER)
        database = scaled.settings_of(before["exchange leader"] | {"pid": beside[0].pid})["ONSEJU_DATABASE_URL"]
        with psycopg.connect(database) as connection:
            row = connection.execute("SELECT epoch FROM journal.leader").fetchone()
        epochs = [found["epoch"] for one in beside if (found := one.standing()) is not None]
        epochs += [process["epoch"] for name, process in scaled.processes().items() if name.startswith("exchange")]
        assert row is not None
        assert [epoch for epoch in epochs if epoch] == [row[0]], "one leads"
    finally:
        for one in beside:
            one.stop()
    scaled.wait_complete(gone)


def twice_and_shuffled(scaled: ScaledSet, load: Load, round_: int) -> None:
    """RocketMQ takes every message twice, and brings each twice in any order."""
    like = scaled.settings_of(scaled.processes()["exchange leader"])
    shim = subprocess.Popen(
        [sys.executable, "-m", "tests.scaled.shim", like["ONSEJU_ROCKETMQ_ENDPOINTS"].rpartition(":")[2]],
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
    )
    try:
        assert shim.stdout is not None
        port = int(shim.stdout.readline())
        with machine(scaled, load, f"127.0.0.1:{port}", alone=True) as (exchange, _):
            load.go_on(5 * AFTER)
            assert metric(exchange.url, "onseju_messages_repeated_total") > AFTER
    finally:
        shim.kill()
        shim.wait()
        if shim.stdout is not None:
            shim.stdout.close()


FAULTS: dict[str, Fault] = {
    "gateway killed": kill_gateway,
    "leading exchange killed": kill_exchange,
    "projector killed after its commit": kill_projector,
    "broker and proxy killed": kill_rocketmq,
    "proxy alone killed": kill_proxy,
    "name server killed": kill_nameserver,
    "PostgreSQL killed": kill_postgresql,
    "network cut for 30 s": cut_network,
    "exchanges started at once": many_exchanges,
    "everything twice and shuffled": twice_and_shuffled,
}


# parts of them


@contextlib.contextmanager
def machine(
    scaled: ScaledSet,
    load: Load,
    broker: str,
    database: str | None = None,
    namespace: Namespace | None = None,
    *,
    alone: bool = False,
) -> Iterator[tuple[Beside, Beside]]:
    """An exchange that leads and a gateway, both with these addresses of broker and database. The load goes to the gateway,
    too; to nobody else, where it is `alone`."""
    before = scaled.processes()
    like = scaled.settings_of(before["exchange leader"])
    gateway_like = scaled.settings_of(before["gateway 1"]) | {"ONSEJU_GATEWAY_ID": "3", "ONSEJU_BOTS": "false"}
    other = {"rocketmq_endpoints": broker, **({} if database is None else {"database_url": database})}
    host = "127.0.0.1" if namespace is None else namespace.front
    inside = () if namespace is None else namespace.inside
    of_gateway = {} if namespace is None else {"allowed_hosts": f'["{host}"]'}
    urls = load.urls
    with contextlib.ExitStack() as stack:
        exchange = Beside("exchange", like, scaled.data_dir, host=host, inside=inside, **other)
        stack.callback(exchange.stop)
        gateway = Beside("gateway", gateway_like, scaled.data_dir, host=host, inside=inside, **other, **of_gateway)
        stack.callback(gateway.stop)
        exchange.wait(lambda found: found["role"] == "standby" and found["ready"])
        gateway.ready()
        pids = [before[f"exchange {role}"]["pid"] for role in ("leader", "standby")]
        for pid in pids:
            kill(pid)
        exchange.wait(lambda found: found["role"] == "leader" and found["ready"])
        scaled.wait_for(lambda found: "exchange standby" in found and found["exchange standby"]["ready"])
        load.urls = [gateway.url] if alone else [*urls, gateway.url]
        try:
            yield exchange, gateway
        finally:
            load.urls = urls
    scaled.wait_complete(set(pids))


class OwnProxy:
    """A proxy of the set's broker, in a process of its own."""

    def __init__(self, scaled: ScaledSet) -> None:
        self._folder = scaled.data_dir.absolute() / "scaled" / "rocketmq"
        running = Path(f"/proc/{scaled.server_pid('proxy')}/cmdline").read_text().split("\0")[:-1]
        self.port = free_port()
        conf = self._folder / "conf" / "proxy-alone.json"
        text = (self._folder / "conf" / "proxy.json").read_text("utf-8")
        conf.write_text(json.dumps(json.loads(text) | {"grpcServerPort": self.port, "remotingListenPort": free_port()}))
        at = running.index("-pm")
        self._command = [*running[:at], "-pm", "cluster", "-pc", str(conf)]
        self.start()

    def start(self) -> None:
        with (self._folder / "proxy-alone.log").open("ab") as log:
            self._process = subprocess.Popen(
                tied(self._command),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self._folder,
                env={**os.environ, "ROCKETMQ_HOME": str(self._folder)},
            )
        _until(lambda: _listens(self.port), "the proxy does not start")

    def kill(self) -> None:
        """Idempotent."""
        self._process.kill()
        self._process.wait(LEAVE_S)


def metric(url: str, name: str) -> float:
    """One of a process's metrics."""
    text = httpx.get(f"{url}/metrics", trust_env=False, timeout=10).text
    return next(float(line.split()[-1]) for line in text.splitlines() if line.startswith(f"{name} "))


def _kill_process(scaled: ScaledSet, name: str) -> Process:
    process = scaled.processes()[name]
    kill(process["pid"])
    scaled.wait_complete({process["pid"]})
    return process


def _kill_server(scaled: ScaledSet, name: str) -> None:
    assert name in SERVERS
    pid = scaled.server_pid(name)
    kill(pid)
    _until(lambda: scaled.server_pid(name) not in (0, pid), f"{name} is not started again")
    scaled.wait_complete()


def _until(condition: Callable[[], bool], otherwise: str) -> None:
    until = time.monotonic() + WAIT_S
    while not condition():
        assert time.monotonic() < until, otherwise
        time.sleep(0.05)


def _listens(port: int) -> bool:
    with socket.socket() as sock:
        return sock.connect_ex(("127.0.0.1", port)) == 0


def _port(url: str) -> int:
    return int(url.rpartition("/")[0].rpartition(":")[2])
