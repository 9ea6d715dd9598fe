"""The page in Chromium while the market moves: script per frame, long tasks, layout shift, memory, size of the bundle.

`python -m bench.frames [--quick] [--minutes 30] [--rate 2000]` starts an exchange and sends it orders at that rate through
the API: each changes the book, every second one trades. So the page gets real KIS frames and real book changes, half of
them of the instrument that it shows. Then, in headless Chromium:

1. a trace of the main thread, from which the processor time of each drawn frame's script is summed; once as it is, once
   slowed to a quarter;
2. the rest of the time without a trace: long tasks, layout shift, and every 30 s the heaps of page and worker after a
   collection.
"""

from __future__ import annotations

import argparse
import bisect
import contextlib
import gzip
import http.client
import itertools
import json
import os
import shutil
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Self

import msgspec
from playwright.sync_api import Browser, CDPSession, Page, sync_playwright

from bench.httpload import Server, machine

RESULT = Path("build/bench/frames.json")
BUILT = Path(__file__).parent.parent / "onseju/web"
FLAGS = ("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking")
SYMBOL = "005930"
BATCH = 40
"""Orders a request; at 2,000 a second, fifty requests."""
SENDERS = 8
STEPS = ((20_000, 10), (50_000, 50), (200_000, 100), (500_000, 500), (10**9, 1000))
"""Below which price which step is on the grid."""
LEVELS = 10
"""Resting levels on each side, outside those that move."""
MOVING = 3
"""Ticks around the base price within which orders meet."""
SLOWED = 4
"""Chromium's own throttle: a machine so many times slower."""
LONG_TASK_MS = 50
HEAP_EVERY_S = 30
CATEGORIES = ["devtools.timeline", "toplevel", "v8", "disabled-by-default-v8.gc"]
SCRIPT = {
    "FunctionCall",
    "EvaluateScript",
    "RunMicrotasks",
    "MinorGC",
    "MajorGC",
    "V8.GC_SCAVENGER",
    "V8.GC_MARK_COMPACTOR",
}
DRAWN = "FireAnimationFrame"
TASKS = {"RunTask", "ThreadControllerImpl::RunTask"}

OBSERVE = """
// Sums only: a list of what happened would grow in the very heap that is measured.
window.onsejuBench = {longTasks: 0, longest: 0, window: 0, worst: 0, began: -1e12, before: -1e12};
new PerformanceObserver((list) => {
  for (const {duration} of list.getEntries()) {
    onsejuBench.longTasks += 1;
    onsejuBench.longest = Math.max(onsejuBench.longest, duration);
  }
}).observe({type: 'longtask', buffered: true});
// The worst window of at most five seconds without a second's pause (web.dev/cls).
new PerformanceObserver((list) => {
  for (const {startTime: at, value} of list.getEntries()) {
    const it = onsejuBench;
    if (at - it.before > 1000 || at - it.began > 5000) Object.assign(it, {window: 0, began: at});
    it.window += value;
    it.before = at;
    it.worst = Math.max(it.worst, it.window);
  }
}).observe({type: 'layout-shift', buffered: true});
"""
LOG_IN = """async ([name, password]) => {
  const post = (path, body) => fetch(path, {
    method: 'POST', headers: {'Content-Type': 'application/json'}, body: JSON.stringify(body)});
  await post('/v1/users', {name, password});
  return (await post('/v1/session', {name, password})).status;
}"""
PREFERENCES = {"selected": SYMBOL, "language": "ko", "sound": False}


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """How much is measured."""

    rate_per_s: int
    warm_up_s: float
    trace_s: float
    minutes: float


