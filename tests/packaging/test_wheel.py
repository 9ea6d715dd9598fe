"""The wheels: what is in them, and that one is all that an empty virtual environment needs."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy
import pytest

import build_backend
from onseju.matching import engines
from tests.engines import must_run

ROOT = Path(__file__).parents[2]
START_S = 60
STOP_S = 30


def leave_out(why: str) -> None:
    """Skip; in CI, where everything must be there, fail."""
    (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(why)


@pytest.fixture(autouse=True, scope="module")
def page() -> None:
    if not (ROOT / "onseju/web/index.html").exists():
        leave_out("the page is not built: make page")


def run(*command: str | Path, **environment: str) -> str:
    done = subprocess.run(
        [str(part) for part in command],
        cwd=ROOT,
        env=os.environ | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel as `make wheel` builds it."""
    must_run("native")
    if lack := build_backend.what_lacks():
        leave_out(lack)
    out = tmp_path_factory.mktemp("wheel")
    run(Path(sys.executable).with_name("maturin"), "build", "--release", "--locked", "--out", out)
    (found,) = out.glob("*.whl")
    return found


@pytest.fixture(scope="module")
def wheel_without_core(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What pip builds where Rust is not."""
    out = tmp_path_factory.mktemp("pure")
    pip = ("-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", out, ".")
    run(sys.executable, *pip, ONSEJU_WITHOUT_CORE="1")
    (found,) = out.glob("*.whl")
    return found


CORE = "onseju/matching/_core.abi3.so"


def names_in(wheel: Path) -> set[str]:
    """The files in a wheel, except those that describe it."""
    with zipfile.ZipFile(wheel) as archive:
        return {name for name in archive.namelist() if ".dist-info/" not in name and not name.endswith("/")}


def test_the_wheel_is_for_every_python_of_its_platform(wheel: Path) -> None:
    assert re.fullmatch(r"onseju-[\d.]+-cp311-abi3-\w+\.whl", wheel.name)


def test_the_wheel_holds_the_core_the_page_and_the_migrations(wheel: Path) -> None:
    names = names_in(wheel)
    with zipfile.ZipFile(wheel) as archive:
        html = archive.read("onseju/web/index.html").decode()
    assert re.search(r"src=[\"'](\./|/)assets/", html)
    assert any(name.startswith("onseju/web/assets/") and name.endswith(".js") for name in names)
    for stage in ("projections", "identity"):
        assert any(name.startswith(f"onseju/{stage}/migrations/") and name.endswith(".py") for name in names)
    assert CORE in names
    assert {CORE.replace("abi3.so", "pyi"), "onseju/py.typed"} <= names
    assert all(name.startswith("onseju/") for name in names)
    assert not any(name.endswith(".pyc") for name in names)


def test_without_rust_the_wheel_is_the_same_but_for_the_core(wheel: Path, wheel_without_core: Path) -> None:
    assert re.fullmatch(r"onseju-[\d.]+-py3-none-any\.whl", wheel_without_core.name)
    assert names_in(wheel_without_core) == names_in(wheel) - {CORE}


@pytest.mark.parametrize(
    ("cargo", "lack"),
    [
        (None, f"Rust {engines.RUST} or newer is not here"),
        (
            "echo cargo 1.70.0 '(an old one)'",
            f"Rust {engines.RUST} or newer is not here, but cargo 1.70.0 (an old one)",
        ),
        ("exit 1", f"Rust {engines.RUST} or newer is not here"),
        (f"echo cargo {engines.RUST}.0", None),
    ],
)
def test_a_rust_that_is_too_old_is_as_good_as_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cargo: str | None, lack: str | None
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv(build_backend.WITHOUT_CORE, raising=False)
    if cargo is not None:
        (tmp_path / "cargo").write_text(f"#!/bin/sh\n{cargo}\n")
        (tmp_path / "cargo").chmod(0o755)
    assert build_backend.what_lacks() == lack
    assert build_backend.build_wheel.__module__ == ("maturin" if lack is None else "hatchling.build")


@pytest.fixture(scope="module")
def empty(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A virtual environment with nothing but the wheel and what it asks for."""
    place = tmp_path_factory.mktemp("empty")
    run(sys.executable, "-m", "venv", place)
    pip = (place / "bin/python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check")
    try:
        run(*pip, "--require-hashes", "-r", ROOT / "requirements.txt")
    except AssertionError as error:
        leave_out(f"the requirements cannot be installed: {error}")
    run(*pip, "--no-index", wheel)
    return place


@pytest.fixture(scope="module")
def exchange(empty: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str, Path]]:
    """`onseju up` of the empty environment, in an empty folder: its address, what it has said, its folder."""
    folder = tmp_path_factory.mktemp("up")
    process = subprocess.Popen(
        [empty / "bin/onseju", "up", "--port", "0", "--no-bots"],
        cwd=folder,
        env=bare_environment(empty),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    killer = threading.Timer(START_S, process.kill)
    killer.start()
    try:
        assert process.stdout is not None
        said = ""
        for line in process.stdout:
            said += line
            if "stop      " in line:
                break
        url = re.search(r"is open at (http://\S+)", said)
        assert url is not None, said
        yield url[1], said, folder
    finally:
        killer.cancel()
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=STOP_S)


