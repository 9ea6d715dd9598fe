"""The KIS clients from PyPI, in an environment of their own: they want other versions than the exchange does."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

REQUIREMENTS = Path(__file__).parent / "requirements.txt"
INSTALL_S = 600


class CannotInstallError(Exception):
    """The packages could not be installed; the text says why."""


@pytest.fixture(scope="session")
def clients_python(request: pytest.FixtureRequest) -> Path:
    """A Python that has the clients. Made once per version of requirements.txt; without network the tests are skipped."""
    digest = hashlib.sha256(REQUIREMENTS.read_bytes() + sys.version.encode()).hexdigest()[:16]
    directory = Path(request.config.cache.mkdir(f"kis-clients-{digest}"))
    try:
        return _install(directory)
    except CannotInstallError as error:
        reason = f"the KIS clients from PyPI cannot be installed: {error}"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)


def _install(directory: Path) -> Path:
    python = directory / "bin" / "python"
    ready = directory / "ready"
    if ready.exists() and python.exists():
        return python
    shutil.rmtree(directory)
    _run(sys.executable, "-m", "venv", str(directory))
    pip = (str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--retries", "1")
    _run(*pip, "--require-hashes", "-r", str(REQUIREMENTS))
    ready.touch()
    return python


def _run(*command: str) -> None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=INSTALL_S, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise CannotInstallError(str(error)) from error
    if done.returncode:
        lines = (done.stderr or done.stdout).strip().splitlines()
        raise CannotInstallError(lines[-1] if lines else f"exit status {done.returncode}")
