"""A PostgreSQL of our own, from the installed package: made at the first start, on a free port of this machine alone.

PostgreSQL refuses to run as root. Then it runs as the user that its package has made, and needs a folder which that user
can reach.
"""

from __future__ import annotations

import contextlib
import os
import pwd
import secrets
import shutil
import signal
import socket
import stat
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from onseju.scaled.tied import tied

ROLE = "onseju"
DATABASE = "onseju"
SERVICE_USER = "postgres"
"""Whom Debian's package makes."""

START_S = 60.0
STOP_S = 30.0
POLL_S = 0.05

MISSING = "PostgreSQL is missing (on Debian and Ubuntu: apt-get install postgresql)"


class ServerError(Exception):
    """A server cannot be started; the text says why, and what to do."""


def executable(name: str) -> Path | None:
    """One of PostgreSQL's programs: of the newest version in Debian's place, which is not on the PATH, or from there."""
    packaged = Path("/usr/lib/postgresql").glob(f"*/bin/{name}")
    versions = sorted(packaged, key=lambda path: int(path.parts[-3]) if path.parts[-3].isdigit() else 0)
    found = versions[-1] if versions else shutil.which(name)
    return None if found is None else Path(found)


class PostgresServer:
    """One server on one folder, from `start` until `stop`."""

    def __init__(self, directory: Path, *, settings: dict[str, str] | None = None) -> None:
        self.directory = directory.absolute()
        self.port = 0
        self._settings = settings or {}
        """More of `postgresql.conf`, by name."""
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Where it listens, with the password."""
        return self.url_of(DATABASE)

    def url_of(self, database: str) -> str:
        """The same for another of its databases."""
        return f"postgresql://{ROLE}:{self._password()}@127.0.0.1:{self.port}/{database}"

    @property
    def pid(self) -> int:
        """The server's process. Raises `ServerError` where it does not run."""
        if self._process is None:
            raise ServerError("PostgreSQL is not running.")
        return self._process.pid

    @property
    def is_running(self) -> bool:
        """Whether its process is there."""
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Make the cluster where there is none, start the server, and return once it answers. Raises `ServerError`."""
        server, maker, ready = (executable(name) for name in ("postgres", "initdb", "pg_isready"))
        if server is None or maker is None or ready is None:
            raise ServerError(MISSING)
        self._make(maker)
        if not self.port:
            self.port = free_port()
        settings = {
            "listen_addresses": "127.0.0.1",
            "port": str(self.port),
            "unix_socket_directories": "",
            "max_connections": "200",
            "shared_buffers": "256MB",
            "max_wal_size": "4GB",
            "log_min_messages": "warning",
            **self._settings,
        }
        options = [option for name, value in settings.items() for option in ("-c", f"{name}={value}")]
        with (self.directory / "server.log").open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603  # PostgreSQL's own programs
                _tied([str(server), "-D", str(self.directory / "cluster"), *options]),
                stdout=log,
                stderr=log,
                cwd="/",
                start_new_session=True,
                **_as_service_user(),
            )
        until = time.monotonic() + START_S
        while subprocess.run(  # noqa: S603
            [ready, "-q", "-h", "127.0.0.1", "-p", str(self.port)], check=False
        ).returncode:
            if self._process.poll() is not None or time.monotonic() > until:
                self.stop()
                raise ServerError(f"PostgreSQL does not start; it says why in {self.directory / 'server.log'}.")
            time.sleep(POLL_S)

    def stop(self) -> None:
        """End it, its clients' transactions rolled back. Idempotent."""
        if self._process is None:
            return
        self._end(signal.SIGINT)  # PostgreSQL's "fast": clients are not waited for

    def kill(self) -> None:
        """End it as a crash does. Its children notice and end by themselves."""
        if self._process is not None:
            self._end(signal.SIGKILL)
            lock = self.directory / "cluster" / "postmaster.pid"
            lock.unlink(missing_ok=True)  # a number that another process may have by the next start

    def _end(self, number: signal.Signals) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.send_signal(number)
        try:
            process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def _make(self, maker: Path) -> None:
        cluster = self.directory / "cluster"
        if (cluster / "PG_VERSION").exists():
            return
        self.directory.mkdir(parents=True, exist_ok=True)
        _check_reachable(self.directory)
        secret = self.directory / "password"
        with contextlib.suppress(FileExistsError), open(secret, "x", opener=_private) as file:
            file.write(secrets.token_urlsafe(24))
        draft = self.directory / "cluster.new"
        shutil.rmtree(draft, ignore_errors=True)
        for path in (self.directory, secret):
            _give_away(path)
        command: list[str | Path] = [
            maker,
            "-D",
            draft,
            "-U",
            ROLE,
            "--pwfile",
            secret,
            "-A",
            "scram-sha-256",
            "-E",
            "UTF8",
            "--no-locale",
        ]
        made = subprocess.run(  # noqa: S603
            command, capture_output=True, text=True, cwd="/", check=False, **_as_service_user()
        )
        if made.returncode:
            raise ServerError(f"PostgreSQL's cluster cannot be made in {self.directory}: {made.stderr.strip()}")
        # the role's own database, while nobody can connect
        server = executable("postgres")
        created = subprocess.run(  # noqa: S603
            [str(server), "--single", "-D", draft, "postgres"],
            input=f"CREATE DATABASE {DATABASE} OWNER {ROLE};\n",
            capture_output=True,
            text=True,
            cwd="/",
            check=False,
            **_as_service_user(),
        )
        if created.returncode:
            raise ServerError(f"PostgreSQL's database cannot be made: {created.stderr.strip()}")
        draft.rename(cluster)

    def _password(self) -> str:
        return (self.directory / "password").read_text("utf-8")


def free_port() -> int:
    """A port of this machine that nobody has just now."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


def _tied(command: list[str]) -> list[str]:
    """The command, ended when the thread that starts it ends; as it is where the service's user could not run our Python."""
    needed = (Path(sys.executable), Path(sys.executable).resolve(), Path(os.__file__), Path(__file__))
    reachable = all(parent.stat().st_mode & stat.S_IXOTH for path in needed for parent in path.parents)
    return tied(command) if os.geteuid() != 0 or reachable else command


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _as_service_user() -> dict[str, Any]:
    if os.geteuid() != 0:
        return {}
    found = _service_user()
    return {"user": found.pw_uid, "group": found.pw_gid, "extra_groups": []}


def _service_user() -> pwd.struct_passwd:
    try:
        return pwd.getpwnam(SERVICE_USER)
    except KeyError:
        raise ServerError(
            f"PostgreSQL does not run as root, and there is no user {SERVICE_USER!r} to run it as. Start as another user."
        ) from None


def _give_away(path: Path) -> None:
    if os.geteuid() == 0:
        found = _service_user()
        os.chown(path, found.pw_uid, found.pw_gid)


def _check_reachable(directory: Path) -> None:
    """Raise where the service's user could not walk down to the folder."""
    if os.geteuid() != 0:
        return
    for parent in directory.parents:
        if not parent.stat().st_mode & stat.S_IXOTH:
            raise ServerError(
                f"PostgreSQL does not run as root, and the user {SERVICE_USER!r} cannot reach {directory}: {parent} is closed "
                "to others. Choose another folder (--data-dir), or start as another user."
            )
