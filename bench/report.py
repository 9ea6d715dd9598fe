"""From the figures in build/bench/*.json to docs/benchmarks.md: tables between markers, and a plot for each."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import matplotlib as mpl

from bench.books import report as books
from bench.load import plots, show

mpl.use("Agg")
import matplotlib.pyplot as plt

ROOT = Path(__file__).parent.parent
FIGURES = ROOT / "build/bench"
PAGE = ROOT / "docs/benchmarks.md"
IMAGES = ROOT / "docs/images"
INK, BLUE, RED, BRASS = "#1a1c1f", "#1d5fd6", "#cf2436", "#dba11c"
PERCENTILES = ("p50", "p95", "p99")
AIM_MS = 4
"""Script of a frame, on a school's laptop."""


def load(name: str) -> dict[str, Any]:
    """A benchmark's last full figures. Raises `SystemExit` where there are none."""
    path = FIGURES / f"{name}.json"
    if not path.exists():
        raise SystemExit(f"{path.relative_to(ROOT)} is missing: run `make bench` first")
    figures: dict[str, Any] = json.loads(path.read_text("utf-8"))
    if figures["quick"]:
        raise SystemExit(f"{path.relative_to(ROOT)} holds a quick run's figures: run `make bench`")
    return figures


def projections(figures: dict[str, Any]) -> str:
    """The table of rows into SQLite."""
    lines = [
        "| commands a transaction | commands/s | row changes/s | against single |",
        "|---:|---:|---:|---:|",
    ]
    single = figures["batches"][0]["commands_per_s"]
    for row in figures["batches"]:
        lines.append(
            f"| {row['commands_a_transaction']:,} | {row['commands_per_s']:,} | {row['changes_per_s']:,} "
            f"| {row['commands_per_s'] / single:.1f} × |"
        )
    return "\n".join(lines)


def restart(figures: dict[str, Any]) -> str:
    """The table of starts, with and without a snapshot, and of what a snapshot takes from the exchange."""
    plan, with_, without, pause = (figures[name] for name in ("plan", "with_snapshot", "without_snapshot", "pause"))
    lines = [
        f"| a start after | {with_['commands']:,} commands, with a snapshot | {without['commands']:,} without |",
        "|---|---:|---:|",
        f"| journal and event log, MiB | {figures['journal_mib']:,} | – |",
        f"| snapshot, MiB | {figures['snapshot_mib']:.1f} | – |",
        f"| commands replayed | {with_['replayed']:,} | {without['replayed']:,} |",
        *[
            f"| {label} | {with_[name]:.1f} | {without[name]:.1f} |"
            for label, name in (
                ("processor time of it all, s", "processor_s"),
                ("opening the files, s", "open_s"),
                ("taking up the snapshot, s", "take_up_s"),
                ("replaying and comparing, s", "replay_s"),
                ("all of it on the clock, s", "all_s"),
            )
        ],
        f"| processor time for each command replayed, µs | {with_['processor_s'] / with_['replayed'] * 1e6:.0f} "
        f"| {without['processor_s'] / without['replayed'] * 1e6:.0f} |",
        f"| memory at most, MiB | {with_['peak_mib']:,} | {without['peak_mib']:,} |",
        "",
        f"| what a snapshot takes from the exchange ({pause['memory_mib']} MiB in use, {pause['rounds']} times) | ms |",
        "|---|---:|",
        f"| processor time of its thread, median | {pause['processor_median_ms']:.2f} |",
        f"| the same, worst | {pause['processor_worst_ms']:.2f} |",
        f"| on the clock, least | {pause['clock_least_ms']:.2f} |",
        f"| on the clock, median | {pause['clock_median_ms']:.2f} |",
        "",
        f"Medians of {plan['rounds']} starts; load average {figures['load']}.",
    ]
    return "\n".join(lines)


