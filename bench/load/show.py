"""The figures of `bench.load` as tables, for the page and the terminal."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

QUANTILES = ("p50", "p95", "p99", "p99.9")
STAGES = ("queue", "apply", "journal", "events", "publish", "commit", "fsync", "request: order")
SHOWN_STAGES = 0.01
"""Of the samples, what a row of the profile has at least in some way."""

Figures = dict[str, Any]


def table(figures: Figures) -> str:
    """All tables, as the page has them."""
    parts = (maxima(figures), aims(figures), latencies(figures), steady(figures), stages(figures), profile(figures))
    return "\n\n".join(filter(None, (*parts, against(figures), peers(figures), conditions(figures))))


def _share(value: float) -> str:
    return f"{value * 100:.0f} %"


def _times(ratio: float) -> str:
    return f"{ratio:.1f} ×" if ratio >= 1 else f"{ratio:.2f} ×"


def _ms(spread: dict[str, float], name: str) -> str:
    if name not in spread:
        return "–"
    value = spread[name]
    return f"{value:.1f}" if value < 100 else f"{value:,.0f}"


def maxima(figures: Figures) -> str:
    """Each way's maximum."""
    lines = [
        "| way, closed loop | commands/s | simple flow, commands/s | server, µs a command | server, cores | load process, "
        "µs a command | its share of a core |",
        "|---|---:|---:|---:|---:|---:|---:|",
    ]
    for row in figures["ways"].values():
        mixed, simple = row["mixed"], row["simple"]
        lines.append(
            f"| {row['label']} | {mixed['per_s']:,} | {simple['per_s']:,} | {mixed['server_us']:,.1f} | "
            f"{mixed['server_cores']:.2f} | {mixed['generator_us']:,.1f} | {_share(mixed['generator_share'])} |"
        )
    alone = figures["alone"]
    lines += [
        "",
        "| the load process with a server that does nothing | commands/s | µs a command | its share of a core |",
        "|---|---:|---:|---:|",
    ]
    for name, row in alone.items():
        label = figures["ways"].get(name, {}).get("label", name)
        lines.append(f"| {label} | {row['per_s']:,} | {row['generator_us']:,.2f} | {_share(row['generator_share'])} |")
    return "\n".join(lines)


def _best(figures: Figures, names: tuple[str, ...]) -> int | None:
    ways = figures["ways"]
    rates = [max(ways[name]["mixed"]["per_s"], ways[name]["simple"]["per_s"]) for name in names if name in ways]
    return max(rates, default=None)


def _judge(wanted: float, got: float) -> str:
    return "met" if got >= wanted else f"**missed** by {(1 - got / wanted) * 100:.0f} %"


def aims(figures: Figures) -> str:
    """What was aimed at, and what came of it."""
    lines = ["| aim | measured | |", "|---|---|---|"]
    for what, names, wanted in (
        ("single orders over HTTP: 10,000/s", ("http",), 10_000),
        ("JSON batches or WebSocket: 100,000/s", ("batches", "websocket"), 100_000),
        ("records: 300,000/s", ("records", "socket_records"), 300_000),
    ):
        got = _best(figures, names)
        if got is not None:
            lines.append(f"| {what} | {got:,}/s | {_judge(wanted, got)} |")
    if figures["sustained"]:
        kept = [row for row in figures["sustained"] if row["keeps_up"]]
        got = kept[-1]["rate"] if kept else figures["sustained"][0]["tables_per_s"]
        lines.append(f"| the tables keep up for good: 40,000/s | {got:,}/s | {_judge(40_000, got)} |")
    half = _step(figures["ways"].get("http", {}), 0.5)
    if half is not None and half.get("fill_ms"):
        got = half["fill_ms"]["p99"]
        judged = "met" if got <= 20 else f"**missed** by {(got / 20 - 1) * 100:,.0f} %"
        lines.append(f"| one a request, at half: p99 to the fill on SSE under 20 ms | {got:.1f} ms | {judged} |")
    return "\n".join(lines) if len(lines) > 2 else ""


def _step(way: Figures, share: float) -> Figures | None:
    return next((row for row in way.get("steps", ()) if row["share"] == share and "missing" not in row), None)


def _codes(row: Figures) -> str:
    other = {code: count for code, count in row["codes"].items() if code not in ("taken", "order_done")}
    if row["unanswered"]:
        other["no answer"] = row["unanswered"]
    return ", ".join(f"{code} {count:,}" for code, count in other.items()) or "none"


def latencies(figures: Figures) -> str:
    """Each way's open loops."""
    head = ("way, open loop", "of the maximum", "commands/s", *(f"{name} ms" for name in QUANTILES))
    more = ("fill p50 ms", "fill p99 ms", "errors", "tables behind at the end", "to catch up, s", "memory, most, MiB")
    lines = [f"| {' | '.join((*head, *more))} |", "|---|" + "---:|" * (len(head) + len(more) - 1)]
    for row in figures["ways"].values():
        for step in row["steps"]:
            if "missing" in step:
                lines.append(f"| {row['label']} | {_share(step['share'])} | {step['missing']} |" + " |" * 10)
                continue
            fills = step.get("fill_ms") or step.get("probe", {}).get("fill_ms") or {}
            cells = [row["label"], _share(step["share"]), f"{step['rate']:,}"]
            cells += [_ms(step["ack_ms"], name) for name in QUANTILES]
            cells += [_ms(fills, "p50"), _ms(fills, "p99"), _codes(step), f"{step['lag']:,}", _drained(step["drain"])]
            cells.append(f"{step['memory']['most_mib']:,.0f}")
            lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _drained(drain: Figures) -> str:
    if drain["seconds"] is None:
        return "never"
    return f"~{drain['seconds']:,.0f}" if drain["is_estimate"] else f"{drain['seconds']:,.1f}"


