"""A RocketMQ of our own: what it needs is said in words, its archives come whole or not at all, nothing outlives us."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from onseju.scaled import rocketmq_jars
from onseju.scaled.postgres_server import ServerError
from onseju.scaled.rocketmq_jars import MAIN_JARS, VERSION, jars, lacks
from onseju.scaled.rocketmq_server import RocketServer
from onseju.scaled.tied import tied

FAKE_MAVEN = """#!/bin/sh
for argument; do case $argument in -DoutputDirectory=*) out=${argument#*=};; esac; done
for name in %s; do touch $out/$name; done
exit %d
"""


def programs(folder: Path, *, maven: str | None = None, java: str | None = None) -> Path:
    """A folder for the PATH with stand-ins."""
    folder.mkdir()
    for name, text in (("mvn", maven), ("java", java)):
        if text is not None:
            (folder / name).write_text(text)
            (folder / name).chmod(0o755)
    return folder


def fake_maven(names: list[str], status: int = 0) -> str:
    return FAKE_MAVEN % (" ".join(names), status)


ALL = [f"{name}-{VERSION}.jar" for name in MAIN_JARS]


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/usr/bin:/bin")
    return tmp_path / "bin"


def test_a_missing_java_is_named(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(programs(path)))
    assert "apt-get install openjdk-17" in str(lacks())


def test_an_old_java_is_named(path: Path) -> None:
    programs(path, java="#!/bin/sh\necho 'openjdk version \"11.0.2\" 2019' >&2\n")
    assert "is 11" in str(lacks())


def test_a_missing_maven_is_named_only_where_it_is_needed(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    programs(path, java="#!/bin/sh\necho 'openjdk version \"21\" 2023' >&2\n")
    monkeypatch.setenv("PATH", str(path))
    monkeypatch.setattr(rocketmq_jars.shutil, "which", lambda name, path=None: None if name == "mvn" else "/bin/sh")
    cache = tmp_path / "cache"
    with pytest.raises(ServerError, match="apt-get install maven"):
        jars(cache)
    (cache / "jars").mkdir(parents=True)
    for name in ALL:
        (cache / "jars" / name).touch()
    assert jars(cache) == cache / "jars"


def test_archives_are_fetched_once(path: Path, tmp_path: Path) -> None:
    programs(path, maven=fake_maven(ALL))
    cache = tmp_path / "cache"
    assert sorted(file.name for file in jars(cache).iterdir()) == sorted(ALL)
    (path / "mvn").write_text("#!/bin/sh\nexit 9\n")
    assert jars(cache) == cache / "jars"
    assert [entry.name for entry in cache.iterdir()] == ["jars"]


@pytest.mark.parametrize(("names", "status"), [(ALL[:1], 0), (ALL, 1)], ids=["a part", "a failure"])
def test_half_a_download_is_not_used(path: Path, tmp_path: Path, names: list[str], status: int) -> None:
    programs(path, maven=fake_maven(names, status))
    with pytest.raises(ServerError, match="Maven"):
        jars(tmp_path / "cache")
    assert list((tmp_path / "cache").iterdir()) == []


def test_a_server_that_is_not_there_says_so(tmp_path: Path) -> None:
    server = RocketServer(tmp_path)
    with pytest.raises(ServerError, match="not been started"):
        _ = server.endpoints
    with pytest.raises(ServerError, match="not running"):
        _ = server.pids
    server.stop()


def test_what_cannot_be_made_is_said_in_words(rocketmq: RocketServer) -> None:
    with pytest.raises(ServerError, match="illegal characters"):
        rocketmq.make(["no such name"])


def test_a_start_begins_only_what_has_ended(rocketmq: RocketServer) -> None:
    nameserver, proxy = rocketmq.pids
    os.kill(nameserver, signal.SIGKILL)
    while rocketmq.is_running:
        time.sleep(0.01)
    rocketmq.start()
    assert rocketmq.is_running
    assert rocketmq.pids[0] != nameserver
    assert rocketmq.pids[1] == proxy, "nobody's messages had to wait"


def test_what_is_tied_ends_with_its_parent() -> None:
    command = tied([sys.executable, "-c", "import time; time.sleep(60)"])
    code = (
        f"import subprocess, os; command = {command!r}; command[3] = str(os.getpid()); p = subprocess.Popen(command); "
    )
    code += "print(p.pid, flush=True); os.kill(os.getpid(), 9)"
    done = subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, check=False)
    child = int(done.stdout)
    until = time.monotonic() + 30
    while time.monotonic() < until:
        try:
            with open(f"/proc/{child}/stat") as file:
                if file.read().split(") ")[1][0] == "Z":
                    return
        except FileNotFoundError:
            return
        time.sleep(0.01)
    os.kill(child, 9)
    pytest.fail("it has outlived its parent")
