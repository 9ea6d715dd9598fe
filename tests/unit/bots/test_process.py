"""The bots' process is the server's to keep: it comes back when it dies, and goes when the server goes."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from tests.serverprocess import ServerProcess
from tests.unit.bots.living import books, full, until


def test_bots_that_died_come_back(tmp_path: Path) -> None:
    server = ServerProcess(tmp_path / "data", bots=True).start()
    try:
        (first,) = server.children("onseju.bots")
        os.kill(first, signal.SIGKILL)
        (second,) = until(lambda: [pid for pid in server.children("onseju.bots") if pid != first], "bots anew")
        until(lambda: full(server), "quotes")
        seq = books(server)["005930"]["seq"]
        until(lambda: books(server)["005930"]["seq"] > seq, "the market goes on")
    finally:
        assert server.stop() == 0
    assert not Path(f"/proc/{second}").exists()
    assert any("bots_ended" in line for line in server.output)
    assert not any("Traceback" in line for line in server.output), "".join(server.output)
