"""The whole exchange called from Python: `python -m bench.books.ours run ENGINE FILE COMMANDS` prints one line of JSON.

ENGINE is `native-N` or `reference-N` with N commands a call; `native-1` is one call per order. `churn ORDERS` sends orders
that come and go through the native engine, `ids ORDERS` orders with client ids; both print what memory that takes.
Throughput is stated in processor time of the thread that calls, which is also the one that computes.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from bench.books import workload
from bench.books.pybooks import latencies, resident_bytes
from onseju.contract.commands import COMMAND_BYTES
from onseju.contract.events import EVENT_BYTES
from onseju.matching import engines
from onseju.matching.engine import Engine

EVENTS_A_COMMAND = 16
"""Room in the buffer for a batch's events; on average a command brings five."""

FILL_BATCH = 64
RESTING = 3_000


def pieces(commands: bytes, batch: int) -> list[bytes]:
    """Cut into batches."""
    width = batch * COMMAND_BYTES
    return [commands[at : at + width] for at in range(0, len(commands), width)]


def filled(name: str, opening: list[bytes]) -> Engine:
    """An engine whose books are full."""
    engine = engines.make(name)
    for piece in opening:
        engine.apply(piece)
    return engine


def timed(engine: Any, batch: int, batches: list[bytes], room: bytearray) -> tuple[float, float]:
    """Processor and wall time of all batches, in seconds."""
    if batch > 1 and hasattr(engine, "apply_into"):
        apply_into = engine.apply_into
        began_wall, began = time.perf_counter(), time.thread_time()
        for piece in batches:
            apply_into(piece, room)
    else:
        apply = engine.apply
        began_wall, began = time.perf_counter(), time.thread_time()
        for piece in batches:
            apply(piece)
    return time.thread_time() - began, time.perf_counter() - began_wall


def measure(engine_name: str, path: Path, count: int) -> dict[str, Any]:
    """A pass for the trades, one that is timed as a whole, and for single calls one that times each."""
    name, _, size = engine_name.partition("-")
    batch = int(size)
    work = workload.read(path, count)
    encoded, measured = workload.commands(work)
    batches = pieces(measured, batch)
    cut = len(encoded) - len(work.filling) * COMMAND_BYTES
    venue, filling = pieces(encoded[:cut], FILL_BATCH), pieces(encoded[cut:], FILL_BATCH)
    engine = filled(name, venue)
    before = resident_bytes()
    for piece in filling:
        engine.apply(piece)
    filling_bytes = resident_bytes() - before
    events = b"".join(engine.apply(piece) for piece in batches)
    told = workload.tape(events)
    figures = {"commands": len(work.measured), "events": len(events) // EVENT_BYTES}
    del events
    room = bytearray(batch * EVENTS_A_COMMAND * EVENT_BYTES)
    opening = venue + filling
    seconds, wall = timed(filled(name, opening), batch, batches, room)
    figures |= {"seconds": seconds, "wall_seconds": wall}
    if batch == 1:
        figures |= latencies(filled(name, opening).apply, batches)
    return {**figures, **told, "is_same": True, "filling": len(work.filling), "filling_bytes": filling_bytes}


def passing_orders(first: int, count: int) -> np.ndarray[Any, Any]:
    """Orders that rest until three thousand others have come, and the cancels that end them; none of them trades."""
    records = np.zeros(2 * count, workload.RECORD)
    ids = np.arange(first, first + count, dtype="<u8")
    mixed = (ids * np.uint64(0x9E3779B97F4A7C15)) >> np.uint64(32)
    orders, cancels = records[1::2], records[::2]
    orders["kind"], cancels["kind"] = workload.LIMIT, workload.CANCEL
    orders["side"] = 1 + (mixed & np.uint64(1))
    distance = (mixed >> np.uint64(1)) % np.uint64(64) * np.uint64(100)
    orders["price"] = np.where(orders["side"] == 1, 70_000 - distance.astype("i8"), 70_100 + distance.astype("i8"))
    orders["qty"] = 1 + (mixed >> np.uint64(8)) % np.uint64(100)
    orders["id"] = ids
    cancels["id"] = np.where(ids > RESTING, ids - np.uint64(RESTING), 0)
    return records


def passing_commands(first: int, count: int, seq: int) -> np.ndarray[Any, Any]:
    """The same as numbered commands."""
    commands = workload.order_commands(passing_orders(first, count), 1_000)
    commands["seq"] = commands["ts"] = np.arange(seq, seq + len(commands))
    return commands


def opened() -> tuple[Any, int]:
    """A native engine with a venue and a thousand accounts, and the number that its next command has."""
    empty = np.zeros(0, workload.RECORD)
    opening, _ = workload.commands(workload.Workload(1, 49_000, 91_000, 100, empty, empty))
    engine = filled("native", pieces(opening, FILL_BATCH))
    return engine, len(opening) // COMMAND_BYTES + 1


def churn(orders: int) -> list[list[float]]:
    """Orders that come and go. Gives `[orders, resident bytes, seconds]` a tenth of the way apart."""
    engine, seq = opened()
    count = min(16_384, orders)
    room = bytearray(2 * count * EVENTS_A_COMMAND * EVENT_BYTES)
    points: list[list[float]] = []
    spent, done = 0.0, 0
    while done < orders:
        commands = passing_commands(done + 1, count, seq).tobytes()
        began = time.thread_time()
        engine.apply_into(commands, room)
        spent += time.thread_time() - began
        done, seq = done + count, seq + 2 * count
        if done * 10 // orders > len(points) or done >= orders:
            points.append([done, resident_bytes(), spent])
    if engine.open_orders != min(RESTING, done):
        raise AssertionError(f"{engine.open_orders} orders rest, not {RESTING}")
    return points


def ids(orders: int) -> dict[str, float]:
    """Orders with client ids that come and go: the ids stay, for repeats. Gives how many, and the bytes of all."""
    engine, seq = opened()
    count = min(16_384, orders)
    room = bytearray(2 * count * EVENTS_A_COMMAND * EVENT_BYTES)
    before, warm = 0, 4 * count
    done = 0
    while done < warm + orders:
        if done == warm:
            before = resident_bytes()
        commands = passing_commands(done + 1, count, seq)
        if done >= warm:
            raw = commands.view("u1").reshape(len(commands), COMMAND_BYTES)
            raw[1::2, 32:40] = raw[1::2, 48:56] = raw[1::2, :8]
        engine.apply_into(commands.tobytes(), room)
        done, seq = done + count, seq + 2 * count
    return {"kept": done - warm, "bytes": resident_bytes() - before}


def main(words: list[str]) -> object:
    """Carry out one of the three."""
    match words:
        case ["run", engine, path, count]:
            return measure(engine, Path(path), int(count))
        case ["churn", orders]:
            return churn(int(orders))
        case ["ids", orders]:
            return ids(int(orders))
    raise SystemExit("python -m bench.books.ours run ENGINE FILE COMMANDS | churn ORDERS | ids ORDERS")


if __name__ == "__main__":
    print(json.dumps(main(sys.argv[1:])))
