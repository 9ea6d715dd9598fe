"""The carrier over a real RocketMQ: nothing lost when broker and proxy are killed, acknowledgements kept, a bounded stop."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from onseju.bus.rocketmq import MAX_BODY_BYTES, RocketReceiver, RocketSender
from onseju.bus.transport import Delivery, TransportError
from onseju.scaled.postgres_server import free_port
from onseju.scaled.rocketmq_server import RocketServer

WITHIN_S = 30.0
TOPICS = ("carried", "shared", "again", "killed", "held", "later")
GROUPS = ("one", "two")


class Inbox:
    """What a receiver has delivered; acknowledges it, unless told not to."""

    def __init__(self, *, acknowledge: bool = True) -> None:
        self.deliveries: list[Delivery] = []
        self._acknowledge = acknowledge
        self._changed = threading.Condition()

    def __call__(self, delivery: Delivery) -> None:
        with self._changed:
            self.deliveries.append(delivery)
            self._changed.notify_all()
        if self._acknowledge:
            delivery.ack()

    @property
    def bodies(self) -> list[bytes]:
        return [delivery.body for delivery in list(self.deliveries)]

    def wait_for(self, enough: Callable[[], bool], within_s: float = WITHIN_S) -> bool:
        with self._changed:
            return self._changed.wait_for(enough, within_s)


@pytest.fixture(scope="module")
def server(rocketmq: RocketServer) -> RocketServer:
    rocketmq.make(TOPICS, GROUPS)
    return rocketmq


@pytest.fixture
def sender(server: RocketServer) -> Iterator[RocketSender]:
    sender = RocketSender(server.endpoints)
    yield sender
    sender.stop()


Listen = Callable[..., RocketReceiver]


@pytest.fixture
def listen(server: RocketServer) -> Iterator[Listen]:
    """Starts a receiver, which ends with the test, and waits until the proxy knows it."""
    receivers: list[RocketReceiver] = []

    def start(deliver: Callable[[Delivery], None], topic: str, group: str = "one", **options: int) -> RocketReceiver:
        receiver = RocketReceiver(server.endpoints, topic, group, **options)
        receivers.append(receiver)
        receiver.start(deliver)
        assert receiver.wait_ready(WITHIN_S)
        return receiver

    yield start
    for receiver in receivers:
        receiver.stop()


def test_bytes_and_headers_arrive_in_every_group(sender: RocketSender, listen: Listen) -> None:
    first, second = Inbox(), Inbox()
    listen(first, "carried", "one")
    listen(second, "carried", "two")
    body = bytes(range(256)) * 4096
    futures = [sender.send("carried", body + str(n).encode(), {"n": str(n), "가": "온세주"}) for n in range(20)]
    assert [future.result(WITHIN_S) for future in futures] == [None] * 20
    for inbox in (first, second):
        assert inbox.wait_for(lambda inbox=inbox: len(set(inbox.bodies)) == 20)  # type: ignore[misc]
        assert set(inbox.bodies) == {body + str(n).encode() for n in range(20)}
        assert {delivery.headers["가"] for delivery in inbox.deliveries} == {"온세주"}
        assert {delivery.headers["n"] for delivery in inbox.deliveries} == {str(n) for n in range(20)}


def test_receivers_of_a_group_share_what_comes(sender: RocketSender, listen: Listen) -> None:
    inboxes = [Inbox(), Inbox()]
    for inbox in inboxes:
        listen(inbox, "shared")
    sent = {str(n).encode() for n in range(200)}
    for future in [sender.send("shared", body, {}) for body in sent]:
        future.result(WITHIN_S)
    until = time.monotonic() + WITHIN_S
    while set(inboxes[0].bodies) | set(inboxes[1].bodies) != sent and time.monotonic() < until:
        inboxes[0].wait_for(lambda: False, 0.05)
    assert set(inboxes[0].bodies) | set(inboxes[1].bodies) == sent
    assert inboxes[0].bodies
    assert inboxes[1].bodies


def test_what_is_not_acknowledged_comes_again_and_what_is_does_not(sender: RocketSender, listen: Listen) -> None:
    inbox = Inbox(acknowledge=False)
    listen(inbox, "again", invisible_s=2)
    for body in (b"kept", b"done"):
        sender.send("again", body, {}).result(WITHIN_S)
    assert inbox.wait_for(lambda: set(inbox.bodies) == {b"kept", b"done"})
    for delivery in inbox.deliveries:
        if delivery.body == b"done":
            delivery.ack()
            delivery.ack()
    assert inbox.wait_for(lambda: inbox.bodies.count(b"kept") >= 3)
    assert inbox.bodies.count(b"done") == 1


def test_nothing_is_lost_when_broker_and_proxy_are_killed(
    server: RocketServer, sender: RocketSender, listen: Listen
) -> None:
    """A receiver that starts meanwhile waits for the proxy."""
    inbox, late = Inbox(), Inbox()
    listen(inbox, "killed")
    receiver = RocketReceiver(server.endpoints, "later", "one")
    confirmed: set[bytes] = set()
    failures = 0
    ended = threading.Event()

    def send_all() -> None:
        nonlocal failures
        number = 0
        while not ended.is_set():
            batch = {b"%d" % n: None for n in range(number, number + 10)}
            number += 10
            while batch:
                futures = {body: sender.send("killed", body, {}) for body in batch}
                for body, future in futures.items():
                    if future.exception(WITHIN_S) is None:
                        confirmed.add(body)
                        del batch[body]
                    else:
                        failures += 1
                if batch:
                    ended.wait(0.1)
                    if ended.is_set():
                        return

    thread = threading.Thread(target=send_all)
    thread.start()
    try:
        assert inbox.wait_for(lambda: len(inbox.deliveries) > 100)
        server.kill_proxy()
        receiver.start(late)
        assert not receiver.wait_ready(0.3)
        server.start()
        assert receiver.wait_ready(WITHIN_S)
        before = len(confirmed)
        assert inbox.wait_for(lambda: len(confirmed) > before + 100)
    finally:
        ended.set()
        thread.join()
        server.start()
    assert failures  # of which each was sent again
    try:
        sender.send("later", b"found", {}).result(WITHIN_S)
        assert late.wait_for(lambda: b"found" in late.bodies)
    finally:
        receiver.stop()
    assert inbox.wait_for(lambda: confirmed <= set(inbox.bodies)), confirmed - set(inbox.bodies)


def test_a_stop_comes_back_soon_and_leaves_no_thread(server: RocketServer, listen: Listen) -> None:
    before = set(threading.enumerate())
    receiver = listen(Inbox(), "held", poll_s=20)
    entered, leave = threading.Event(), threading.Event()

    def block(_: Delivery) -> None:
        entered.set()
        leave.wait(WITHIN_S)

    blocked = listen(block, "held", "two")
    sender = RocketSender(server.endpoints)
    sender.send("held", b"one", {}).result(WITHIN_S)
    assert entered.wait(WITHIN_S)
    sender.stop()
    with pytest.raises(TransportError):
        sender.send("held", b"two", {})
    sender.stop()
    began = time.monotonic()
    receiver.stop()
    leave.set()
    blocked.stop()
    receiver.stop()
    assert time.monotonic() - began < 10  # two stops' bound; not one of a long poll's
    ours = [thread for thread in set(threading.enumerate()) - before if thread.name.startswith("rocketmq")]
    assert ours == []


def test_a_stop_in_the_middle_of_a_heartbeat_ends_the_keeper_too(
    server: RocketServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It must not rest until its next one, and then say goodbye on a connection that is closed."""
    beats: list[RocketReceiver] = []
    heartbeat = RocketReceiver._beat

    def beat(receiver: RocketReceiver) -> None:
        beats.append(receiver)
        started.set()
        assert receiver._stopping.wait(WITHIN_S)
        heartbeat(receiver)

    started = threading.Event()
    monkeypatch.setattr(RocketReceiver, "_beat", beat)
    receiver = RocketReceiver(server.endpoints, "held", "one")
    receiver.start(Inbox())
    assert started.wait(WITHIN_S)
    receiver.stop()
    assert not receiver._keeper.is_alive()
    assert len(beats) == 1