def plot_restart(figures: dict[str, Any], path: Path) -> None:
    """Where the time of a start goes."""
    figure, axes = plt.subplots(figsize=(7.2, 2.2), layout="constrained")
    starts = [("with a snapshot", figures["with_snapshot"]), ("without", figures["without_snapshot"])]
    labels = [f"{found['commands'] / 1e6:.2f} M commands,\n{label}" for label, found in starts]
    begun = [0.0, 0.0]
    for name, label, color in (
        ("open_s", "opening the files", BRASS),
        ("take_up_s", "taking up the snapshot", RED),
        ("replay_s", "replaying", BLUE),
    ):
        parts = [100 * found[name] / found["all_s"] for _, found in starts]
        axes.barh(labels, parts, left=begun, color=color, label=label)
        begun = [at + part for at, part in zip(begun, parts, strict=True)]
    axes.set_xlabel("% of the time on the clock")
    axes.invert_yaxis()
    axes.legend(frameon=False, fontsize=8)
    figure.savefig(path, dpi=150)
    plt.close(figure)


def listeners(figures: dict[str, Any]) -> str:
    """The table of the listeners' processor time."""
    columns = figures["figures"]
    lines = [
        "| µs an order | " + " | ".join(f"{row['form']}, runs of {row['commands_a_run']:,}" for row in columns) + " |",
        "|---|" + "---:|" * len(columns),
    ]
    for name in columns[0]["us_an_order"]:
        lines.append(f"| {name} | " + " | ".join(f"{row['us_an_order'][name]:.2f}" for row in columns) + " |")
    lines.append("| all | " + " | ".join(f"{row['all_us_an_order']:.2f}" for row in columns) + " |")
    return "\n".join(lines)


def plot_listeners(figures: dict[str, Any], path: Path) -> None:
    """Each listener's share, by form and size of run."""
    figure, axes = plt.subplots(figsize=(7.2, 2.6), layout="constrained")
    rows = figures["figures"][::-1]
    labels = [f"{row['form']}, runs of {row['commands_a_run']:,}" for row in rows]
    left = [0.0] * len(rows)
    for name in rows[0]["us_an_order"]:
        widths = [row["us_an_order"][name] for row in rows]
        axes.barh(labels, widths, left=left, label=name)
        left = [before + width for before, width in zip(left, widths, strict=True)]
    axes.set_xlabel("processor time an order, µs")
    axes.legend(fontsize=8, frameon=False, ncols=4)
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=120, metadata={"Software": None})
    plt.close(figure)


def plot_projections(figures: dict[str, Any], path: Path) -> None:
    """Commands a second by batch size."""
    figure, axes = plt.subplots(figsize=(7.2, 3.2), layout="constrained")
    sizes = [f"{row['commands_a_transaction']:,}" for row in figures["batches"]]
    rates = [row["commands_per_s"] for row in figures["batches"]]
    bars = axes.bar(sizes, rates, color=[INK] + [BLUE] * (len(sizes) - 1), width=0.6)
    axes.bar_label(bars, [f"{rate:,}" for rate in rates], fontsize=8, padding=2)
    axes.set_xlabel("commands a transaction")
    axes.set_ylabel("commands a second")
    axes.set_title("Event log to SQLite tables", fontsize=10)
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=120, metadata={"Software": None})
    plt.close(figure)


def frames(figures: dict[str, Any]) -> str:
    """The tables of the page in Chromium."""
    slowed = figures["slowed"]
    lines = ["| processor time of a drawn frame, ms | p50 | p95 | p99 | frames/s |", "|---|---:|---:|---:|---:|"]
    for label, part in (("as it is", figures["as_it_is"]), (f"slowed {slowed['times']} times", slowed)):
        for kind, what in (("script_ms", "script"), ("work_ms", "all work of the main thread")):
            numbers = " | ".join(f"{part[kind][name]:.1f}" for name in PERCENTILES)
            lines.append(f"| {what}, {label} | {numbers} | {part['frames_per_s']:.0f} |")
    first, last = figures["heap"][0], figures["heap"][-1]
    size = figures["bundle"]
    rows = [
        ("updates sent a second", f"{figures['sent_per_s']:,}"),
        (f"long tasks (over 50 ms) in {figures['minutes']:g} minutes", f"{figures['long_tasks']}"),
        ("layout shift, in the worst five seconds", f"{figures['layout_shift']:.3f}"),
        ("heap of the page, first and last", f"{first['page_mb']:.1f} and {last['page_mb']:.1f} MB"),
        ("heap of the worker, first and last", f"{first['worker_mb']:.1f} and {last['worker_mb']:.1f} MB"),
        ("JavaScript, gzip", f"{size['js']['gzip_kb']:.0f} kB"),
        ("styles, gzip", f"{size['css']['gzip_kb']:.0f} kB"),
    ]
    lines += ["", "| | |", "|---|---:|", *(f"| {name} | {value} |" for name, value in rows)]
    return "\n".join(lines)


