"""A RocketMQ of our own: name server, and proxy with the broker in it, on free ports of this machine alone."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from onseju.scaled.postgres_server import ServerError, free_port
from onseju.scaled.rocketmq_jars import jars, java
from onseju.scaled.tied import tied

FlushMode = Literal["SYNC_FLUSH", "ASYNC_FLUSH"]
TopicType = Literal["NORMAL", "FIFO"]

ORDERS_TOPIC = "onseju-orders"
EXECUTIONS_TOPIC = "onseju-executions"
CLUSTER = "onseju"
QUEUES = 4

START_S = 90.0
STOP_S = 20.0
ADMIN_S = 60.0
POLL_S = 0.05

MAX_DELIVERIES = 1_000_000
"""RocketMQ's own 16 would put a message aside for good that was handed out so often and never acknowledged: lost, for us."""

_JVM = (
    "-XX:-UsePerfData",
    "-XX:+ExitOnOutOfMemoryError",
    "--add-exports=java.base/jdk.internal.ref=ALL-UNNAMED",
    "--add-opens=java.base/java.nio=ALL-UNNAMED",
    "--add-opens=java.base/sun.nio.ch=ALL-UNNAMED",
)
_SHORT_JVM = ("-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC")
_LOGBACK = """<?xml version="1.0" encoding="UTF-8"?>
<configuration>
  <appender name="console" class="org.apache.rocketmq.logging.ch.qos.logback.core.ConsoleAppender">
    <encoder><pattern>%d{yyyy-MM-dd HH:mm:ss.SSS} %p %t %c{0} - %m%n</pattern></encoder>
  </appender>
  <root level="WARN"><appender-ref ref="console"/></root>
</configuration>
"""


@dataclass(frozen=True, slots=True)
class RocketSettings:
    """What may be chosen for the server; see docs/rocketmq-tuning.md for what the choices cost."""

    flush: FlushMode = "SYNC_FLUSH"
    """SYNC_FLUSH: a message is taken when it is on the disk. ASYNC_FLUSH: a power cut costs the last half second."""
    proxy_heap_mb: int = 512
    proxy_direct_mb: int = 512
    nameserver_heap_mb: int = 64
    broker: Mapping[str, str] | None = None
    """More of the broker's `broker.conf`, by name."""


@dataclass(frozen=True, slots=True)
class Ports:
    """Where the parts listen, all on 127.0.0.1."""

    nameserver: int
    grpc: int
    remoting: int
    broker: int
    replication: int


