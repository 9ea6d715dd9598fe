"""Thousands of streams in a process of their own: opened, counted, checked for gaps, dropped all at once, resumed.

`python -m bench.streamload PORT TRANSPORT KEYFILE RECEIVE_BYTES` (0: the system's own size of buffers) reads one command a line from its input and answers each with a line of
JSON; `Herd` is its other end. All connections are bare sockets with one parser for both transports' envelopes, so that a
comparison is one of the transports. Every received envelope must name the one before it as `prev`; where it does not, that
is counted, never passed over. A latency is the time of receipt less that at which the server's `bench.streams.stamped`
saw the command committed, by the same machine's clock.
"""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import json
import re
import resource
import socket
import subprocess
import sys
import time
from array import array
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import IO, Any, Literal, Self

import uvloop

from bench.processes import end
from bench.streams.stamps import read_stamps
from bench.wire import CLOSE, PING, PONG, TEXT, Chunks, client_frame, server_frames

Transport = Literal["sse", "websocket"]

AT_ONCE = 500
"""Connections that are being opened at the same time, except in a storm."""
OPEN_S = 600.0
RETRY_S = 1.0
KEPT = 1 << 20
"""Receipts kept for the percentiles; then every new one is only counted."""

_EVENT = re.compile(rb'"id":"(\w+-(\d+)-(\d+))","prev":(?:null|"([^"]+)"),"type":"(\w+)"')
_HELLO = re.compile(rb": connected\n(?:id:(\S+)\n)?\n")
_POSITION = re.compile(rb'"position":"([^"]+)"')


class Stream(asyncio.Protocol):
    """One connection: its place in the account's chain, and what it received."""

    def __init__(self, load: Load, number: int) -> None:
        self._load = load
        self.number = number
        self.transport: asyncio.Transport | None = None
        self.last: bytes | None = None
        """The last event's id."""
        self.start: bytes | None = None
        """Where it began: the cursor while there is no last event."""
        self.ready = self._upgraded = False
        self.refused = b""
        self.settled: asyncio.Future[None] | None = None
        """Done when it is open, refused or lost."""
        self.place = (-1, -1)
        """The last event's seq and idx."""
        self._rest = b""
        self._chunks = Chunks()

    def settle(self) -> None:
        if self.settled is not None and not self.settled.done():
            self.settled.set_result(None)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # type: ignore[assignment]
        self.ready, self._upgraded, self._rest = False, False, b""
        self._chunks = Chunks()
        self._write(self._load.hello(self))

    def data_received(self, data: bytes) -> None:
        now = time.time()
        load = self._load
        load.bytes += len(data)
        if not self._upgraded:
            head, end, data = (self._rest + data).partition(b"\r\n\r\n")
            if not end:
                self._rest = head
                return
            self._rest = b""
            if not head.startswith(load.accepted):
                self._refuse(head)
                return
            self._upgraded = True
            if load.transport == "websocket":
                self._write(load.subscription(self))
        if load.transport == "sse":
            # As an EventSource does: an event counts once the empty line behind it is there.
            text = self._rest + self._chunks.take(data)
            whole = text.rfind(b"\n\n") + 2 if b"\n\n" in text else 0
            self._rest = text[whole:]
            if whole:
                self._take(text[:whole], now)
            return
        frames, self._rest = server_frames(self._rest + data)
        for opcode, payload in frames:
            if opcode == TEXT:
                self._take(payload, now)
            elif opcode == PING:
                self._write(client_frame(PONG, payload))
            elif opcode == CLOSE:
                load.closes[int.from_bytes(payload[:2], "big")] += 1

    def _take(self, data: bytes, now: float) -> None:
        """Count the envelopes in it."""
        load = self._load
        if not self.ready:
            found = load.first.search(data)
            if found is None:
                if b'"status":4' in data:
                    self._refuse(data)
                return
            if self.last is None and found[1]:
                self.start = found[1]
            self.ready = True
            load.open += 1
            self.settle()
        for found in _EVENT.finditer(data):
            own, seq, idx, prev, kind = found.groups()
            place = (int(seq), int(idx))
            if kind == b"reset":
                load.resets += 1
            elif place <= self.place:
                load.doubled += 1
            elif self.last is not None and prev != self.last:
                load.gaps += 1
            self.last, self.place = own, place
            load.took(now, place[0])

    def _write(self, data: bytes) -> None:
        if self.transport is not None:
            self.transport.write(data)

    def _refuse(self, data: bytes) -> None:
        self.refused = data[:200]
        self._load.refused += 1
        self.settle()

    def connection_lost(self, error: Exception | None) -> None:
        load = self._load
        if self.ready:
            load.open -= 1
            load.lost += not load.dropping
        elif not self.refused and not load.dropping:
            load.broken += 1
        self.settle()
        self.ready, self.transport = False, None
        load.closed.set()


