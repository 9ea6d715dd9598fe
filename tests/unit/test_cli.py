"""The command line: what is wrong is said in a sentence, with exit status 1 and without a traceback."""

from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.serverprocess import ServerProcess


def onseju(folder: Path, *arguments: str, **environment: str) -> tuple[int, str]:
    """Exit status and output of `onseju` in this folder."""
    done = subprocess.run(
        [sys.executable, "-m", "onseju", *arguments],
        cwd=folder,
        env={"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=60,
        check=False,
    )
    return done.returncode, done.stdout


@pytest.mark.parametrize(
    ("toml", "environment", "said"),
    [
        ("prot = 8001\n", {}, "prot: there is no such setting"),
        ("port = 99999\n", {}, "port: Input should be less than or equal to 65535"),
        ('port = "x\n', {}, "onseju.toml cannot be read"),
        ("", {"ONSEJU_PORT": "abc"}, "port: Input should be a valid integer"),
        ("", {"ONSEJU_ALLOWED_HOSTS": "example.org"}, "allowed_hosts"),
        ("", {"ONSEJU_ADMIN_KEY": ""}, "a key looks like KEY.SECRET"),
    ],
)
def test_wrong_settings(tmp_path: Path, toml: str, environment: dict[str, str], said: str) -> None:
    (tmp_path / "onseju.toml").write_text(toml)
    status, output = onseju(tmp_path, "up", **environment)
    assert (status, "Traceback" in output) == (1, False), output
    assert said in output
    assert not (tmp_path / "data").exists()


def test_a_port_that_is_taken(tmp_path: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        status, output = onseju(tmp_path, "up", "--port", str(port))
    assert (status, "Traceback" in output) == (1, False), output
    assert f"Port {port} of 127.0.0.1 cannot be opened" in output
    assert "--port 0 takes a free one" in output


def test_an_address_of_another_machine(tmp_path: Path) -> None:
    status, output = onseju(tmp_path, "up", "--host", "192.0.2.1")
    assert (status, "Traceback" in output) == (1, False), output
    assert "must be an address of this machine" in output


def test_a_data_folder_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "data").touch()
    for command in (["up", "--port", "0"], ["account", "create", "alice", "--data-dir", "data"]):
        status, output = onseju(tmp_path, *command)
        assert (status, "Traceback" in output) == (1, False), output
        assert "data cannot be used" in output


def test_no_server_and_no_journal(tmp_path: Path) -> None:
    status, output = onseju(tmp_path, "replay", str(tmp_path))
    assert (status, "Traceback" in output) == (1, False), output
    assert "There is no journal in" in output
    status, output = onseju(tmp_path, "account", "create", "alice", ONSEJU_ADMIN_KEY="A.0123456789abcdef")
    assert (status, "Traceback" in output) == (1, False), output
    assert "Start it with `onseju up`" in output


def test_a_refusal_names_the_field(server: ServerProcess) -> None:
    arguments = ["account", "create", "a", "--url", server.url, "--data-dir", str(server.data_dir)]
    status, output = onseju(server.data_dir, *arguments)
    assert (status, "Traceback" in output) == (1, False), output
    assert "Refused: The request is malformed. (malformed)" in output
    assert "name: A name has 2 to 32 letters" in output
