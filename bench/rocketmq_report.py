"""From build/bench/rocketmq.json to docs/rocketmq-tuning.md: tables between markers, and the plot.

`python -m bench.rocketmq_report`
"""

from __future__ import annotations

import re
from typing import Any

import matplotlib as mpl

from bench.report import BLUE, IMAGES, INK, RED, ROOT, load

mpl.use("Agg")
import matplotlib.pyplot as plt

PAGE = ROOT / "docs/rocketmq-tuning.md"
TRIPS_A_ROUND = 100
NOT_MEASURED = "Not in this page's run."
BASE = {
    "flush": "SYNC_FLUSH",
    "type": "NORMAL",
    "queues": "4",
    "commands": "100",
    "batch": "32",
    "pollers": "2",
    "invisible": "15 s",
    "heap": "512 MB",
}
"""The base's row of each table."""
HEADS = {
    "flush": "flush",
    "type": "topic type",
    "queues": "queues a topic",
    "commands": "commands a message",
    "batch": "messages a receive, at most",
    "pollers": "long polls at a time",
    "invisible": "invisible time",
    "heap": "heap of proxy and broker",
}


def table(name: str, rows: dict[str, dict[str, Any]]) -> str:
    """A setting's rows, beside the base's."""
    rounds = min(row["trips"] for row in rows.values()) // TRIPS_A_ROUND
    lines = [
        f"Rounds: {rounds}.",
        "",
        f"| {HEADS[name]} | commands/s | against the base (range) | round trip p50, ms | p95 | p99 | against the base, p50 | send p50, ms |",
        "|---|---:|---:|---:|---:|---:|---:|---:|",
    ]
    base = rows[BASE[name]]
    for label, row in rows.items():
        shown = f"**{label}**" if label == BASE[name] else label
        low, high = (row[key] / base["commands_per_s"] for key in ("slowest_per_s", "fastest_per_s"))
        lines.append(
            f"| {shown} | {row['commands_per_s']:,.0f} | {row['commands_per_s'] / base['commands_per_s']:.2f} "
            f"({low:.2f}–{high:.2f}) | {row['p50_ms']:.1f} | {row['p95_ms']:.1f} | {row['p99_ms']:.1f} "
            f"| {row['p50_ms'] / base['p50_ms']:.2f} | {row['send_p50_ms']:.1f} |"
        )
    return "\n".join(lines)


def windows(rows: dict[str, dict[str, Any]], floor: dict[str, Any]) -> str:
    """What gathering commands costs and saves, at one rate."""
    lines = [
        "| window | commands/s carried | p50 from a command's arrival, ms | p95 | p99 | against the empty round trip, p50 |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    for label, row in rows.items():
        lines.append(
            f"| {label} | {row['commands_per_s']:,.0f} | {row['p50_ms']:.1f} | {row['p95_ms']:.1f} | {row['p99_ms']:.1f} "
            f"| {row['p50_ms'] / floor['p50_ms']:.2f} |"
        )
    return "\n".join(lines)


def crashes(rows: dict[str, dict[str, Any]]) -> str:
    """What `kill -9` of broker and proxy costs."""
    lines = [
        "| flush | confirmed messages | of them missing | until the server is there again, s | until a send succeeds, s |",
        "|---|---:|---:|---:|---:|",
    ]
    for label, row in rows.items():
        lines.append(
            f"| {label} | {row['confirmed']:,} | {row['missing']} | {row['server_s']:.1f} | {row['service_s']:.1f} |"
        )
    return "\n".join(lines)


def plot(figures: dict[str, Any]) -> None:
    """Throughput and latency of every setting against the base's."""
    names = [name for name in HEADS if name in figures["tables"]]
    fig, (left, right) = plt.subplots(1, 2, figsize=(11, 7.5), sharey=True)
    labels, places, at = [], [], 0.0
    for name in names:
        rows = figures["tables"][name]
        base = rows[BASE[name]]
        for label, row in rows.items():
            own = label == BASE[name]
            rate, low, high = (
                row[key] / base["commands_per_s"] for key in ("commands_per_s", "slowest_per_s", "fastest_per_s")
            )
            left.barh(at, rate, color=BLUE if own else INK, alpha=0.9 if own else 0.45)
            left.plot([low, high], [at, at], color=RED, lw=1.2)
            right.barh(at, row["p50_ms"] / base["p50_ms"], color=BLUE if own else INK, alpha=0.9 if own else 0.45)
            right.plot(row["p95_ms"] / base["p50_ms"], at, "|", color=RED, ms=9)
            labels.append(f"{HEADS[name]}: {label}")
            places.append(at)
            at += 1
        at += 0.6
    left.set_yticks(places, labels, fontsize=8)
    left.invert_yaxis()
    left.set_xscale("log")
    right.set_xscale("log")
    for axes, title in ((left, "commands/s (line: rounds' range)"), (right, "empty round trip, p50 (mark: p95)")):
        axes.axvline(1.0, color=INK, lw=0.8)
        axes.set_xlabel(f"{title}, base = 1")
        axes.spines[["top", "right"]].set_visible(False)
    fig.tight_layout()
    fig.savefig(IMAGES / "rocketmq-tuning.png", dpi=110)
    plt.close(fig)

    fig, axes = plt.subplots(figsize=(7.5, 3.8))
    rows = figures["tables"]["window"]
    sizes = [int(label.split()[0]) for label in rows]
    for key, color in (("p50_ms", BLUE), ("p95_ms", INK), ("p99_ms", RED)):
        axes.plot(sizes, [row[key] for row in rows.values()], "o-", color=color, label=key.removesuffix("_ms"))
    axes.axhline(figures["tables"]["queues"]["4"]["p50_ms"], color=INK, ls=":", lw=1, label="empty round trip, p50")
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xticks(sizes, [str(size) for size in sizes])
    axes.minorticks_off()
    axes.set_xlabel("window in which commands gather, ms")
    axes.set_ylabel("from a command's arrival, ms")
    axes.legend(frameon=False, fontsize=8)
    axes.spines[["top", "right"]].set_visible(False)
    fig.tight_layout()
    fig.savefig(IMAGES / "rocketmq-window.png", dpi=110)
    plt.close(fig)


def main() -> None:
    figures = load("rocketmq")
    tables = figures["tables"]
    parts = {name: table(name, tables[name]) if name in tables else NOT_MEASURED for name in HEADS}
    parts["window"] = windows(tables["window"], tables["queues"]["4"])
    parts["crashes"] = crashes(figures["crashes"])
    floor = tables["queues"]["4"]
    parts["floor"] = (
        f"{floor['p50_ms']:.1f} ms p50, {floor['p95_ms']:.1f} ms p95, {floor['p99_ms']:.1f} ms p99 of {floor['trips']:,} "
        f"trips, {figures['cores']} cores, load average {figures['load_before']:.0f} at the start"
    )
    text = PAGE.read_text("utf-8")
    for name, part in parts.items():
        pattern = re.compile(rf"(<!-- {name} -->\n).*?(\n<!-- end -->)", re.DOTALL)
        if not pattern.search(text):
            raise SystemExit(f"{PAGE.name} has no place for {name}")
        text = pattern.sub(lambda match, part=part: match[1] + part + match[2], text)  # type: ignore[misc]
    PAGE.write_text(text, "utf-8")
    plot(figures)


if __name__ == "__main__":
    main()