class Load:
    """All connections of this process."""

    def __init__(self, port: int, transport: Transport, keys: Sequence[str], receive_bytes: int = 0) -> None:
        self.port = port
        self._receive_bytes = receive_bytes
        self.transport = transport
        self.accepted = b"HTTP/1.1 200" if transport == "sse" else b"HTTP/1.1 101"
        self.first = _HELLO if transport == "sse" else _POSITION
        """What the first data of a stream says, and where it begins."""
        self.closes: Counter[int] = Counter()
        """Close codes that came."""
        self._keys = keys
        self.streams: list[Stream] = []
        self.closed = asyncio.Event()
        self.dropping = False
        self.open = self.retries = self.refused = self.broken = self.lost = self.resets = 0
        self.gaps = self.doubled = self.bytes = self.received = 0
        self.times: array[float] = array("d")
        self.seqs: array[int] = array("q")
        """When envelopes were received, and of which commands."""

    def took(self, now: float, seq: int) -> None:
        """Count an envelope."""
        self.received += 1
        if len(self.times) < KEPT:
            self.times.append(now)
            self.seqs.append(seq)

    def hello(self, stream: Stream) -> bytes:
        """What a connection sends first; it resumes where there is a place to resume from."""
        key = self._keys[stream.number % len(self._keys)]
        cursor = (stream.last or stream.start or b"").decode()
        head = f"Host: 127.0.0.1:{self.port}\r\nAuthorization: Bearer {key}\r\n"
        if self.transport == "sse":
            resume = f"Last-Event-ID: {cursor}\r\n" if cursor else ""
            return f"GET /v1/stream HTTP/1.1\r\n{head}{resume}\r\n".encode()
        return (
            f"GET /v1/ws HTTP/1.1\r\n{head}Connection: Upgrade\r\nUpgrade: websocket\r\n"
            f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {'A' * 22}==\r\n\r\n"
        ).encode()

    def subscription(self, stream: Stream) -> bytes:
        """What a WebSocket sends once it is open."""
        cursor = (stream.last or stream.start or b"").decode()
        after = f',"after":"{cursor}"' if cursor else ""
        return client_frame(TEXT, f'{{"op":"subscribe","id":"s","channels":[{{"name":"account"{after}}}]}}'.encode())

    async def open_more(self, count: int, once: bool = False) -> dict[str, Any]:
        """Open so many streams more; `once`: one that is broken off is not tried again."""
        fresh = [Stream(self, len(self.streams) + place) for place in range(count)]
        self.streams += fresh
        return await self._connect(fresh, AT_ONCE, once=once)

    async def drop(self) -> dict[str, Any]:
        """Break all connections off at once, as a network does."""
        self.dropping = True
        for stream in self.streams:
            if stream.transport is not None:
                stream.transport.abort()
        while any(stream.transport is not None for stream in self.streams):
            self.closed.clear()
            await self.closed.wait()
        self.dropping = False
        return {"open": self.open}

    async def storm(
        self, received: int = 0, seconds: float = 0.0, fresh: bool = False, at_once: int = 0
    ) -> dict[str, Any]:
        """Connect all again, at once (or so many of them), each from where it was, or `fresh`. `caught_up_s`: until so many envelopes are there."""
        began = time.perf_counter()
        lost = [stream for stream in self.streams if stream.transport is None]
        if fresh:
            for stream in lost:
                stream.last = stream.start = None
        else:
            self._receive_bytes = 0  # whoever resumes means to read
        answer = await self._connect(lost, at_once or len(lost))
        await self.wait(received, seconds)
        return {**answer, "caught_up_s": round(time.perf_counter() - began, 3)}

    def pause(self) -> dict[str, Any]:
        """Stop reading, all of them."""
        for stream in self.streams:
            if stream.transport is not None:
                stream.transport.pause_reading()
        return {"open": self.open}

    def go_on(self) -> dict[str, Any]:
        """Read again, those that are still there."""
        for stream in self.streams:
            if stream.transport is not None and not stream.transport.is_closing():
                stream.transport.resume_reading()
        return {"open": self.open}

    async def ended(self, seconds: float) -> dict[str, Any]:
        """Wait until the server has ended all of them, but not for longer."""
        began = time.perf_counter()
        while any(stream.transport is not None for stream in self.streams) and time.perf_counter() - began < seconds:
            await asyncio.sleep(0.01)
        return {"open": self.open, "seconds": round(time.perf_counter() - began, 3)}

    async def _connect(self, streams: Sequence[Stream], at_once: int, *, once: bool = False) -> dict[str, Any]:
        loop = asyncio.get_running_loop()
        began = time.perf_counter()
        before, retries = self.refused, self.retries
        wanted = self.open + len(streams)
        gate = asyncio.Semaphore(at_once)

        async def one(stream: Stream) -> None:
            async with gate:
                while True:  # as an EventSource does: again after `retry`, until it is open
                    stream.refused = b""
                    stream.settled = loop.create_future()
                    try:
                        await self._dial(stream)
                        await stream.settled
                    except OSError:
                        self.broken += 1
                    if stream.ready or stream.refused or once:
                        return
                    self.retries += 1
                    await asyncio.sleep(RETRY_S)

        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(OPEN_S):
                await asyncio.gather(*map(one, streams))
        return {
            "open": self.open,
            "missing": wanted - self.open,
            "refused": self.refused - before,
            "refusal": next((stream.refused.decode(errors="replace") for stream in streams if stream.refused), ""),
            "retries": self.retries - retries,
            "seconds": round(time.perf_counter() - began, 3),
        }

    async def _dial(self, stream: Stream) -> None:
        loop = asyncio.get_running_loop()
        if not self._receive_bytes:
            await loop.create_connection(lambda: stream, "127.0.0.1", self.port)
            return
        sock = socket.socket()
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, self._receive_bytes)  # before: it fixes the window
        sock.setblocking(False)
        await loop.sock_connect(sock, ("127.0.0.1", self.port))
        await loop.create_connection(lambda: stream, sock=sock)

    async def wait(self, received: int, seconds: float) -> dict[str, Any]:
        """Wait until so many envelopes were received in all, but not for longer."""
        end = time.perf_counter() + seconds
        while self.received < received and time.perf_counter() < end:
            await asyncio.sleep(0.01)
        return self.report()

    def report(self, stamps: str = "") -> dict[str, Any]:
        """What happened so far; with the file of the server's stamps also the latencies."""
        return {
            "open": self.open,
            "received": self.received,
            "bytes": self.bytes,
            "gaps": self.gaps,
            "doubled": self.doubled,
            "resets": self.resets,
            "lost": self.lost,
            "refused": self.refused,
            "broken": self.broken,
            "closes": {str(code): count for code, count in sorted(self.closes.items())},
            "latency_ms": self._latency_ms(Path(stamps)) if stamps else {},
        }

    def _latency_ms(self, stamps: Path) -> dict[str, float]:
        committed = read_stamps(stamps)
        ranked = sorted(now - committed[seq] for now, seq in zip(self.times, self.seqs, strict=True))
        at = {"p50": 0.50, "p99": 0.99, "p99.9": 0.999, "max": 1.0}
        return {
            name: round(ranked[min(len(ranked) - 1, int(len(ranked) * q))] * 1000, 3)
            for name, q in at.items()
            if ranked
        }

    def forget(self) -> dict[str, Any]:
        """Begin to count anew."""
        self.times, self.seqs = array("d"), array("q")
        self.received = self.bytes = self.gaps = self.doubled = 0
        return self.report()


