"""Stands before RocketMQ's proxy and behaves as badly as a carrier may: every message is sent twice and brought twice, the
second time later, and in no order.

`python -m tests.scaled.shim PROXY_PORT` prints the port on which it listens. It speaks RocketMQ's protocol and knows of it only
what a message is.
"""

from __future__ import annotations

import random
import sys
import threading
from collections import defaultdict
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc  # type: ignore[import-untyped]

from onseju.bus.rocketmq_link import services

SERVICE = "apache.rocketmq.v2.MessagingService"
HELD = 64
"""Copies that are kept for later, for each group."""
THREADS = 64


class Shim(grpc.GenericRpcHandler):  # type: ignore[misc]
    """Hands every call on."""

    def __init__(self, proxy: str) -> None:
        self._channel = grpc.insecure_channel(
            proxy, [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]
        )
        self._copies: dict[str, list[bytes]] = defaultdict(list)
        self._lock = threading.Lock()
        self._random = random.Random(1)

    def service(self, call: Any) -> Any:
        """The handler of a method."""
        name = call.method.rsplit("/", 1)[1]
        if name == "Telemetry":
            return grpc.stream_stream_rpc_method_handler(self._telemetry)
        if name == "ReceiveMessage":
            return grpc.unary_stream_rpc_method_handler(self._receive)
        return grpc.unary_unary_rpc_method_handler(lambda request, context: self._call(name, request, context))

    def _call(self, name: str, request: bytes, context: Any) -> bytes:
        method = self._channel.unary_unary(f"/{SERVICE}/{name}")
        with _AsTold(context):
            if name == "SendMessage":  # twice, as a sender does who missed the answer
                method(request, timeout=10, metadata=_metadata(context))
            answer: bytes = method(request, timeout=10, metadata=_metadata(context))
            return answer
        raise AssertionError("the call was ended")

    def _telemetry(self, requests: Iterator[bytes], context: Any) -> Iterator[bytes]:
        call = self._channel.stream_stream(f"/{SERVICE}/Telemetry")(requests, metadata=_metadata(context))
        context.add_callback(call.cancel)
        with _AsTold(context):
            yield from call

    def _receive(self, request: bytes, context: Any) -> Iterator[bytes]:
        asked = services.ReceiveMessageRequest.FromString(request)
        group = asked.group.name
        call = self._channel.unary_stream(f"/{SERVICE}/ReceiveMessage")(
            request, metadata=_metadata(context), timeout=30
        )
        context.add_callback(call.cancel)
        messages: list[bytes] = []
        others: list[bytes] = []
        with _AsTold(context):
            for response in call:
                is_message = services.ReceiveMessageResponse.FromString(response).HasField("message")
                (messages if is_message else others).append(response)
            with self._lock:
                copies = self._copies[group]
                self._random.shuffle(copies)
                late = [copies.pop() for _ in range(min(len(messages), len(copies)))]
                copies += messages[: HELD - len(copies)]
                brought = messages + late
                self._random.shuffle(brought)
            if brought:
                yield from brought
            yield from others


class _AsTold:
    """Ends the call as the proxy has ended it."""

    def __init__(self, context: Any) -> None:
        self._context = context

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        if isinstance(error, grpc.RpcError):
            self._context.abort(error.code(), error.details())


def _metadata(context: Any) -> list[tuple[str, str]]:
    return [(key, value) for key, value in context.invocation_metadata() if key.startswith("x-mq-")]


def main(port: int) -> None:
    """Serve until the process is ended."""
    server = grpc.server(ThreadPoolExecutor(THREADS), options=[("grpc.max_receive_message_length", -1)])
    server.add_generic_rpc_handlers((Shim(f"127.0.0.1:{port}"),))
    print(server.add_insecure_port("127.0.0.1:0"), flush=True)
    server.start()
    server.wait_for_termination()


if __name__ == "__main__":
    main(int(sys.argv[1]))