class Load:
    """Orders at a fixed rate, from a few threads: half on the instrument that is shown, the rest on the others in turn.

    A batch waits for the disk before it is answered, so that one sender alone would be as slow as the disk is.
    """

    def __init__(self, server: Server, rate_per_s: int) -> None:
        self._port = server.port
        self._prices = server.symbols()
        self._key = server.account("bench-load", 10**15, dict.fromkeys(self._prices, 10**8))
        self._rate = rate_per_s
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._run, args=(number,), daemon=True) for number in range(SENDERS)]
        self._sent = [0] * SENDERS
        self.error: BaseException | None = None

    @property
    def sent(self) -> int:
        """Orders taken so far."""
        return sum(self._sent)

    def __enter__(self) -> Self:
        with contextlib.closing(self._connect()) as connection:
            self._post(connection, [order for symbol in self._prices for order in self._resting(symbol)])
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(30)
        if self.error is not None:
            raise self.error

    def _connect(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self._port, timeout=30)

    def _step(self, symbol: str) -> int:
        base = self._prices[symbol] * 0.95
        return next(step for top, step in STEPS if base < top)

    def _resting(self, symbol: str) -> Iterator[dict[str, Any]]:
        for place in range(MOVING + 1, MOVING + LEVELS + 1):
            for side, sign in (("sell", 1), ("buy", -1)):
                yield self._order(symbol, side, sign * place, 100 * place)

    def _order(self, symbol: str, side: str, steps: int, qty: int) -> dict[str, Any]:
        step = self._step(symbol)
        price = self._prices[symbol] // step * step + steps * step
        return {"symbol": symbol, "side": side, "type": "limit", "qty": qty, "limit_price": price}

    def _orders(self) -> Iterator[dict[str, Any]]:
        others = itertools.cycle([symbol for symbol in self._prices if symbol != SYMBOL])
        for number in itertools.count():
            symbol = SYMBOL if number % 2 else next(others)
            steps = (number // 3) % (2 * MOVING + 1) - MOVING
            sides = ("sell", "buy") if number % 3 else ("buy", "sell")
            for side in sides:
                yield self._order(symbol, side, steps, 1 + number % 7)

    def _post(self, connection: http.client.HTTPConnection, orders: list[dict[str, Any]]) -> None:
        headers = {"Authorization": f"Bearer {self._key}", "Content-Type": "application/json"}
        for first in range(0, len(orders), 1000):
            body = msgspec.json.encode({"orders": orders[first : first + 1000]})
            connection.request("POST", "/v1/orders:batch", body, headers)
            answer = connection.getresponse()
            content = answer.read()
            if answer.status != 200 or b'"problem":{' in content:
                raise RuntimeError(f"{answer.status} {content[:500]!r}")

    def _run(self, number: int) -> None:
        source = self._orders()
        apart = BATCH * SENDERS / self._rate
        due = time.perf_counter() + apart * number / SENDERS
        try:
            with contextlib.closing(self._connect()) as connection:
                while not self._stop.wait(max(0.0, due - time.perf_counter())):
                    self._post(connection, list(itertools.islice(source, BATCH)))
                    self._sent[number] += BATCH
                    due += apart
        except Exception as error:
            self.error = error


def percentiles(values: Sequence[float]) -> dict[str, float]:
    """p50, p95, p99 and the largest."""
    ranked = sorted(values)
    if not ranked:
        return {}
    at = {"p50": 0.50, "p95": 0.95, "p99": 0.99, "max": 1.0}
    return {name: round(ranked[min(len(ranked) - 1, int(len(ranked) * q))], 2) for name, q in at.items()}


def outermost(events: Sequence[dict[str, Any]]) -> list[tuple[float, float]]:
    """Begin and processor time, in microseconds, of the events that lie in no other one."""
    whole: list[tuple[float, float]] = []
    end = 0.0
    for event in sorted(events, key=lambda each: (each["ts"], -each.get("dur", 0))):
        if event["ts"] >= end:
            whole.append((event["ts"], event.get("tdur", event.get("dur", 0))))
            end = event["ts"] + event.get("dur", 0)
    return whole


def per_frame(events: Sequence[dict[str, Any]], frames: Sequence[float]) -> list[float]:
    """The events' processor time from each frame's beginning until the next one's, in milliseconds."""
    sums = [0.0] * (len(frames) - 1)
    for begin, spent in outermost(events):
        place = bisect.bisect_right(frames, begin) - 1
        if 0 <= place < len(sums):
            sums[place] += spent
    return [spent / 1000 for spent in sums]


def read_trace(text: bytes) -> dict[str, Any]:
    """Script and all work per drawn frame on the page's main thread. Raises `ValueError` for a trace without frames."""
    events = json.loads(text)["traceEvents"]
    drawn: dict[tuple[int, int], list[float]] = {}
    for event in events:
        if event["name"] == DRAWN and event["ph"] in "XB":
            drawn.setdefault((event["pid"], event["tid"]), []).append(event["ts"])
    if not drawn:
        raise ValueError("the trace holds no frames")
    thread = max(drawn, key=lambda each: len(drawn[each]))
    frames = sorted(drawn[thread])
    own = [event for event in events if (event["pid"], event["tid"]) == thread and event["ph"] == "X"]
    script = [event for event in own if event["name"] in SCRIPT | {DRAWN}]
    tasks = [event for event in own if event["name"] in TASKS]
    seconds = (frames[-1] - frames[0]) / 1e6
    return {
        "frames_per_s": round((len(frames) - 1) / seconds, 1),
        "script_ms": percentiles(per_frame(script, frames)),
        "work_ms": percentiles(per_frame(tasks, frames)),
        "main_thread_share": round(sum(spent for _, spent in outermost(tasks)) / 1e6 / seconds, 3),
    }


class Heaps:
    """The JavaScript heaps of the page and of its shared worker."""

    def __init__(self, browser: Browser, page: Page) -> None:
        self._page: CDPSession = page.context.new_cdp_session(page)
        self._browser: CDPSession = browser.new_browser_cdp_session()
        self._answers: dict[int, Any] = {}
        self._number = itertools.count(1)
        self._worker = ""
        self._wait = page.wait_for_timeout
        self._browser.on("Target.receivedMessageFromTarget", self._take)
        targets = self._browser.send("Target.getTargets", {"filter": [{"type": "shared_worker"}]})["targetInfos"]
        if targets:
            attached = {"targetId": targets[0]["targetId"], "flatten": False}
            self._worker = self._browser.send("Target.attachToTarget", attached)["sessionId"]

    def throttle(self, rate: int) -> None:
        """Slow the page's main thread."""
        self._page.send("Emulation.setCPUThrottlingRate", {"rate": rate})

    def now(self) -> dict[str, float]:
        """Megabytes in use after a collection."""
        self._page.send("HeapProfiler.collectGarbage")
        page = self._page.send("Runtime.getHeapUsage")["usedSize"]
        if not self._worker:
            return {"page_mb": round(page / 1e6, 2)}
        self._ask("HeapProfiler.collectGarbage")
        worker = self._ask("Runtime.getHeapUsage")["usedSize"]
        return {"page_mb": round(page / 1e6, 2), "worker_mb": round(worker / 1e6, 2)}

    def _take(self, event: dict[str, Any]) -> None:
        message = json.loads(event["message"])
        if "id" in message:
            self._answers[message["id"]] = message.get("result", {})

    def _ask(self, method: str) -> Any:
        number = next(self._number)
        message = json.dumps({"id": number, "method": method})
        self._browser.send("Target.sendMessageToTarget", {"sessionId": self._worker, "message": message})
        for _ in range(2000):
            if number in self._answers:
                return self._answers.pop(number)
            self._wait(5)
        raise RuntimeError(f"the worker does not answer {method}")


def bundle(directory: Path) -> dict[str, Any]:
    """Kilobytes of the built page, as files and as gzip sends them."""
    sizes: dict[str, list[int]] = {}
    for path in directory.rglob("*"):
        if path.suffix in (".js", ".css", ".html", ".svg"):
            content = path.read_bytes()
            entry = sizes.setdefault(path.suffix[1:], [0, 0])
            entry[0] += len(content)
            entry[1] += len(gzip.compress(content, 9))
    return {
        kind: {"kb": round(plain / 1000, 1), "gzip_kb": round(packed / 1000, 1)}
        for kind, (plain, packed) in sizes.items()
    }


def trace(browser: Browser, page: Page, seconds: float) -> dict[str, Any]:
    """A trace of so many seconds, read."""
    with tempfile.TemporaryDirectory(prefix="onseju-trace-") as directory:
        browser.start_tracing(page=page, path=Path(directory) / "trace.json", categories=CATEGORIES)
        page.wait_for_timeout(seconds * 1000)
        return read_trace(browser.stop_tracing())


def shown_volume(page: Page) -> int:
    """The day's volume of the instrument as the page shows it."""
    text = page.locator(".head .kv").first.inner_text()
    return int("".join(filter(str.isdigit, text)) or 0)


def measure(server: Server, browser: Browser, plan: Plan) -> dict[str, Any]:
    """The whole measurement."""
    context = browser.new_context(viewport={"width": 1440, "height": 900}, locale="ko-KR")
    page = context.new_page()
    page.goto(server.url + "/v1/clock")
    if page.evaluate(LOG_IN, ["bench-viewer", "a long password"]) != 201:
        raise RuntimeError("the page's user cannot log in")
    page.evaluate("text => localStorage.setItem('onseju.preferences', text)", json.dumps(PREFERENCES))
    page.add_init_script(OBSERVE)
    page.goto(server.url + "/")
    page.locator(".chip .dot.live").wait_for()
    heaps = Heaps(browser, page)
    with Load(server, plan.rate_per_s) as load:
        page.wait_for_timeout(plan.warm_up_s * 1000)
        page.evaluate("Object.assign(onsejuBench, {window: 0, worst: 0})")
        before = shown_volume(page)
        figures: dict[str, Any] = {"rate_per_s": plan.rate_per_s, "as_it_is": trace(browser, page, plan.trace_s)}
        heaps.throttle(SLOWED)
        figures["slowed"] = {"times": SLOWED, **trace(browser, page, plan.trace_s)}
        heaps.throttle(1)
        page.wait_for_timeout(1000)
        heap = [{"minute": 0.0, **heaps.now()}]
        page.evaluate("Object.assign(onsejuBench, {longTasks: 0, longest: 0})")
        began, sent = time.perf_counter(), load.sent
        while (passed := time.perf_counter() - began) < plan.minutes * 60:
            page.wait_for_timeout(min(HEAP_EVERY_S, plan.minutes * 60 - passed) * 1000)
            heap.append({"minute": round((time.perf_counter() - began) / 60, 2), **heaps.now()})
        seconds = time.perf_counter() - began
        figures["sent_per_s"] = round((load.sent - sent) / seconds)
        seen = page.evaluate("onsejuBench")
        moved = shown_volume(page) > before
    context.close()
    if not moved:
        raise RuntimeError("the page's prices did not move")
    return {
        **figures,
        "minutes": plan.minutes,
        "long_tasks": seen["longTasks"],
        "long_task_max_ms": seen["longest"],
        "layout_shift": round(seen["worst"], 4),
        "heap": heap,
    }


def table(result: dict[str, Any]) -> str:
    """The figures for people."""
    lines = [
        f"{result['sent_per_s']:,} updates/s",
        f"{'milliseconds a frame':<34}{'p50':>8}{'p95':>8}{'p99':>8}{'max':>8}",
    ]
    for name, part in (("as it is", result["as_it_is"]), (f"slowed {SLOWED} times", result["slowed"])):
        for kind in ("script", "work"):
            spread = part[f"{kind}_ms"]
            lines.append(
                f"{name + ', ' + kind:<34}" + "".join(f"{spread[q]:>8.2f}" for q in ("p50", "p95", "p99", "max"))
            )
    first, last = result["heap"][0], result["heap"][-1]
    lines.append(
        f"long tasks in {result['minutes']} min: {result['long_tasks']}, layout shift {result['layout_shift']}"
    )
    lines.append(
        f"heap {first['page_mb']} to {last['page_mb']} MB, worker {first.get('worker_mb')} to {last.get('worker_mb')} MB"
    )
    lines.append(f"JavaScript {result['bundle']['js']['gzip_kb']} kB gzip")
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> dict[str, Any]:
    """Measure, print the table, write the JSON."""
    parser = argparse.ArgumentParser(description="The page in Chromium while the market moves.")
    parser.add_argument("--quick", action="store_true", help="a few seconds: whether it works, not how fast")
    parser.add_argument("--minutes", type=float, default=2.0, help="how long the memory is watched")
    parser.add_argument("--rate", type=int, default=2000, help="updates a second")
    parser.add_argument("--output", type=Path, default=RESULT)
    chosen = parser.parse_args(arguments)
    executable = os.environ.get("ONSEJU_CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
    if executable is None or not BUILT.joinpath("index.html").exists():
        raise SystemExit("This benchmark needs Chromium and the built page (make page).")
    plan = Plan(rate_per_s=chosen.rate, warm_up_s=5, trace_s=20, minutes=chosen.minutes)
    if chosen.quick:
        plan = Plan(rate_per_s=chosen.rate, warm_up_s=0.5, trace_s=1, minutes=0.02)
    with (
        tempfile.TemporaryDirectory(prefix="onseju-bench-") as directory,
        Server(Path(directory)) as server,
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(executable_path=executable, args=list(FLAGS))
        figures = measure(server, browser, plan)
        version = browser.version
        browser.close()
    result = {
        "name": "frames",
        "quick": chosen.quick,
        "machine": {**machine(), "chromium": version.split(".")[0]},
        **figures,
        "bundle": bundle(BUILT),
    }
    chosen.output.parent.mkdir(parents=True, exist_ok=True)
    chosen.output.write_text(json.dumps(result, indent=2) + "\n")
    print(table(result))
    return result


if __name__ == "__main__":
    main()
