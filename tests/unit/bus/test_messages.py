"""The bytes of the bus between processes: there and back, and what is refused."""

from __future__ import annotations

import contextlib

import pytest
from crc32c import crc32c
from hypothesis import given
from hypothesis import strategies as st

from onseju.bus import messages
from onseju.bus.messages import CommandMessage, EventsInLog, MessageRefusedError, decode, encode_commands, encode_events
from onseju.contract.commands import CloseGatewayGap, StartEpoch, encode_command
from onseju.contract.event_runs import EventRun
from onseju.contract.journal_records import EventBlock, Origin
from tests.contract.samples import block, blocks, order


def commands(count: int = 3) -> CommandMessage:
    data = b"".join(encode_command(order(qty=qty).command) for qty in range(1, count + 1))
    return CommandMessage(1, 7, 3, 41, data, {1: "주문-2"})


ORIGINS = st.lists(
    st.builds(Origin, st.integers(0, 2), st.integers(1, 2), st.integers(1, 4)) | st.just(Origin()),
    min_size=1,
    max_size=12,
)


def test_commands_come_back_as_they_were() -> None:
    message = commands()
    assert decode(encode_commands(message)) == message
    assert (message.count, message.last_seq) == (3, 43)


@given(origins=ORIGINS, events=st.integers(1, 3))
def test_events_come_back_as_they_were(origins: list[Origin], events: int) -> None:
    made = [block(seq, epoch=9, events=events) for seq in range(5, 5 + len(origins))]
    sent: list[EventBlock] = [
        EventBlock(**{name: getattr(one, name) for name in one.__struct_fields__} | {"origin": origin})
        for one, origin in zip(made, origins, strict=True)
    ]
    run = EventRun.of(sent)
    found = decode(encode_events(run))
    assert isinstance(found, EventRun)
    assert list(found) == sent
    assert encode_events(found) == encode_events(run)


def test_events_too_large_for_a_message_are_left_in_the_log(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(messages, "MAX_MESSAGE_BYTES", 1000)
    found = decode(encode_events(EventRun.of(blocks(3, 9))))
    assert found == EventsInLog(venue=1, epoch=1, first_seq=3, count=7)


@given(st.data())
def test_no_other_bytes_are_taken_for_a_message(data: st.DataObject) -> None:
    good = data.draw(st.sampled_from([encode_commands(commands()), encode_events(EventRun.of(blocks(1, 3)))]))
    at = data.draw(st.integers(0, len(good) - 1))
    flipped = bytes([good[at] ^ data.draw(st.integers(1, 255))])
    for bad in (good[:at] + flipped + good[at + 1 :], good[:at], good[:at] + b"\0" + good[at:]):
        if bad != good:
            with pytest.raises(MessageRefusedError):
                decode(bad)


@given(st.data())
def test_bytes_with_a_right_checksum_and_wrong_content_raise_nothing_else(data: st.DataObject) -> None:
    good = data.draw(st.sampled_from([encode_commands(commands()), encode_events(EventRun.of(blocks(1, 3)))]))
    at = data.draw(st.integers(0, len(good) - 5))
    body = good[:at] + data.draw(st.binary(min_size=1, max_size=4)) + good[at + 1 : -4]
    sealed = body + crc32c(body).to_bytes(4, "little")
    with contextlib.suppress(MessageRefusedError):
        assert decode(sealed).first_seq >= 1


@pytest.mark.parametrize(
    "command",
    [StartEpoch(epoch=3), CloseGatewayGap(gateway=1, gateway_epoch=1, through_seq=1)],
    ids=lambda command: type(command).__name__,
)
def test_what_only_the_exchange_may_command_is_not_taken_from_a_gateway(command: StartEpoch | CloseGatewayGap) -> None:
    message = CommandMessage(1, 7, 3, 1, encode_command(order().command) + encode_command(command), {})
    with pytest.raises(MessageRefusedError, match="kinds") as refused:
        decode(encode_commands(message))
    assert refused.value.code == "message_commands"


@pytest.mark.parametrize("text", ["tab\there", "x" * 257])
def test_texts_that_cannot_stand_in_the_journal_are_refused(text: str) -> None:
    message = CommandMessage(1, 7, 3, 1, encode_command(order().command), {0: text})
    with pytest.raises(MessageRefusedError) as refused:
        decode(encode_commands(message))
    assert refused.value.code == "message_texts"