async def _serve_commands(load: Load) -> None:
    loop = asyncio.get_running_loop()
    lines = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    does: dict[str, Callable[..., Any]] = {
        "open": load.open_more,
        "drop": load.drop,
        "storm": load.storm,
        "pause": load.pause,
        "go_on": load.go_on,
        "ended": load.ended,
        "wait": load.wait,
        "forget": load.forget,
        "report": load.report,
    }
    while line := await lines.readline():
        command = json.loads(line)
        made = does[command.pop("do")](**command)
        answer = await made if inspect.isawaitable(made) else made
        print(json.dumps(answer), flush=True)
    await load.drop()


class Herd:
    """The load process, from the side of who drives it. `ask` and `tell`/`hear` when something else happens meanwhile."""

    def __init__(
        self, port: int, transport: Transport, keys: Iterable[str], directory: Path, receive_bytes: int = 0
    ) -> None:
        keyfile = directory / f"streamload-{transport}.keys"
        keyfile.write_text("\n".join(keys))
        command = [sys.executable, "-m", "bench.streamload", str(port), transport, str(keyfile), str(receive_bytes)]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.pid = self._process.pid

    def tell(self, do: str, **more: Any) -> None:
        """Send a command; `hear` gives its answer."""
        pipe: IO[str] = self._process.stdin  # type: ignore[assignment]
        pipe.write(json.dumps({"do": do, **more}) + "\n")
        pipe.flush()

    def hear(self) -> dict[str, Any]:
        """Wait for the answer to the oldest command that has none yet. Raises `RuntimeError` when the process has ended."""
        pipe: IO[str] = self._process.stdout  # type: ignore[assignment]
        line = pipe.readline()
        if not line:
            raise RuntimeError(f"the load process ended with {self._process.wait()}")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def ask(self, do: str, **more: Any) -> dict[str, Any]:
        """A command and its answer."""
        self.tell(do, **more)
        return self.hear()

    def open(self, count: int) -> dict[str, Any]:
        """Open so many streams. Raises `RuntimeError` where one is not open: it would be waited for in vain."""
        return _all_open(self.ask("open", count=count))

    def storm(self, **more: Any) -> dict[str, Any]:
        """Connect all again (`Load.storm`). Raises `RuntimeError` where one is not open."""
        return _all_open(self.ask("storm", **more))

    def close(self) -> None:
        """End the process."""
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()
        end(self._process, ask=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _all_open(answer: dict[str, Any]) -> dict[str, Any]:
    if answer["missing"]:
        raise RuntimeError(
            f"{answer['missing']} streams are not open, {answer['refused']} refused: {answer['refusal']}"
        )
    return answer


def resident_kib(pid: int) -> int:
    """A process's resident memory, KiB."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith("VmRSS")).split()[1])


def processor_s(pid: int) -> float:
    """The processor time that a process has used, seconds."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / 100


def main(arguments: Sequence[str]) -> None:
    """Run the commands that come in."""
    port, transport, keyfile, receive_bytes = arguments
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    keys = Path(keyfile).read_text().split()
    kind: Transport = "sse" if transport == "sse" else "websocket"

    async def run() -> None:
        await _serve_commands(Load(int(port), kind, keys, int(receive_bytes)))

    uvloop.run(run())


if __name__ == "__main__":
    main(sys.argv[1:])
