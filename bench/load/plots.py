"""The figures of `bench.load` as plots."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import matplotlib as mpl

from bench.load.show import Figures, profiles

mpl.use("Agg")
import matplotlib.pyplot as plt

INK, BLUE, RED, BRASS = "#1a1c1f", "#1d5fd6", "#cf2436", "#dba11c"
COLOURS = (BLUE, RED, BRASS, INK, "#5b8c5a", "#8a5fbf", "#3aa6a6", "#b3632b", "#9aa0a6", "#d48fb0")


def latency(figures: Figures, path: Path) -> None:
    """Percentiles of each way at each share of its maximum."""
    ways = [row for row in figures["ways"].values() if any("missing" not in step for step in row["steps"])]
    figure, axes = plt.subplots(figsize=(7.2, 3.6), layout="constrained")
    for row, colour in zip(ways, COLOURS, strict=False):
        steps = [step for step in row["steps"] if "missing" not in step]
        shares = [step["share"] * 100 for step in steps]
        for name, style in (("p50", ":"), ("p99", "-")):
            label = row["label"] if name == "p99" else None
            values = [step["ack_ms"].get(name) for step in steps]
            axes.plot(shares, values, style, color=colour, label=label, marker="o", markersize=3)
    axes.set_yscale("log")
    axes.set_xlabel("per cent of the way's maximum")
    axes.set_ylabel("milliseconds from due to the answer")
    axes.set_title("p99 (lines) and p50 (dotted), open loop", fontsize=10)
    axes.legend(fontsize=7, frameon=False, loc="upper left", bbox_to_anchor=(1.0, 1.0))
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=120, metadata={"Software": None})
    plt.close(figure)


def stages(figures: Figures, path: Path) -> None:
    """Processor time of a command by stage, stacked, one bar a way."""
    found = list(profiles(figures))
    figure, axes = plt.subplots(figsize=(7.2, 3.2), layout="constrained")
    names: dict[str, float] = {}
    for _, one, us in found:
        for name, share in one["stages"].items():
            names[name] = max(names.get(name, 0.0), share * us)
    largest = sorted(names, key=lambda name: -names[name])[: len(COLOURS) - 1]
    places = range(len(found))
    left = [0.0] * len(found)
    for name, colour in zip((*largest, "the rest"), COLOURS, strict=False):
        widths = [
            us
            * (
                one["stages"].get(name, 0.0)
                if name != "the rest"
                else 1 - sum(one["stages"].get(n, 0) for n in largest)
            )
            for _, one, us in found
        ]
        axes.barh(places, widths, left=left, color=colour, label=name, height=0.6)
        left = [at + width for at, width in zip(left, widths, strict=True)]
    axes.set_yticks(places, [label for label, _, _ in found], fontsize=8)
    axes.invert_yaxis()
    axes.set_xlabel("processor time of the server for a command at the maximum, microseconds")
    axes.legend(fontsize=7, frameon=False, ncols=2)
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=120, metadata={"Software": None})
    plt.close(figure)


def peers(figures: Figures, path: Path) -> None:
    """Requests a second beside what one would run instead."""
    rows = [row for row in (figures["beside"] or {}).values() if "per_s" in row][::-1]
    figure, axes = plt.subplots(figsize=(7.2, 0.5 * len(rows) + 1), layout="constrained")
    labels = [row["label"].replace("**", "") for row in rows]
    bars = axes.barh(labels, [row["per_s"] for row in rows], color=[BLUE if n == "Onseju" else INK for n in labels])
    axes.bar_label(bars, [f"{row['per_s']:,.0f}" for row in rows], fontsize=8, padding=2)
    axes.set_xlabel("requests a second, one order each")
    axes.tick_params(axis="y", labelsize=8)
    axes.margins(x=0.15)
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=120, metadata={"Software": None})
    plt.close(figure)


PLOTS: dict[str, Callable[[Figures, Path], None]] = {
    "load-latency": latency,
    "load-stages": stages,
    "load-peers": peers,
}


def plot(figures: Figures, path: Path) -> None:
    """All of them, into the folder of `path`; of what was not measured there is none."""
    wanted = {"load-latency": True, "load-stages": any(profiles(figures)), "load-peers": bool(figures["beside"])}
    for name, draw in PLOTS.items():
        if wanted[name]:
            draw(figures, path.with_name(f"{name}.png"))