def bare_environment(venv: Path) -> dict[str, str]:
    return {"PATH": f"{venv / 'bin'}:/usr/bin:/bin", "LANG": "C.UTF-8", "PYTHONUNBUFFERED": "1"}


def test_the_exchange_runs_the_native_engine(exchange: tuple[str, str, Path]) -> None:
    assert "  engine    native: " in exchange[1]


def test_the_page_is_served(exchange: tuple[str, str, Path]) -> None:
    with httpx.Client(base_url=exchange[0], trust_env=False) as client:
        page = client.get("/", headers={"Accept": "text/html"})
        assert page.status_code == 200
        script = re.search(r"src=[\"']\.?(/assets/[^\"']+\.js)", page.text)
        assert script is not None, page.text
        assert client.get(script[1]).status_code == 200


def test_an_order_is_filled(empty: Path, exchange: tuple[str, str, Path]) -> None:
    url, _, folder = exchange

    def order(side: str, *holding: str) -> dict[str, Any]:
        create = [empty / "bin/onseju", "account", "create", side, "--key-only", "--url", url, *holding]
        key = subprocess.check_output(create, cwd=folder, env=bare_environment(empty), text=True).strip()
        body = {"symbol": "005930", "side": side, "type": "limit", "limit_price": base_price, "qty": 3}
        return client.post("/v1/orders", json=body, headers={"Authorization": f"Bearer {key}"}).json()

    with httpx.Client(base_url=url, trust_env=False) as client:
        symbols = client.get("/v1/symbols").json()["symbols"]
        (base_price,) = (row["base_price"] for row in symbols if row["symbol"] == "005930")
        assert order("sell", "--holding", "005930=3")["status"] == "new"
        bought = order("buy")
    assert (bought["status"], bought["filled_qty"]) == ("filled", 3), json.dumps(bought)


def test_the_library_runs_the_native_engine(empty: Path, tmp_path: Path) -> None:
    installed = Path(numpy.__file__).parents[1]
    for name in ("numpy", "numpy.libs"):  # what it asks for beyond the exchange, and no more
        (tmp_path / name).symlink_to(installed / name)
    environment = {**bare_environment(empty), "PYTHONPATH": str(tmp_path)}
    code = "import onseju; print(onseju.Exchange().engine)"
    said = subprocess.check_output([empty / "bin/python", "-W", "error", "-c", code], env=environment, text=True)
    assert said == "native\n"


@pytest.mark.skipif(shutil.which("git") is None, reason="the source distribution is made of what git knows")
def test_the_source_distribution_holds_what_a_wheel_is_made_of(wheel: Path, tmp_path: Path) -> None:
    run(Path(sys.executable).with_name("maturin"), "sdist", "--out", tmp_path)
    (source,) = tmp_path.glob("*.tar.gz")
    listed = subprocess.check_output(["tar", "-tzf", source], text=True).splitlines()
    names = {name.partition("/")[2] for name in listed}
    needed = {"pyproject.toml", "build_backend.py", "README.md", "LICENSE", "core/Cargo.toml", "core/Cargo.lock"}
    assert needed | {"core/src/lib.rs", "onseju/web/index.html", "onseju/matching/_core.pyi"} <= names
    assert names_in(wheel) - names == {CORE}