def plot_frames(figures: dict[str, Any], path: Path) -> None:
    """Script a frame against the aim, and both heaps over time."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(7.2, 3.2), layout="constrained")
    for place, (label, part, colour) in enumerate(
        (("as it is", figures["as_it_is"], BLUE), ("slowed 4 times", figures["slowed"], BRASS))
    ):
        heights = [part["script_ms"][name] for name in PERCENTILES]
        left.bar([n + 0.35 * place for n in range(3)], heights, width=0.32, label=label, color=colour)
    left.axhline(AIM_MS, color=INK, linewidth=0.8, linestyle="--")
    left.annotate("aim", (2.5, AIM_MS), xytext=(0, 3), textcoords="offset points", fontsize=8)
    left.set_xticks([n + 0.17 for n in range(3)], PERCENTILES)
    left.set_ylabel("milliseconds")
    left.set_title("Script of a drawn frame", fontsize=10)
    left.legend(fontsize=8, frameon=False)
    minutes = [row["minute"] for row in figures["heap"]]
    for label, name, colour in (("page", "page_mb", BLUE), ("worker", "worker_mb", BRASS)):
        right.plot(minutes, [row[name] for row in figures["heap"]], color=colour, label=label)
    right.set_ylim(bottom=0)
    right.set_xlabel("minutes")
    right.set_ylabel("megabytes after a collection")
    right.set_title("JavaScript heap", fontsize=10)
    right.legend(fontsize=8, frameon=False)
    for axes in (left, right):
        axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=120, metadata={"Software": None})
    plt.close(figure)


def library(figures: dict[str, Any]) -> str:
    """The table of orders from Python."""
    lines = ["| way | native, orders/s | reference, orders/s | times |", "|---|---:|---:|---:|"]
    for row in figures["ways"]:
        times = row["native_per_s"] / row["reference_per_s"]
        lines.append(f"| {row['way']} | {row['native_per_s']:,} | {row['reference_per_s']:,} | {times:,.0f} × |")
    return "\n".join(lines)


def plot_library(figures: dict[str, Any], path: Path) -> None:
    """Orders a second by way, both engines."""
    figure, axes = plt.subplots(figsize=(7.2, 3.6), layout="constrained")
    ways = [row["way"] for row in figures["ways"]][::-1]
    for engine, place, colour in (("native", 0.2, BLUE), ("reference", -0.2, INK)):
        rates = [row[f"{engine}_per_s"] for row in figures["ways"]][::-1]
        bars = axes.barh([n + place for n in range(len(ways))], rates, height=0.36, color=colour, label=engine)
        axes.bar_label(bars, [f"{rate:,}" for rate in rates], fontsize=7, padding=2)
    axes.set_xscale("log")
    axes.set_xlim(right=max(row["native_per_s"] for row in figures["ways"]) * 6)
    axes.set_yticks(range(len(ways)), ways, fontsize=8)
    axes.set_xlabel("orders a second, logarithmic")
    axes.legend(fontsize=8, frameon=False, loc="lower right")
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=120, metadata={"Software": None})
    plt.close(figure)


LABELS = {
    "none": "(there are none)",
    "reading": "read everything",
    "silent": "never read",
    "byte a second": "read a byte a second",
    "garbage": "send garbage",
}
"""What neighbours do."""


def neighbours(figures: dict[str, Any]) -> str:
    """The table of what bad neighbours cost."""
    lines = [
        f"| beside {figures['clients']} clients that | SSE p50 ms | p99 ms | WebSocket p50 ms | p99 ms | p99 to none "
        "| p99 to those that read | server, s a turn | memory, MiB | lost |",
        "|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for kind, row in figures["kinds"].items():
        spreads = " | ".join(f"{row[name][at]:.2f}" for name in ("sse", "websocket") for at in ("p50", "p99"))
        against = " | ".join(
            " and ".join(f"{row[name][transport]:.2f} ×" for transport in ("sse", "websocket")) if name in row else "–"
            for name in ("p99_to_none", "p99_to_reading")
        )
        lines.append(
            f"| {LABELS[kind]} | {spreads} | {against} | {row['processor_s']:.2f} | {row['memory_mib']:.1f} | {row['missing']} |"
        )
    cut = {"4008": figures["cut"].get("4008", 0), "never": figures["cut"]["never"]}
    lines += [
        "",
        f"{figures['minutes']:g} minutes, medians of {figures['kinds']['none']['turns']} turns. Of {figures['clients'] // 2} "
        f"WebSockets that never read {cut['4008']} found close code 4008; {cut['never']} streams were not cut.",
    ]
    return "\n".join(lines)


def plot_neighbours(figures: dict[str, Any], path: Path) -> None:
    """Latency on both transports beside each kind of neighbours."""
    figure, axes = plt.subplots(figsize=(7.2, 3.2), layout="constrained")
    kinds = list(figures["kinds"])
    bars = (
        ("sse", "p50", BLUE, 1.0),
        ("sse", "p99", BLUE, 0.5),
        ("websocket", "p50", RED, 1.0),
        ("websocket", "p99", RED, 0.5),
    )
    for place, (transport, at, colour, alpha) in enumerate(bars):
        heights = [figures["kinds"][kind][transport][at] for kind in kinds]
        name = "SSE" if transport == "sse" else "WebSocket"
        where = [n + 0.2 * place for n in range(len(kinds))]
        axes.bar(where, heights, width=0.18, label=f"{name} {at}", color=colour, alpha=alpha)
    axes.set_xticks([n + 0.3 for n in range(len(kinds))], [LABELS[kind] for kind in kinds], fontsize=7)
    axes.set_ylabel("commit to receipt, ms")
    axes.legend(fontsize=8, frameon=False)
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=120, metadata={"Software": None})
    plt.close(figure)


PARTS = {
    "load": (show.table, plots.plot),
    "listeners": (listeners, plot_listeners),
    "neighbours": (neighbours, plot_neighbours),
    "projections": (projections, plot_projections),
    "frames": (frames, plot_frames),
    "library": (library, plot_library),
    "restart": (restart, plot_restart),
    "books": (books.table, books.plot),
}
OPTIONAL = ("books", "restart")
"""Parts that take long: their place on the page stays as it is where nobody has measured them here."""


def fill_in(page: str, name: str, text: str) -> str:
    """The page with the text between a part's markers replaced. Raises `ValueError` where the markers are missing."""
    pattern = re.compile(rf"(<!-- {name} -->\n).*?(<!-- /{name} -->)", re.DOTALL)
    if not pattern.search(page):
        raise ValueError(f"docs/benchmarks.md has no place for {name}")
    return pattern.sub(lambda match: f"{match[1]}{text}\n{match[2]}", page)


def write(only: str | None = None) -> str:
    """Write the page and the plots, or only one part; gives the page's path."""
    IMAGES.mkdir(parents=True, exist_ok=True)
    page = PAGE.read_text("utf-8")
    for name, (table, plot) in PARTS.items():
        if only is None and name in OPTIONAL and not (FIGURES / f"{name}.json").exists():
            continue
        if only not in (None, name):
            continue
        figures = load(name)
        plot(figures, IMAGES / f"{name}.png")
        machine = figures["machine"]
        browser = f", Chromium {machine['chromium']}" if "chromium" in machine else ""
        told = (
            f"{table(figures)}\n\n{machine['cpus']} cores, {machine['machine']}, Python {machine['python']}{browser}."
        )
        page = fill_in(page, name, told)
    PAGE.write_text(page, "utf-8")
    return str(PAGE.relative_to(ROOT))