class RocketServer:
    """Name server and proxy with broker, on one folder, from `start` until `stop`.

    Its processes end with the thread that has started them (`scaled.tied`).
    """

    def __init__(self, directory: Path, *, settings: RocketSettings | None = None, cache: Path | None = None) -> None:
        self.directory = directory.absolute()
        self.settings = settings or RocketSettings()
        self._cache = cache
        self._ports: Ports | None = None
        self._jars: Path | None = None
        self._java: Path | None = None
        self._nameserver: subprocess.Popen[bytes] | None = None
        self._proxy: subprocess.Popen[bytes] | None = None

    @property
    def ports(self) -> Ports:
        """The ports; they are chosen at the first start, and kept."""
        if self._ports is None:
            raise ServerError("RocketMQ has not been started.")
        return self._ports

    @property
    def endpoints(self) -> str:
        """The proxy's address for clients, host:port."""
        return f"127.0.0.1:{self.ports.grpc}"

    @property
    def pids(self) -> tuple[int, int]:
        """The processes of the name server and of proxy and broker. Raises `ServerError` where they do not run."""
        if self._nameserver is None or self._proxy is None:
            raise ServerError("RocketMQ is not running.")
        return self._nameserver.pid, self._proxy.pid

    @property
    def is_running(self) -> bool:
        """Whether the processes of both are there."""
        return _runs(self._nameserver) and _runs(self._proxy)

    def start(self) -> None:
        """Start what does not run, or has ended, and return once it takes messages. Raises `ServerError`."""
        self._java, self._jars = java(), jars(self._cache)
        if self._ports is None:
            self._ports = _free_ports()
        self._write_settings()
        try:
            if not _runs(self._nameserver):
                self._nameserver = self._run(
                    "nameserver",
                    "org.apache.rocketmq.namesrv.NamesrvStartup",
                    ["-c", str(self._conf / "namesrv.conf")],
                    self.settings.nameserver_heap_mb,
                )
                self._wait(self._nameserver, "nameserver", [self.ports.nameserver])
            if not _runs(self._proxy):
                arguments = [
                    "-pm",
                    "local",
                    "-pc",
                    str(self._conf / "proxy.json"),
                    "-bc",
                    str(self._conf / "broker.conf"),
                ]
                self._proxy = self._run(
                    "proxy",
                    "org.apache.rocketmq.proxy.ProxyStartup",
                    arguments,
                    self.settings.proxy_heap_mb,
                    self.settings.proxy_direct_mb,
                )
                self._wait(self._proxy, "proxy", [self.ports.broker, self.ports.grpc])
        except BaseException:
            self.stop()
            raise

    def make(
        self,
        topics: Iterable[str] = (ORDERS_TOPIC, EXECUTIONS_TOPIC),
        groups: Iterable[str] = (),
        *,
        queues: int = QUEUES,
        type: TopicType = "NORMAL",
    ) -> None:
        """Make topics of so many queues, and consumer groups, or change those that are there. Raises `ServerError`.

        Messages are handed out to a group until it acknowledges them; a FIFO topic's in their order.
        """
        topic_configs = [
            {
                "topicName": topic,
                "readQueueNums": queues,
                "writeQueueNums": queues,
                "attributes": {"+message.type": type},
            }
            for topic in topics
        ]
        group_configs = [
            {"groupName": group, "retryMaxTimes": MAX_DELIVERIES, "consumeMessageOrderly": type == "FIFO"}
            for group in groups
        ]
        self._administer(
            {
                command: configs
                for command, configs in (("updateTopicList", topic_configs), ("updateSubGroupList", group_configs))
                if configs
            }
        )

    def stop(self) -> None:
        """End both, what was taken written; half a minute is enough. Idempotent."""
        self._end(signal.SIGTERM, nameserver=True)

    def stop_proxy(self) -> None:
        """End proxy and broker in order; the name server goes on. `start` starts them again, on the same store and ports."""
        self._end(signal.SIGTERM, nameserver=False)

    def kill_proxy(self) -> None:
        """The same as a crash does."""
        self._end(signal.SIGKILL, nameserver=False)

    def kill(self) -> None:
        """End both as a crash does."""
        self._end(signal.SIGKILL, nameserver=True)

    def _end(self, number: signal.Signals, *, nameserver: bool) -> None:
        ending = [self._proxy, self._nameserver] if nameserver else [self._proxy]
        self._proxy = None
        if nameserver:
            self._nameserver = None
        running = [process for process in ending if process is not None]
        for process in running:
            process.send_signal(number)
        until = time.monotonic() + STOP_S
        for process in running:
            try:
                process.wait(max(0.0, until - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    @property
    def _conf(self) -> Path:
        return self.directory / "conf"

    @property
    def _broker_address(self) -> str:
        return f"127.0.0.1:{self.ports.broker}"

    def _write_settings(self) -> None:
        self._conf.mkdir(parents=True, exist_ok=True)
        ports = self.ports
        for part in ("namesrv", "broker", "proxy", "tools"):
            (self._conf / f"rmq.{part}.logback.xml").write_text(_LOGBACK, "utf-8")
        nameserver = {"listenPort": str(ports.nameserver), "bindAddress": "127.0.0.1"}
        (self._conf / "namesrv.conf").write_text(_properties(nameserver), "utf-8")
        store = self.directory / "store"
        broker = {
            "brokerClusterName": CLUSTER,
            "brokerName": "onseju",
            "brokerId": "0",
            "brokerIP1": "127.0.0.1",
            "brokerIP2": "127.0.0.1",
            "bindAddress": "127.0.0.1",
            "namesrvAddr": f"127.0.0.1:{ports.nameserver}",
            "listenPort": str(ports.broker),
            "haListenPort": str(ports.replication),
            "storePathRootDir": str(store),
            "storePathCommitLog": str(store / "commitlog"),
            "autoCreateTopicEnable": "false",
            "autoCreateSubscriptionGroup": "false",
            "traceTopicEnable": "false",
            # a name server that was started again knows nothing before, and the proxy, where it asks, no topic; 30 s otherwise
            "registerNameServerPeriod": "10000",
            "flushDiskType": self.settings.flush,
            "fileReservedTime": "72",
            "diskMaxUsedSpaceRatio": "95",
            "mappedFileSizeCommitLog": str(64 << 20),
            "maxIndexNum": "200000",
            "maxHashSlotNum": "50000",
            "timerWheelEnable": "true",
            **(self.settings.broker or {}),
        }
        (self._conf / "broker.conf").write_text(_properties(broker), "utf-8")
        proxy = {
            "rocketMQClusterName": CLUSTER,
            "namesrvAddr": f"127.0.0.1:{ports.nameserver}",
            "grpcServerPort": ports.grpc,
            "remotingListenPort": ports.remoting,
            "localServeAddr": "127.0.0.1",
            "grpcShutdownTimeSeconds": 2,
            "enableBatchAck": True,
            "enablePrintJstack": False,
            # lets a receiver say how soon what it has not acknowledged comes again; 10 s and more otherwise
            "minInvisibleTimeMillsForRecv": 1000,
        }
        (self._conf / "proxy.json").write_text(json.dumps(proxy, indent=2), "utf-8")

    def _command(
        self, main: str, arguments: list[str], heap_mb: int, direct_mb: int, more: Sequence[str] = ()
    ) -> list[str]:
        heap = [f"-Xms{heap_mb}m", f"-Xmx{heap_mb}m", f"-XX:MaxDirectMemorySize={direct_mb}m"]
        # what it would write into the user's home goes into our folder
        places = [
            f"-Duser.home={self.directory}",
            f"-Drmq.logback.configurationFile={self._conf / 'rmq.proxy.logback.xml'}",
        ]
        return [str(self._java), *_JVM, *more, *heap, *places, "-cp", f"{self._jars}/*", main, *arguments]

    def _run(
        self, name: str, main: str, arguments: list[str], heap_mb: int, direct_mb: int = 64
    ) -> subprocess.Popen[bytes]:
        with (self.directory / f"{name}.log").open("ab") as log:
            return subprocess.Popen(  # noqa: S603  # RocketMQ's own programs
                tied(self._command(main, arguments, heap_mb, direct_mb)),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.directory,
                env=self._environment(),
                start_new_session=True,
            )

    def _environment(self) -> dict[str, str]:
        return {**os.environ, "ROCKETMQ_HOME": str(self.directory)}

    def _wait(self, process: subprocess.Popen[bytes], name: str, ports: list[int]) -> None:
        until = time.monotonic() + START_S
        while not all(_listens(port) for port in ports):
            if process.poll() is not None or time.monotonic() > until:
                raise ServerError(f"RocketMQ does not start; it says why in {self.directory / f'{name}.log'}.")
            time.sleep(POLL_S)

    def _administer(self, commands: Mapping[str, list[dict[str, object]]]) -> None:
        """Run RocketMQ's commands for administrators, each with a list of what it shall make, side by side."""
        main = "org.apache.rocketmq.tools.command.MQAdminStartup"
        with contextlib.ExitStack() as stack:
            running = []
            for command, configs in commands.items():
                file = stack.enter_context(tempfile.NamedTemporaryFile("w", dir=self._conf, suffix=".json"))
                json.dump(configs, file)
                file.flush()
                process = subprocess.Popen(  # noqa: S603
                    tied(
                        self._command(main, [command, "-b", self._broker_address, "-f", file.name], 64, 64, _SHORT_JVM)
                    ),
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.STDOUT,
                    text=True,
                    cwd=self.directory,
                    env=self._environment(),
                )
                stack.callback(_end_admin, process)
                late = threading.Timer(ADMIN_S, process.kill)
                late.start()
                stack.callback(late.cancel)
                running.append((command, process))
            for command, process in running:
                _wait_for_success(command, process)


def _runs(process: subprocess.Popen[bytes] | None) -> bool:
    return process is not None and process.poll() is None


def _wait_for_success(command: str, process: subprocess.Popen[str]) -> None:
    """Read until the command says that it is done: its end takes seconds more, and its status is 0 also when it failed."""
    said = ""
    assert process.stdout is not None  # noqa: S101  # a pipe was asked for
    for line in process.stdout:
        said += line
        if " success" in line:
            return
    raise ServerError(f"RocketMQ's {command} failed: {said.strip()[-1000:]}")


def _end_admin(process: subprocess.Popen[str]) -> None:
    with process:
        process.kill()


def _properties(values: Mapping[str, str]) -> str:
    return "".join(f"{name}={value}\n" for name, value in values.items())


def _listens(port: int) -> bool:
    with socket.socket() as sock:
        sock.settimeout(1.0)
        return sock.connect_ex(("127.0.0.1", port)) == 0


def _free_ports() -> Ports:
    """Ports that nobody has just now. The broker takes the port two below its own, too."""
    while True:
        broker = free_port()
        with contextlib.suppress(OSError), socket.socket() as sock:
            sock.bind(("127.0.0.1", broker - 2))
            break
    taken = {broker, broker - 2}
    ports: list[int] = []
    while len(ports) < 4:
        port = free_port()
        if port not in taken:
            taken.add(port)
            ports.append(port)
    nameserver, grpc, remoting, replication = ports
    return Ports(nameserver, grpc, remoting, broker, replication)
