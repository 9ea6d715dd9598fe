"""From build/bench/books.json to the tables and plots of docs/benchmarks.md."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import matplotlib as mpl

mpl.use("Agg")
import matplotlib.pyplot as plt

INK, BLUE, RED, BRASS, GREEN = "#1a1c1f", "#1d5fd6", "#cf2436", "#dba11c", "#2f8f5b"
WORKLOADS = ("base", "deep", "multi")
LEAD = 2.5
P999_NS = 500
BATCH_RATE = 5e6
CALL_RATE = 1.5e6
ORDER_BYTES = 128
ID_BYTES = 40
SPREAD = 3
FLAT = 1.1
"""What memory may grow by over the run and still count as flat: pages come and go."""

SWEPT = {
    "onseju": ("Onseju, bare book", BLUE, "-"),
    "onseju-ahead": ("Onseju, bare book, touched ahead", BLUE, "-."),
    "onseju-any-price": ("Onseju, bare book, any price", BLUE, ":"),
    "native-1024": ("Onseju, whole exchange from Python", RED, "-"),
    "exchange-core": ("exchange-core, direct book (warm)", BRASS, "-"),
    "matchcore": ("matchcore", GREEN, "-"),
}

Figures = dict[str, Any]


def works(figures: Figures | None) -> bool:
    """Whether there is a figure."""
    return figures is not None and "error" not in figures


def short(number: float) -> str:
    """Three digits that say something."""
    return f"{number:.1f}" if number >= 10 else f"{number:.2f}" if number >= 1 else f"{number:.2g}"


def rate(figures: Figures | None) -> str:
    """Commands a second in millions, with what has to be said of it."""
    if figures is None or "error" in figures:
        return "–"
    text = short(figures["rate"] / 1e6)
    if "first_seconds" in figures:
        text += f" ({short(figures['commands'] / figures['first_seconds'] / 1e6)})"
    if figures["commands"] < 1_000_000:
        text += " ⁱ"
    return f"~~{text}~~" if figures["wrong"] else text


def latency(figures: Figures | None) -> str:
    """The three percentiles."""
    if figures is None or "p50_ns" not in figures:
        return "–"
    return " / ".join(f"{figures[name]:,.0f}" for name in ("p50_ns", "p99_ns", "p999_ns"))


def comparison(result: Figures) -> str:
    """All engines on the three workloads."""
    results = result["results"]
    lines = [
        "| engine | language | base M/s | deep M/s | multi M/s | base p50 / p99 / p99.9 ns |",
        "|---|---|---:|---:|---:|---:|",
    ]
    fastest = {
        name: max((results[w][name]["rate"] for w in WORKLOADS if works(results[w].get(name))), default=0)
        for name in result["engines"]
    }
    for name in sorted(result["engines"], key=lambda name: -fastest[name]):
        engine = result["engines"][name]
        cells = " | ".join(rate(results[workload].get(name)) for workload in WORKLOADS)
        lines.append(f"| {engine['label']} | {engine['language']} | {cells} | {latency(results['base'].get(name))} |")
    return "\n".join([*lines, *remarks(result)])


def remarks(result: Figures) -> list[str]:
    """What failed, what was wrong, and who got fewer commands."""
    lines = []
    for name, engine in result["engines"].items():
        label = engine["label"].replace("**", "")
        said: dict[str, list[str]] = {}
        for workload in WORKLOADS:
            figures = result["results"][workload].get(name, {})
            if "error" in figures:
                said.setdefault(f"no figure ({figures['error']})", []).append(workload)
            elif figures["wrong"]:
                said.setdefault(f"wrong trades ({figures['wrong']})", []).append(workload)
            if works(figures) and figures["commands"] < 1_000_000:
                said.setdefault(f"ⁱ the first {figures['commands']:,.0f} commands only", []).append(workload)
        lines += [f"- {label}, {' and '.join(where)}: {what}." for what, where in said.items()]
    return ["", *lines] if lines else []


def best_peer(result: Figures, workload: str, *, right_only: bool) -> tuple[str, float]:
    """The fastest peer's name and rate."""
    rates = [
        (figures["rate"], result["engines"][name]["label"])
        for name, figures in result["results"][workload].items()
        if works(figures) and not result["engines"][name]["is_ours"] and not (right_only and figures["wrong"])
    ]
    fastest, label = max(rates, default=(0.0, "none"))
    return label, fastest


def verdict(figure: float, aim: float, *, at_least: bool) -> str:
    """Met, or missed by how much."""
    if figure >= aim if at_least else figure <= aim:
        return "met"
    share = 1 - figure / aim if at_least else figure / aim - 1
    return f"**missed** by {share:.0%}"


