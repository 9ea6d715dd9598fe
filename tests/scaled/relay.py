"""A way between two processes that a test can cut: what is sent goes nowhere, and nobody is told."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import threading
from typing import Self


class Relay:
    """Listens at `host`, and hands each connection on to `port` of this machine, until `close`."""

    def __init__(self, port: int, host: str = "127.0.0.1") -> None:
        self._to = port
        self._listener = socket.create_server((host, 0))
        self.port: int = self._listener.getsockname()[1]
        self._open = threading.Event()
        self._open.set()
        self._sockets: list[socket.socket] = []
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    def cut(self) -> None:
        """Hand nothing on any more; new connections are taken, and left alone."""
        self._open.clear()

    def mend(self) -> None:
        """Let everything through that waits, and what comes."""
        self._open.set()

    def close(self) -> None:
        self._open.set()
        self._listener.shutdown(socket.SHUT_RDWR)
        for one in self._sockets:
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()
        for one in [*self._sockets, self._listener]:
            one.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            self._sockets.append(client)
            thread = threading.Thread(target=self._connect, args=(client,), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _connect(self, client: socket.socket) -> None:
        self._open.wait()
        try:
            server = socket.create_connection(("127.0.0.1", self._to))
        except OSError:
            with contextlib.suppress(OSError):
                client.shutdown(socket.SHUT_RDWR)
            return
        self._sockets.append(server)
        back = threading.Thread(target=self._hand_on, args=(server, client), daemon=True)
        back.start()
        self._hand_on(client, server)
        back.join()

    def _hand_on(self, source: socket.socket, target: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(1 << 16):
                self._open.wait()
                target.sendall(data)
        for one in (source, target):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)


class Namespace:
    """A network of its own with two cables to this one: `front` for clients, `back` for what the venue's processes share.

    Needs root, and a kernel that lets it; `make` says whether it does.
    """

    def __init__(self) -> None:
        number = os.getpid() % 200 + 20
        self.name = f"onseju{os.getpid()}"
        self.front = f"10.{number}.1.2"
        """The address of a process in it, for clients."""
        self.back = f"10.{number}.2.1"
        """This machine's address, for a process in it."""
        self.inside = ("ip", "netns", "exec", self.name)
        self._addresses = {"of": (f"10.{number}.1.1", self.front), "ob": (self.back, f"10.{number}.2.2")}

    @classmethod
    def make(cls) -> Self | None:
        """A namespace; None where that is not allowed."""
        if shutil.which("ip") is None or os.geteuid() != 0:
            return None
        found = cls()
        try:
            _ip("netns", "add", found.name)
            _ip("-n", found.name, "link", "set", "lo", "up")
            for cable, (here, there) in found._addresses.items():
                near, far = f"{cable}{os.getpid()}h", f"{cable}{os.getpid()}n"
                _ip("link", "add", near, "type", "veth", "peer", "name", far, "netns", found.name)
                _ip("addr", "add", f"{here}/24", "dev", near)
                _ip("-n", found.name, "addr", "add", f"{there}/24", "dev", far)
                _ip("link", "set", near, "up")
                _ip("-n", found.name, "link", "set", far, "up")
        except subprocess.CalledProcessError:
            found.close()
            return None
        return found

    def cut(self) -> None:
        """Pull the back cable: packets are lost in both directions."""
        _ip("-n", self.name, "link", "set", f"ob{os.getpid()}n", "down")

    def mend(self) -> None:
        _ip("-n", self.name, "link", "set", f"ob{os.getpid()}n", "up")

    def close(self) -> None:
        """Idempotent. The cables go with it."""
        subprocess.run(["ip", "netns", "del", self.name], capture_output=True, check=False)


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, capture_output=True)
