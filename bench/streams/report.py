"""From the figures to docs/sse-vs-websocket.md: a table for each part between its markers, and the plots."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import matplotlib as mpl

mpl.use("Agg")
import matplotlib.pyplot as plt

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs/sse-vs-websocket.md"
IMAGES = ROOT / "docs/images"
BLUE, RED = "#1d5fd6", "#cf2436"
NAMES = {"sse": ("SSE", BLUE), "websocket": ("WebSocket", RED)}
AT = ("p50", "p99", "p99.9")


def shown(value: float | None, digits: int = 1) -> str:
    """A figure, or a dash where there is none."""
    return "–" if value is None else f"{value:,.{digits}f}"


def scale(rows: list[dict[str, Any]]) -> str:
    """Latency and costs by connections and rate."""
    lines = [
        "| connections | orders/s | | p50 ms | p99 ms | p99.9 ms | µs a delivery | bytes a delivery | lost | doubled |",
        "|---:|---:|---|---:|---:|---:|---:|---:|---:|---:|",
    ]
    order = sorted(rows, key=lambda row: (row["connections"], row["orders_per_s"], row["transport"]))
    for row in order:
        spread = " | ".join(shown(row["latency_ms"][at], 2) for at in AT)
        lines.append(
            f"| {row['connections']:,} | {row['orders_per_s']:g} | {NAMES[row['transport']][0]} | {spread} "
            f"| {shown(row['delivery_us'])} | {shown(row['wire_bytes'], 0)} | {row['lost']:.0f} | {row['doubled']:.0f} |"
        )
    lines += [
        "",
        "| all break off and come back at once | | µs to open one | µs to resume one | all are back, s | all have caught up, s |",
        "|---:|---|---:|---:|---:|---:|",
    ]
    last = {(row["connections"], row["transport"]): row for row in order}
    for (connections, transport), row in last.items():
        lines.append(
            f"| {connections:,} | {NAMES[transport][0]} | {shown(row['open_us'], 0)} | {shown(row['resume_us'], 0)} "
            f"| {shown(row['back_s'], 2)} | {shown(row['caught_up_s'], 2)} |"
        )
    rounds = rows[0]["rounds"]
    lines += ["", "One round." if rounds == 1 else f"Medians of {rounds} rounds."]
    return "\n".join(lines)


def memory(figures: dict[str, Any]) -> str:
    """Memory of a stream."""
    lines = ["| of the server, for one stream | connections | idle, KiB | after events, KiB |", "|---|---:|---:|---:|"]
    for transport, row in figures.items():
        lines.append(
            f"| {NAMES[transport][0]} | {row['connections']:,} | {row['idle_kib']:.1f} | {row['used_kib']:.1f} |"
        )
    return "\n".join(lines)


def slow(figures: dict[str, Any]) -> str:
    """Those that stop reading."""
    lines = [
        f"| {figures['streams']} of each stop reading, {figures['events']:,} events come | SSE | WebSocket |",
        "|---|---:|---:|",
    ]
    both = [figures["transports"][name] for name in NAMES]

    def line(label: str, values: list[str]) -> None:
        lines.append(f"| {label} | {' | '.join(values)} |")

    for at in AT:
        line(f"the others, from commit to receipt, {at}, ms", [shown(row["others_ms"][at], 2) for row in both])
    line("the others' events missing", [str(row["others_missing"]) for row in both])
    line("what one still finds when it wakes up, KiB", [shown(row["kept_bytes"] / 1024, 0) for row in both])
    line(
        "what it is told",
        [", ".join(f"close {code}" for code in row["codes"]) or "the connection ends" for row in both],
    )
    line("streams not cut", [str(row["left_open"]) for row in both])
    line("all have caught up after, s", [shown(row["caught_up_s"], 2) for row in both])
    line("events lost", [str(row["lost"]) for row in both])
    line("events doubled", [str(row["doubled"]) for row in both])
    lines += ["", f"The server grew by {figures['memory_kib']:.0f} KiB for each of them."]
    return "\n".join(lines)


def proxied(figures: dict[str, Any]) -> str:
    """Behind nginx."""
    if "skipped" in figures:
        return f"Not measured: {figures['skipped']}."
    lines = [
        f"| {figures['connections']} streams | open | p50 ms | p99 ms | p99.9 ms | all resumed, s | lost | doubled |",
        "|---|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for name, row in figures["ways"].items():
        way, _, transport = name.rpartition(", ")
        spread = " | ".join(shown(row["latency_ms"].get(at), 2) for at in AT)
        lines.append(
            f"| {NAMES[transport][0]}, {way} | {row['opened']:.0f} | {spread} | {shown(row['back_s'], 2)} "
            f"| {row['lost']:.0f} | {row['doubled']:.0f} |"
        )
    told = [f"nginx {figures['nginx']}."]
    if figures["silence"]:
        rest = ", ".join(
            f"{name} {row['cut']} cut, {row['missing']} missing" for name, row in figures["silence"].items()
        )
        told.append(f"After {figures['silence_s']:g} s without an event: {rest}.")
    if figures["many"]:
        rest = ", ".join(
            f"{count:,} ({name.rpartition(', ')[0]}, {NAMES[name.rpartition(', ')[2]][0]})"
            for name, count in figures["many"].items()
        )
        told.append(f"Of {figures['asked']:,} streams asked for at once there were open: {rest}.")
    return "\n".join([*lines, "", " ".join(told)])


def tabs(figures: dict[str, Any]) -> str:
    """A browser's tabs."""
    if "skipped" in figures:
        return f"Not measured: {figures['skipped']}."
    count = figures["tabs"]
    lines = [
        f"| Chromium {figures['chromium']}, {count} tabs | tabs with a live stream | commit to script, p50 ms | p99 ms "
        "| another request of a tab |",
        "|---|---:|---:|---:|---:|",
    ]
    for name, row in figures["ways"].items():
        request = "hangs" if row["request_ms"] is None else f"{row['request_ms']:.0f} ms"
        lines.append(f"| {name} | {row['live']} | {shown(row['p50_ms'])} | {shown(row['p99_ms'])} | {request} |")
    return "\n".join(lines)


