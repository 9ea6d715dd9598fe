"""nginx before the exchange: as Debian sets it up, with nothing but a `proxy_pass`, or with the lines that a host may add.

`Nginx(directory, port)` runs the installed nginx on a port of its own from the distribution's own `nginx.conf`, in which
only the places of its files are changed and the sites are replaced by one.
"""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import time
from pathlib import Path
from typing import Self

from bench.processes import end

CONF = Path("/etc/nginx/nginx.conf")
START_S = 30
PLAIN = """
server {{
    listen 127.0.0.1:{port};
    location / {{
        proxy_pass http://127.0.0.1:{upstream};
    }}
}}
"""
"""The least that a host writes."""
FULL = """
map $http_upgrade $connection_upgrade {{
    default upgrade;
    '' '';
}}
server {{
    listen 127.0.0.1:{port};
    location / {{
        proxy_pass http://127.0.0.1:{upstream};
        proxy_http_version 1.1;
        proxy_set_header Host $http_host;
        proxy_set_header X-Forwarded-For $remote_addr;
        proxy_set_header X-Forwarded-Proto $scheme;
        proxy_set_header Upgrade $http_upgrade;
        proxy_set_header Connection $connection_upgrade;
    }}
}}
"""
"""What `docs/operations.md` tells a host to write."""
TEMPORARY = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")


def executable() -> str | None:
    """The installed nginx, if there is one."""
    return shutil.which("nginx", path=os.environ.get("PATH", "") + ":/usr/sbin") if CONF.exists() else None


def version() -> str:
    """What it calls itself."""
    said = subprocess.run([str(executable()), "-v"], capture_output=True, text=True, check=True).stderr
    return said.strip().removeprefix("nginx version: nginx/")


class Nginx:
    """A running nginx. `port` is where it listens. Raises `RuntimeError` where it does not start."""

    def __init__(self, directory: Path, upstream: int, site: str = PLAIN) -> None:
        directory.mkdir(parents=True)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port: int = free.getsockname()[1]
        conf = CONF.read_text()
        # A user of its own is asked for by root alone, and could not enter a folder of ours.
        conf = re.sub(r"^user .*;", "user root;" if os.geteuid() == 0 else "", conf, flags=re.MULTILINE)
        conf = re.sub(r"^pid .*;", f"pid {directory}/pid;", conf, flags=re.MULTILINE)
        conf = re.sub(r"(?<=log )/var/log/nginx/", f"{directory}/", conf)
        conf = re.sub(r"^\s*include /etc/nginx/(sites-enabled|conf\.d)/.*;", "", conf, flags=re.MULTILINE)
        own = "".join(f"{name}_temp_path {directory}/{name};\n" for name in TEMPORARY)
        head, begin, rest = conf.partition("http {")
        (directory / "nginx.conf").write_text(
            head + begin + "\n" + own + site.format(port=self.port, upstream=upstream) + rest
        )
        self._log = directory / "said"
        command = [str(executable()), "-c", str(directory / "nginx.conf"), "-p", str(directory), "-g", "daemon off;"]
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log)
        self._wait()

    def _wait(self) -> None:
        end = time.monotonic() + START_S
        while self._process.poll() is None and time.monotonic() < end:
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
            except OSError:
                time.sleep(0.02)
            else:
                return
        self.close()
        raise RuntimeError("nginx did not start:\n" + self._log.read_text())

    def close(self) -> None:
        """Stop it at once."""
        end(self._process)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
