"""RocketMQ's Java archives: fetched once through Maven, and kept."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

from onseju.scaled.postgres_server import ServerError

VERSION = "5.5.0"
"""Of all of RocketMQ's parts; `rocketmq/pom.xml` names it, too."""

POM = Path(__file__).parent / "rocketmq" / "pom.xml"
JAVA_VERSION = 17
FETCH_S = 600.0
MAIN_JARS = ("rocketmq-proxy", "rocketmq-namesrv", "rocketmq-tools")

JAVA_MISSING = "RocketMQ needs Java 17 or newer (on Debian and Ubuntu: apt-get install openjdk-17-jre-headless)"
MAVEN_MISSING = "RocketMQ is fetched with Maven, once, which is missing (on Debian and Ubuntu: apt-get install maven)"


def default_cache() -> Path:
    """Where the archives are kept unless told otherwise."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "onseju" / f"rocketmq-{VERSION}"


def lacks(cache: Path | None = None) -> str | None:
    """What keeps RocketMQ from being started here, in words; None = nothing does."""
    try:
        java()
    except ServerError as error:
        return str(error)
    if not _complete(_jars_of(cache)) and shutil.which("mvn") is None:
        return MAVEN_MISSING
    return None


def java() -> Path:
    """The Java program: JAVA_HOME's, else the PATH's. Raises `ServerError` where it is missing or too old."""
    home = os.environ.get("JAVA_HOME")
    found = shutil.which("java", path=str(Path(home) / "bin") if home else None)
    if found is None:
        raise ServerError(JAVA_MISSING)
    said = subprocess.run([found, "-version"], capture_output=True, text=True, check=False)  # noqa: S603
    version = re.search(r'version "(\d+)', said.stderr + said.stdout)
    if version is None or int(version[1]) < JAVA_VERSION:
        raise ServerError(f"{JAVA_MISSING}; {found} is {version[1] if version else 'not one'}")
    return Path(found)


def jars(cache: Path | None = None) -> Path:
    """The folder with the archives; fetches them where they are not there yet. Raises `ServerError`.

    A folder is there whole or not at all: it is fetched under another name. Two who fetch at once do no harm.
    """
    folder = _jars_of(cache)
    if _complete(folder):
        return folder
    maven = shutil.which("mvn")
    if maven is None:
        raise ServerError(MAVEN_MISSING)
    folder.parent.mkdir(parents=True, exist_ok=True)
    draft = Path(tempfile.mkdtemp(prefix="fetching-", dir=folder.parent))
    try:
        _fetch(maven, draft)
        with contextlib.suppress(OSError):  # another has been quicker; checked below
            draft.rename(folder)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    if not _complete(folder):
        raise ServerError(f"RocketMQ's archives in {folder} are not complete; remove that folder, and start again.")
    return folder


def _fetch(maven: str, draft: Path) -> None:
    command = [maven, "-q", "-B", "-f", str(POM), "dependency:copy-dependencies"]
    command += ["-DincludeScope=runtime", f"-DoutputDirectory={draft}"]
    try:
        done = subprocess.run(  # noqa: S603
            command, capture_output=True, text=True, check=False, timeout=FETCH_S, stdin=subprocess.DEVNULL
        )
    except subprocess.TimeoutExpired:
        raise ServerError(f"RocketMQ could not be fetched within {FETCH_S:.0f} s.") from None
    if done.returncode:
        raise ServerError(f"RocketMQ could not be fetched with Maven: {(done.stdout + done.stderr).strip()[-2000:]}")
    if not _complete(draft):
        raise ServerError("Maven has fetched RocketMQ without some of its parts.")
    draft.chmod(0o755)


def _jars_of(cache: Path | None) -> Path:
    return (cache or default_cache()).absolute() / "jars"


def _complete(folder: Path) -> bool:
    return all((folder / f"{name}-{VERSION}.jar").exists() for name in MAIN_JARS)