TABLES: dict[str, Callable[[Any], str]] = {
    "scale": scale,
    "memory": memory,
    "slow": slow,
    "proxied": proxied,
    "tabs": tabs,
}


def plot(figures: dict[str, Any], path: Path) -> None:
    """Latency by connections at the higher rate, processor time of a delivery, memory."""
    figure, (left, middle, right) = plt.subplots(1, 3, figsize=(9.6, 3.2), layout="constrained")
    busiest = {(row["connections"], row["transport"]): row for row in sorted(figures["scale"], key=_rate)}
    counts = sorted({connections for connections, _ in busiest})
    for transport, (label, colour) in NAMES.items():
        rows = [busiest[connections, transport] for connections in counts]
        for at, style in (("p50", "-"), ("p99", "--")):
            heights = [row["latency_ms"][at] for row in rows]
            left.plot(counts, heights, style, color=colour, marker="o", markersize=3, label=f"{label} {at}")
        costs = [(row["connections"], row["delivery_us"]) for row in rows if row["delivery_us"] is not None]
        if costs:
            middle.plot(*zip(*costs, strict=True), color=colour, marker="o", markersize=3, label=label)
    left.set_xscale("log")
    left.set_yscale("log")
    left.set_title("Commit to receipt, ms", fontsize=10)
    middle.set_xscale("log")
    middle.set_ylim(bottom=0)
    middle.set_title("Server's µs a delivery", fontsize=10)
    for axes in (left, middle):
        axes.minorticks_off()
        axes.set_xticks(counts, [f"{count:,}" for count in counts])
        axes.set_xlabel("connections", fontsize=8)
        if axes.get_legend_handles_labels()[0]:
            axes.legend(fontsize=7, frameon=False)
    found = figures["memory"]
    right.bar(
        [NAMES[name][0] for name in found],
        [row["used_kib"] for row in found.values()],
        color=[NAMES[name][1] for name in found],
        width=0.5,
    )
    right.set_title("KiB a stream", fontsize=10)
    for axes in (left, middle, right):
        axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=120, metadata={"Software": None})
    plt.close(figure)


def _rate(row: dict[str, Any]) -> float:
    return float(row["orders_per_s"])


def fill_in(page: str, name: str, text: str) -> str:
    """The page with the text between a part's markers replaced. Raises `ValueError` where the markers are missing."""
    pattern = re.compile(rf"(<!-- {name} -->\n).*?(<!-- /{name} -->)", re.DOTALL)
    if not pattern.search(page):
        raise ValueError(f"{PAGE.name} has no place for {name}")
    return pattern.sub(lambda match: f"{match[1]}{text}\n{match[2]}", page)


def write(figures: dict[str, Any]) -> str:
    """Write what there is into the page; gives the page's path."""
    page = PAGE.read_text("utf-8")
    for name, table in TABLES.items():
        if name in figures:
            page = fill_in(page, name, table(figures[name]))
    if "scale" in figures and "memory" in figures:
        IMAGES.mkdir(parents=True, exist_ok=True)
        plot(figures, IMAGES / "sse-vs-websocket.png")
    machine = figures["machine"]
    page = fill_in(page, "machine", f"{machine['cpus']} cores, {machine['machine']}, Python {machine['python']}.")
    PAGE.write_text(page, "utf-8")
    return str(PAGE.relative_to(ROOT))