def aims(result: Figures) -> str:
    """Each aim with its figure beside it."""
    results = result["results"]
    rows: list[tuple[str, str, str]] = []
    for workload in WORKLOADS:
        ours = results[workload]["onseju"]["rate"]
        label, theirs = best_peer(result, workload, right_only=True)
        ratio = ours / theirs if theirs else 0
        told = f"{ratio:.1f} × {label}"
        wrong, quickest = best_peer(result, workload, right_only=False)
        if quickest > theirs:
            told += f" ({ours / quickest:.1f} × {wrong}, whose trades are wrong)"
        rows.append(
            (
                f"bare book, {workload}: {LEAD} × the fastest peer that is right",
                told,
                verdict(ratio, LEAD, at_least=True),
            )
        )
    tail = results["base"]["onseju"]["p999_ns"]
    rows.append(("bare book, base: p99.9 under 500 ns", f"{tail:,.0f} ns", verdict(tail, P999_NS, at_least=False)))
    for name, aim, what in (
        ("native-64", BATCH_RATE, "whole exchange from Python, base, batches of 64: 5 M commands/s"),
        ("native-1024", BATCH_RATE, "the same in batches of 1,024"),
        ("native-65536", BATCH_RATE, "the same in batches of 65,536"),
        ("native-1", CALL_RATE, "whole exchange from Python, base, one call per order: 1.5 M/s"),
    ):
        got = results["base"][name]["rate"]
        rows.append((what, f"{got / 1e6:.1f} M/s", verdict(got, aim, at_least=True)))
    for name, what in (("onseju", "bare book"), ("native-1024", "whole exchange")):
        full = result["depth"]["1000000"].get(name)
        if works(full):
            each = full["filling_bytes"] / full["filling"]
            rows.append(
                (
                    f"{what}: {ORDER_BYTES} bytes a resting order",
                    f"{each:.0f} bytes",
                    verdict(each, ORDER_BYTES, at_least=False),
                )
            )
    each = result["ids"]["bytes"] / result["ids"]["kept"]
    rows.append(
        (
            f"whole exchange: {ID_BYTES} bytes a kept client id",
            f"{each:.0f} bytes",
            verdict(each, ID_BYTES, at_least=False),
        )
    )
    for name, what in (("book", "bare book"), ("exchange", "whole exchange")):
        points = result["churn"][name]
        grown = points[-1][1] / points[0][1]
        rows.append(
            (
                f"{what}: memory flat over {points[-1][0] / 1e6:,.0f} million orders that come and go",
                f"{points[0][1] / 1e6:.0f} MB after the first tenth, {points[-1][1] / 1e6:.0f} MB at the end",
                verdict(grown, FLAT, at_least=False),
            )
        )
    for name, what in (
        ("onseju", "bare book"),
        ("onseju-ahead", "bare book, touched ahead"),
        ("native-1024", "whole exchange"),
    ):
        costs = [1e9 / figures[name]["rate"] for figures in result["depth"].values() if works(figures.get(name))]
        if not costs:
            continue
        spread = max(costs) / min(costs)
        rows.append(
            (
                f"{what}: cost from 1 thousand to 1 million resting orders within {SPREAD} ×",
                f"{min(costs):.0f} to {max(costs):.0f} ns, {spread:.1f} ×",
                verdict(spread, SPREAD, at_least=False),
            )
        )
    return "\n".join(["| aim | measured | |", "|---|---|---|", *(f"| {' | '.join(row)} |" for row in rows)])


