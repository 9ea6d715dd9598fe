"""What keeps the set on one machine running."""

from __future__ import annotations

import asyncio
import io
from pathlib import Path
from typing import cast

import pytest
from rich.console import Console

from onseju.nodes import supervisor
from onseju.nodes.http import Signals
from onseju.nodes.supervisor import Supervisor
from onseju.scaled.postgres_server import PostgresServer, ServerError
from onseju.settings import Settings


class LateServer:
    """A server that has ended, and starts at the third try."""

    def __init__(self) -> None:
        self.tries = 0

    @property
    def is_running(self) -> bool:
        return self.tries >= 3

    def kill(self) -> None:
        """Nothing is left of it."""

    def start(self) -> None:
        self.tries += 1
        if not self.is_running:
            raise ServerError("PostgreSQL does not start; it says why in server.log.")


class UntilItRuns:
    """Signals that ask for the end once the server runs."""

    def __init__(self, server: LateServer) -> None:
        self._server = server

    @property
    def asked(self) -> bool:
        return self._server.is_running


def test_a_server_that_does_not_start_again_is_said_and_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervisor, "SERVER_AGAIN_S", 0.01)
    said = io.StringIO()
    set_ = Supervisor(Settings(data_dir=tmp_path), 1, Console(file=said, width=1000))
    server = LateServer()
    set_._postgres = cast("PostgresServer", server)
    asyncio.run(asyncio.wait_for(set_.run(cast("Signals", UntilItRuns(server))), 30))
    assert server.tries == 3
    assert said.getvalue().count("It is tried again") == 2
    assert "it says why in server.log" in said.getvalue()