def steady(figures: Figures) -> str:
    """What the tables sustain."""
    if not figures["sustained"]:
        return ""
    lines = [
        "| commands/s for good | behind at the end | what the tables took, commands/s | they keep up |",
        "|---:|---:|---:|---|",
    ]
    for row in figures["sustained"]:
        keeps = "yes" if row["keeps_up"] else f"no, {row['growth_per_s']:,} more each second"
        lines.append(f"| {row['rate']:,} | {row['lag']:,} | {row['tables_per_s']:,} | {keeps} |")
    return "\n".join(lines)


def stages(figures: Figures) -> str:
    """The server's own times of the stages, at half of the maximum."""
    steps = {row["label"]: step for row in figures["ways"].values() if (step := _step(row, 0.5)) is not None}
    if not steps:
        return ""
    lines = [
        f"| mean (p99) of a stage at half of the maximum, ms | {' | '.join(steps)} |",
        "|---|" + "---:|" * len(steps),
    ]
    for name in STAGES:
        cells = []
        for step in steps.values():
            stage = step["stages"].get(name)
            cells.append(f"{stage['mean_ms']:.2f} ({stage['p99_ms']:.1f})" if stage else "–")
        if any(cell != "–" for cell in cells):
            lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines)


def profiles(figures: Figures) -> Iterator[tuple[str, Figures, float]]:
    """Each way's label, profile, and the server's processor time for a command in microseconds."""
    for row in figures["ways"].values():
        if "stages" in row.get("profile", {}):
            yield row["label"], row["profile"], row["mixed"]["server_us"]


def profile(figures: Figures) -> str:
    """Where the server's processor time goes, at the maximum."""
    found = list(profiles(figures))
    if not found:
        why = {row["profile"]["missing"] for row in figures["ways"].values() if "missing" in row.get("profile", {})}
        return "".join(f"No profile: {reason}." for reason in sorted(why))
    parts = []
    for kind, head in (("stages", "folder"), ("threads", "thread")):
        names: dict[str, float] = {}
        for _, one, _ in found:
            for name, share in one[kind].items():
                names[name] = max(names.get(name, 0.0), share)
        shown = [name for name, share in sorted(names.items(), key=lambda item: -item[1]) if share >= SHOWN_STAGES]
        lines = [
            f"| µs a command (share), by {head} | {' | '.join(label for label, _, _ in found)} |",
            "|---|" + "---:|" * len(found),
        ]
        for name in shown:
            cells = [f"{one[kind].get(name, 0) * us:,.1f} ({_share(one[kind].get(name, 0))})" for _, one, us in found]
            lines.append(f"| {name} | {' | '.join(cells)} |")
        parts.append("\n".join(lines))
    return "\n\n".join(parts)


def against(figures: Figures) -> str:
    """The same on another tree of Onseju."""
    other = figures.get("against")
    if not other:
        return ""
    lines = [
        "| way, closed loop, rounds in turn | server, µs a command | the other tree | times |",
        "|---|---:|---:|---:|",
    ]
    for name, row in other.items():
        here, there = row["here"]["server_us"], row["there"]["server_us"]
        label = figures["ways"].get(name, {}).get("label", name)
        lines.append(f"| {label} | {here:,.1f} | {there:,.1f} | {there / here:.2f} × |")
    return "\n".join(lines)


def peers(figures: Figures) -> str:
    """What one would run instead."""
    beside = figures["beside"]
    if not beside:
        return ""
    ours = beside["onseju"]["per_s"]
    lines = [
        "| one order a request, 64 connections | requests/s | Onseju is | server, µs | at half: p50 ms | p99 ms | p99.9 ms |",
        "|---|---:|---:|---:|---:|---:|---:|",
    ]
    for row in beside.values():
        if "missing" in row:
            lines.append(f"| {row['label']} | {row['missing']} |" + " |" * 5)
            continue
        spread = row["half"]["ack_ms"]
        lines.append(
            f"| {row['label']} | {row['per_s']:,.0f} | {_times(ours / max(1, row['per_s']))} | {row['server_us']:,.0f} | "
            + " | ".join(_ms(spread, name) for name in ("p50", "p99", "p99.9"))
            + " |"
        )
    return "\n".join(lines)


def conditions(figures: Figures) -> str:
    """How it was measured."""
    late = [
        step["late_ms"].get("p99", 0.0)
        for row in figures["ways"].values()
        for step in row["steps"]
        if "missing" not in step
    ]
    text = (
        f"Open loops of {figures['seconds']:g} s, {figures['accounts']} accounts; one-minute load of the machine at the "
        f"start: {figures['machine']['load']}; {figures['minutes']:g} minutes in all."
    )
    return f"{text} The timetable itself was read at most {max(late):.1f} ms late (p99)." if late else text
