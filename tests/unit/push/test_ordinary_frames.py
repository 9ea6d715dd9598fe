"""A WebSocket's ordinary frames are split as the whole parser would, however the bytes are cut; the rest is left to it."""

from __future__ import annotations

import itertools
from collections.abc import Iterable

from hypothesis import given, settings
from hypothesis import strategies as st
from websockets.frames import Frame, Opcode
from websockets.server import ServerProtocol

from bench.wire import client_frame
from onseju.push.ordinary_frames import OrdinaryFrames

MOST = 300

contents = st.one_of(
    st.binary(max_size=20), st.binary(min_size=120, max_size=130), st.binary(min_size=250, max_size=MOST)
)
messages = st.tuples(st.sampled_from([1, 2]), contents).map(lambda one: client_frame(*one))
controls = st.tuples(st.sampled_from([9, 10]), st.binary(max_size=125)).map(lambda one: client_frame(*one))
fragments = contents.map(
    lambda content: bytes([0x01]) + client_frame(1, content)[1:] + bytes([0x80]) + client_frame(1, content)[1:]
)
odd = st.sampled_from(
    [
        client_frame(1, bytes(MOST + 1)),  # too long
        b"\x81\x02hi",  # not masked
        b"\xc1\x80abcd",  # a reserved bit
        b"\x83\x80abcd",  # a reserved opcode
        b"\x81\xff" + (5).to_bytes(8, "big") + b"abcdhello",  # a length of eight bytes
    ]
)
streams = st.tuples(
    st.lists(st.one_of(messages, controls, fragments), max_size=8).map(b"".join), st.one_of(st.just(b""), odd)
).map(b"".join)


def cut(data: bytes, places: Iterable[int]) -> list[bytes]:
    borders = [0, *sorted({place % (len(data) + 1) for place in places}), len(data)]
    return [data[start:end] for start, end in itertools.pairwise(borders)]


def whole_parser() -> ServerProtocol:
    parser = ServerProtocol(max_size=MOST)
    parser.receive_data(
        b"GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
        b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
    )
    (request,) = parser.events_received()
    parser.send_response(parser.accept(request))  # type: ignore[arg-type]  # it is one
    return parser


def events_of(parser: ServerProtocol) -> list[tuple[Opcode, bytes, bool]]:
    return [
        (event.opcode, bytes(event.data), event.fin) for event in parser.events_received() if isinstance(event, Frame)
    ]


@given(streams, st.lists(st.integers(0, 5000), max_size=6))
@settings(max_examples=400, deadline=None)
def test_the_same_messages_as_the_whole_parser_gives(stream: bytes, places: list[int]) -> None:
    alone = whole_parser()
    alone.receive_data(stream)
    expected = events_of(alone)
    behind, frames = whole_parser(), OrdinaryFrames(MOST)
    found: list[tuple[Opcode, bytes, bool]] = []
    for part in cut(stream, places):
        if frames.over:
            behind.receive_data(part)
            found += events_of(behind)
            continue
        for kind, content in frames.split(part):
            if kind is Opcode.CONT:
                behind.receive_data(content)
                found += events_of(behind)
            else:
                found.append((kind, content, True))
    assert found == expected
    assert (behind.close_sent is None) == (alone.close_sent is None)
    if alone.close_sent is not None and behind.close_sent is not None:
        assert behind.close_sent.code == alone.close_sent.code


def test_ordinary_messages_never_reach_the_whole_parser() -> None:
    frames = OrdinaryFrames(MOST)
    stream = b"".join(client_frame(1, b"message %d" % number) for number in range(100))
    found = [part for at in range(0, len(stream), 7) for part in frames.split(stream[at : at + 7])]
    assert found == [(Opcode.TEXT, b"message %d" % number) for number in range(100)]
    assert not frames.over


def test_what_is_kept_of_a_message_is_bounded() -> None:
    frames = OrdinaryFrames(MOST)
    assert list(frames.split(client_frame(2, bytes(MOST))[:-1])) == []
    assert len(frames._rest) < MOST + 8
    assert not frames.over
    assert list(OrdinaryFrames(MOST).split(client_frame(2, bytes(MOST + 1))[:5])) != []
