"""Installs what is measured: our core and the crates with cargo, exchange-core with Maven, the books of PyPI with pip.

Everything goes into build/books. A peer that cannot be had is named with the reason, and the others are measured.
"""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
HERE = Path(__file__).parent
BUILD = ROOT / "build/books"
RUST = BUILD / "target/release/books"
"""The harness in Rust, with the crates that it compares."""

OWN = BUILD / "own/release/books"
"""The same without them: for quick runs and tests."""

CRATES = {"lobster": "0.7.0", "orderbook-rs": "0.15.3", "matchcore": "0.4.0"}
EXCHANGE_CORE = "0.5.3"
PYPI = {
    "lightmatchingengine": "2019.1.4",
    "pyorderbook": "0.4.9",
    "limit-order-book": "2.0.0",
    "order-matching": "0.12.0",
    "sortedcontainers": "2.4.0",
}
NEEDED = {"order-matching": "order-matching[polars]"}
"""Extras without which a package cannot be imported."""

JAVA_OPENS = [
    *(f"--add-opens=java.base/{name}=ALL-UNNAMED" for name in ("java.lang", "java.nio", "sun.nio.ch")),
    *(f"--add-exports=java.base/{name}=ALL-UNNAMED" for name in ("sun.nio.ch", "jdk.internal.ref")),
]
"""What libraries of 2020 want to look into; Java 17 keeps it closed."""

BATCHES = (64, 1_024, 65_536)


@dataclass(frozen=True)
class Engine:
    """Something to measure, or why it cannot be."""

    name: str
    label: str
    language: str
    command: tuple[str, ...] = ()
    """Called with a workload's file and the number of commands."""
    is_ours: bool = False
    missing: str = ""


class FailedError(RuntimeError):
    """A tool that did not do what it should, with what it said last."""


def run(*command: str | Path, cwd: Path = ROOT, timeout: float = 900, env: dict[str, str] | None = None) -> str:
    """A tool's output. Raises `FailedError`."""
    words = [str(word) for word in command]
    try:
        done = subprocess.run(
            words,
            cwd=cwd,
            timeout=timeout,
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, **(env or {})},
        )
    except FileNotFoundError:
        raise FailedError(f"{words[0]} is not here") from None
    except subprocess.TimeoutExpired:
        raise FailedError(f"{Path(words[0]).name} did not end within {timeout:.0f} s") from None
    if done.returncode:
        said = (done.stderr.strip() or done.stdout.strip() or f"ended with {done.returncode}").splitlines()
        errors = [line for line in said if "rror" in line]
        raise FailedError((errors or said)[-1].strip()[:300])
    return done.stdout


def environment() -> dict[str, str]:
    """Where Python finds the project, with the core compiled into it."""
    return {"PYTHONPATH": str(ROOT)}


def ours(binary: Path) -> list[Engine]:
    """Compile the core into the package. Raises `FailedError`: without it there is no comparison. The bare book is in
    the harness that `build_rust` makes."""
    run("make", "--silent", "core", cwd=ROOT)
    call = (sys.executable, "-m", "bench.books.ours", "run")
    engines = [
        Engine("onseju", "**Onseju, bare book**", "Rust", (str(binary), "run", "onseju"), is_ours=True),
        Engine(
            "onseju-ahead",
            "Onseju, bare book, touched ahead",
            "Rust",
            (str(binary), "run", "onseju-ahead"),
            is_ours=True,
        ),
        Engine(
            "onseju-any-price", "Onseju, bare book, any price", "Rust", (str(binary), "run", "onseju-any-price"), True
        ),
        Engine("native-1", "**Onseju, whole exchange**, one call per order", "Python", (*call, "native-1"), True),
    ]
    engines += [
        Engine(
            f"native-{size}",
            f"**Onseju, whole exchange**, batches of {size:,}",
            "Python",
            (*call, f"native-{size}"),
            True,
        )
        for size in BATCHES
    ]
    return [
        *engines,
        Engine("reference", "Onseju, reference engine", "Python", (*call, "reference-1024"), True),
    ]


def build_rust(binary: Path, features: list[str]) -> None:
    """Build the harness in Rust. Raises `FailedError`."""
    run(
        *("cargo", "build", "--release", "--target-dir", binary.parent.parent, *features),
        cwd=HERE / "rust",
    )


def build_own() -> None:
    """Build the harness for our own books alone. Raises `FailedError`."""
    build_rust(OWN, ["--no-default-features"])


def crates() -> list[Engine]:
    """The crates: all at once, or, where one does not build, those that do."""
    missing: dict[str, str] = {}
    try:
        build_rust(RUST, [])
    except FailedError:
        for name in CRATES:
            try:
                build_rust(RUST, ["--no-default-features", "--features", name])
            except FailedError as error:
                missing[name] = str(error)
        build_rust(
            RUST, ["--no-default-features", "--features", ",".join(name for name in CRATES if name not in missing)]
        )
    return [
        Engine(name, f"{name} {version}", "Rust", (str(RUST), "run", name), missing=missing.get(name, ""))
        for name, version in CRATES.items()
    ]


def java() -> list[Engine]:
    """exchange-core: its direct book, and all of it."""
    names = {"exchange-core": "direct book", "exchange-core-pipeline": "pipeline"}
    place = BUILD / "java"
    missing = ""
    try:
        run(
            *("mvn", "-q", "-B", "dependency:copy-dependencies", f"-DoutputDirectory={place / 'lib'}"),
            cwd=HERE / "java",
        )
        run("javac", "-d", place / "classes", "-cp", f"{place}/lib/*", HERE / "java/Books.java")
    except FailedError as error:
        missing = str(error)
    path = f"{place}/classes{os.pathsep}{place}/lib/*"
    call = ("java", "-Xms2g", "-Xmx2g", *JAVA_OPENS, "-cp", path, "Books")
    return [
        Engine(name, f"exchange-core {EXCHANGE_CORE}, {what}", "Java", (*call, name), missing=missing)
        for name, what in names.items()
    ]


def pypi() -> list[Engine]:
    """The books of PyPI, in an environment of their own."""
    place = BUILD / "venv"
    python = place / "bin/python"
    engines = []
    try:
        if not python.exists():
            run(sys.executable, "-m", "venv", place)
        broken = ""
    except FailedError as error:
        broken = str(error)
    for name, version in PYPI.items():
        missing = broken
        if not missing:
            try:
                wanted = f"{NEEDED.get(name, name)}=={version}"
                run(python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", wanted)
            except FailedError as error:
                missing = str(error)
        command = (str(python), str(HERE / "pybooks.py"), name)
        engines.append(Engine(name, f"{name} {version}", "Python", command, missing=missing))
    return engines