def test_a_goodbye_on_a_closed_connection_is_no_error(server: RocketServer) -> None:
    receiver = RocketReceiver(server.endpoints, "held", "one")
    receiver._link.close()
    receiver._say_goodbye()
    assert not receiver._keeper.is_alive()


def test_a_stop_is_bounded_where_no_proxy_ever_was() -> None:
    endpoints = f"127.0.0.1:{free_port()}"
    receiver, sender = RocketReceiver(endpoints, "t", "g"), RocketSender(endpoints)
    receiver.start(Inbox())
    failed = sender.send("t", b"x", {})
    assert isinstance(failed.exception(WITHIN_S), TransportError)
    receiver.stop()
    sender.stop()
    assert not receiver._keeper.is_alive()


def test_an_unknown_topic_fails_as_unknown_and_in_words(sender: RocketSender) -> None:
    with pytest.raises(TransportError, match="nowhere"):
        sender.send("nowhere", b"x", {}).result(WITHIN_S)


@pytest.mark.parametrize(
    ("topic", "body", "headers"),
    [("", b"x", {}), ("t", b"", {}), ("t", b"x" * (MAX_BODY_BYTES + 1), {}), ("t", b"x", {"a": ""})],
)
def test_what_can_never_be_sent_is_refused_at_once(topic: str, body: bytes, headers: dict[str, str]) -> None:
    sender = RocketSender("127.0.0.1:1")
    with pytest.raises(ValueError, match=r"a message has|headers have"):
        sender.send(topic, body, headers)
    sender.stop()


@pytest.mark.parametrize("endpoints", ["", "host", "host:port", ":1"])
def test_an_address_is_host_and_port(endpoints: str) -> None:
    with pytest.raises(ValueError, match="host:port"):
        RocketSender(endpoints)


def test_it_writes_nothing_into_the_home_folder(tmp_path: Path) -> None:
    code = "import onseju.bus.rocketmq, logging; assert not logging.getLogger('rocketmq-python-client').handlers"
    environment = {**os.environ, "HOME": str(tmp_path)}
    subprocess.run([sys.executable, "-c", code], check=True, env=environment)
    assert list(tmp_path.iterdir()) == []
