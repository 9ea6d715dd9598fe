"""A client's connection to RocketMQ's proxy: its gRPC protocol without the official client around it.

Of the official package only the protocol's generated messages are loaded. Its client cannot cancel a long poll,
acknowledges one message a call, starts a dozen threads each, and writes into the user's home on import; RocketMQ's gRPC
protocol is public and small, and does not need it.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
import threading
import time
import uuid
from types import ModuleType
from typing import Any

import grpc  # type: ignore[import-untyped]

CLIENT_VERSION = "5.1.2"
"""Whose protocol we speak; the proxy goes by it in places."""

CONNECT_AGAIN_MS = 500
"""A proxy that has gone is looked for this often."""

MIN_RENEW_S = 2.0

_OPTIONS = [
    ("grpc.enable_retries", 0),
    ("grpc.max_send_message_length", -1),
    ("grpc.max_receive_message_length", -1),
    ("grpc.use_local_subchannel_pool", 1),
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", CONNECT_AGAIN_MS),
    ("grpc.max_reconnect_backoff_ms", CONNECT_AGAIN_MS),
]


def _protocol() -> ModuleType:
    """`rocketmq.grpc_protocol`, without running the package's own `__init__`, which starts its logging."""
    if "rocketmq" in sys.modules:
        return importlib.import_module("rocketmq.grpc_protocol")
    spec = importlib.util.find_spec("rocketmq")
    if spec is None or spec.submodule_search_locations is None:
        raise ImportError("rocketmq-python-client is not installed (pip install 'onseju[scaled]')")
    parent = ModuleType("rocketmq")
    parent.__path__ = list(spec.submodule_search_locations)
    sys.modules["rocketmq"] = parent
    try:
        return importlib.import_module("rocketmq.grpc_protocol")
    finally:
        del sys.modules["rocketmq"]  # whoever wants the whole of it gets it


protocol: Any = _protocol()
"""The protocol's messages and codes, as generated from RocketMQ's own definitions."""
definitions: Any = sys.modules["rocketmq.grpc_protocol.definition_pb2"]
services: Any = sys.modules["rocketmq.grpc_protocol.service_pb2"]


class Link:
    """One client's channel to the proxy, made anew when it hangs. Thread-safe."""

    def __init__(self, endpoints: str) -> None:
        host, _, port = endpoints.rpartition(":")
        if not host or not port.isdigit():
            raise ValueError(f"RocketMQ's address is host:port, not {endpoints!r}")
        self.endpoints = endpoints
        self.client_id = f"onseju@{uuid.uuid4().hex}"
        self.metadata = (
            ("x-mq-language", "PYTHON"),
            ("x-mq-protocol", "GRPC_V2"),
            ("x-mq-client-version", CLIENT_VERSION),
            ("x-mq-client-id", self.client_id),
        )
        self._lock = threading.Lock()
        self._made_s = 0.0
        self._channel: Any = None
        self._stub: Any = None
        self._closed = False
        self._connect()

    @property
    def stub(self) -> Any:
        """The service's calls. They raise `grpc.RpcError`; `ValueError` once the link is closed."""
        return self._stub

    def renew(self) -> None:
        """Make the channel anew: the old one hangs, as one does whose packets are dropped. What is on its way fails.

        A channel younger than `MIN_RENEW_S` stays.
        """
        with self._lock:
            if self._closed or time.monotonic() - self._made_s < MIN_RENEW_S:
                return
            old = self._channel
            self._connect()
        old.close()

    def close(self) -> None:
        """Let go of it. Idempotent."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
        self._channel.close()

    def _connect(self) -> None:
        self._channel = grpc.insecure_channel(self.endpoints, _OPTIONS)
        self._stub = protocol.MessagingServiceStub(self._channel)
        self._made_s = time.monotonic()


def hangs(error: BaseException) -> bool:
    """Whether a call's error says that nothing came back in time."""
    return isinstance(error, grpc.RpcError) and error.code() is grpc.StatusCode.DEADLINE_EXCEEDED


def words(error: BaseException) -> str:
    """A call's error in one line."""
    if isinstance(error, grpc.RpcError):
        return f"{error.code().name}: {error.details()}"
    return f"{type(error).__name__}: {error}"


def code_name(code: int) -> str:
    """The name of an answer's code."""
    names: dict[int, str] = {number: name for name, number in protocol.Code.items()}
    return names.get(code, str(code))