def sweep(result: Figures, title: str, head: str) -> str:
    """Nanoseconds a command against depth or number of instruments."""
    sizes = list(result[title])
    lines = [
        f"| {head} | " + " | ".join(f"{int(size):,}" for size in sizes) + " |",
        "|---|" + "---:|" * len(sizes),
    ]
    for name, (label, _, _) in SWEPT.items():
        cells = []
        for size in sizes:
            figures = result[title][size].get(name)
            if figures is None or "error" in figures:
                cells.append("–")
            else:
                text = f"{1e9 / figures['rate']:,.0f}"
                cells.append(f"~~{text}~~" if figures["wrong"] else text)
        lines.append(f"| {label}, ns | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def memory(result: Figures) -> str:
    """Bytes a resting order, with a million resting."""
    lines = ["| a million orders rest | bytes each |", "|---|---:|"]
    for name, (label, _, _) in SWEPT.items():
        figures = result["depth"]["1000000"].get(name)
        if figures is not None and "error" not in figures:
            lines.append(f"| {label} | {figures['filling_bytes'] / figures['filling']:.0f} |")
    return "\n".join(lines)


def table(result: Figures) -> str:
    """Everything that the page has of this."""
    return "\n\n".join(
        [
            comparison(result),
            aims(result),
            sweep(result, "depth", "orders that rest"),
            sweep(result, "symbols", "instruments"),
            memory(result),
            f"{result['rounds']} rounds; one-minute load of the machine at the start: {result['machine']['load']}.",
        ]
    )


def plain(axes: Any) -> None:
    """No frame."""
    axes.spines[["top", "right"]].set_visible(False)


def plot_engines(result: Figures, path: Path) -> None:
    """Commands a second of all engines."""
    names = [name for name in result["engines"] if any(works(result["results"][w].get(name)) for w in WORKLOADS)]
    names.sort(key=lambda name: max(f["rate"] for w in WORKLOADS if works(f := result["results"][w].get(name))))
    figure, axes = plt.subplots(figsize=(7.2, 0.42 * len(names) + 1), layout="constrained")
    for place, (workload, colour) in enumerate(zip(WORKLOADS, (BLUE, INK, BRASS), strict=True)):
        rates = [result["results"][workload].get(name, {}).get("rate", 0) / 1e6 for name in names]
        axes.barh([n - 0.27 * (place - 1) for n in range(len(names))], rates, height=0.25, label=workload, color=colour)
    axes.set_yticks(
        range(len(names)), [result["engines"][name]["label"].replace("**", "") for name in names], fontsize=8
    )
    axes.set_ylim(-0.6, len(names) - 0.4)
    axes.set_xscale("log")
    axes.set_xlabel("million commands a second (logarithmic)")
    axes.legend(fontsize=8, frameon=False, loc="lower right")
    plain(axes)
    figure.savefig(path, dpi=120, metadata={"Software": None})
    plt.close(figure)


def plot_sweep(result: Figures, path: Path) -> None:
    """Cost against depth and against instruments."""
    figure, pair = plt.subplots(1, 2, figsize=(9, 3.6), layout="constrained", sharey=True)
    for axes, title, what in zip(pair, ("depth", "symbols"), ("orders that rest", "instruments"), strict=True):
        for name, (label, colour, style) in SWEPT.items():
            points = [
                (int(size), 1e9 / figures[name]["rate"])
                for size, figures in result[title].items()
                if works(figures.get(name))
            ]
            if points:
                axes.plot(*zip(*points, strict=True), style, color=colour, label=label, marker="o", markersize=3)
        axes.set_xscale("log")
        axes.set_yscale("log")
        axes.set_xlabel(what)
        plain(axes)
    pair[0].set_ylabel("nanoseconds a command")
    pair[0].legend(fontsize=7, frameon=False)
    figure.savefig(path, dpi=120, metadata={"Software": None})
    plt.close(figure)


def plot_latency(result: Figures, path: Path) -> None:
    """p50, p99 and p99.9 on base, one command at a time."""
    base = result["results"]["base"]
    names = [name for name in result["engines"] if works(base.get(name)) and "p50_ns" in base[name]]
    names.sort(key=lambda name: -base[name]["p999_ns"])
    figure, axes = plt.subplots(figsize=(7.2, 0.3 * len(names) + 1), layout="constrained")
    for label, key, colour in (("p50", "p50_ns", BLUE), ("p99", "p99_ns", BRASS), ("p99.9", "p999_ns", RED)):
        axes.plot([base[name][key] for name in names], range(len(names)), "o", color=colour, label=label, markersize=5)
    axes.axvline(P999_NS, color=INK, linewidth=0.8, linestyle="--")
    axes.set_yticks(
        range(len(names)), [result["engines"][name]["label"].replace("**", "") for name in names], fontsize=8
    )
    axes.set_xscale("log")
    axes.set_xlabel("nanoseconds a command on base (dashed: aim for p99.9, bare book)", fontsize=9)
    axes.legend(fontsize=8, frameon=False)
    plain(axes)
    figure.savefig(path, dpi=120, metadata={"Software": None})
    plt.close(figure)


def plot_churn(result: Figures, path: Path) -> None:
    """Memory over orders that come and go."""
    figure, axes = plt.subplots(figsize=(7.2, 2.8), layout="constrained")
    for name, label, colour in (
        ("book", "bare book", BLUE),
        ("exchange", "whole exchange, with Python around it", RED),
    ):
        points = result["churn"][name]
        axes.plot([p[0] / 1e6 for p in points], [p[1] / 1e6 for p in points], color=colour, label=label, marker="o")
    axes.set_ylim(bottom=0)
    axes.set_xlabel("million orders that came and went")
    axes.set_ylabel("megabytes of the process")
    axes.legend(fontsize=8, frameon=False)
    plain(axes)
    figure.savefig(path, dpi=120, metadata={"Software": None})
    plt.close(figure)


PLOTS: dict[str, Callable[[Figures, Path], None]] = {
    "books-engines": plot_engines,
    "books-latency": plot_latency,
    "books-depth": plot_sweep,
    "books-churn": plot_churn,
}


def plot(result: Figures, path: Path) -> None:
    """All plots, beside the one that the page's writer names."""
    for name, draw in PLOTS.items():
        draw(result, path.with_name(f"{name}.png"))
