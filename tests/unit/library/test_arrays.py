"""NumPy's views of commands and events show what the decoders show, and copy nothing."""

from __future__ import annotations

import numpy as np
import pytest

from onseju.contract import arrays, commands, events
from onseju.contract.arrays import COMMAND, COMMANDS, EVENT, EVENTS, view_commands, view_events
from onseju.contract.commands import COMMAND_BYTES, CommandKind, NewOrder, decode_command, encode_command
from onseju.contract.events import EventKind, decode_events
from onseju.contract.words import OrderType, Side
from onseju.library.exchange import Exchange
from tests.unit.library.crowds import ENGINES, crowded, table


@pytest.mark.parametrize(("dtypes", "layouts"), [(COMMANDS, commands.LAYOUTS), (EVENTS, events.LAYOUTS)])
def test_every_record_has_a_dtype_with_its_fields(dtypes: dict[int, np.dtype], layouts: dict) -> None:  # type: ignore[type-arg]
    assert dtypes.keys() == layouts.keys()
    for kind, dtype in dtypes.items():
        assert dtype.itemsize == layouts[kind].packer.size
        assert tuple(name for name in dtype.names or () if not name.startswith("unused")) == layouts[kind].fields


@pytest.mark.parametrize("kind", [kind for kind in CommandKind if kind in COMMANDS])
def test_a_command_filled_by_columns_is_the_command_in_bytes(kind: CommandKind) -> None:
    """Each field gets a number of its own, as wide as its place."""
    made = arrays.new_commands(2, kind)
    layout = commands.LAYOUTS[kind]
    values: dict[str, object] = {}
    for place, name in enumerate(layout.fields, 3):
        width = COMMANDS[kind].fields[name][0].itemsize  # type: ignore[index]
        if name not in ("kind", "version"):
            is_text = COMMANDS[kind].fields[name][0].kind in "SV"  # type: ignore[index]
            values[name] = bytes([place]) * width if is_text else place
            made[name][1] = np.void(values[name]) if is_text and name != "symbol" else values[name]
    expected = encode_command(layout.cls(**values))
    assert made[1].tobytes() == expected
    assert decode_command(made.tobytes(), COMMAND_BYTES) == layout.cls(**values)
    assert made[0].tobytes() == encode_command(
        layout.cls(**{name: type(value)() if isinstance(value, int) else bytes(16) for name, value in values.items()})
    )


@pytest.mark.parametrize("engine", ENGINES)
def test_views_of_events_show_what_the_decoder_shows(engine: str) -> None:
    run = crowded(engine).run(table(4, 400), keep=("events",), progress=False)
    payload = run.events.tobytes()
    view = view_events(payload)
    decoded = list(decode_events(payload))
    assert view.base is not None
    assert not view.flags.writeable
    assert view["kind"].tolist() == [event.kind for event in decoded]
    for kind in set(view["kind"].tolist()):
        same = [event for event in decoded if event.kind == kind]
        chosen = arrays.events_of(view, EventKind(kind))
        for name in events.LAYOUTS[kind].fields:
            shown = [bytes(value) if chosen.dtype[name].kind == "V" else value for value in chosen[name].tolist()]
            told = [getattr(event, name) for event in same]
            told = [value.rstrip(b"\0") if name == "symbol" else value for value in told]
            assert shown == told, f"{EventKind(kind).name}.{name}"


def test_a_view_shares_the_memory() -> None:
    buffer = bytearray(encode_command(NewOrder(qty=3, side=Side.BUY, order_type=OrderType.LIMIT)) * 2)
    view = view_commands(buffer, CommandKind.NEW_ORDER)
    view["qty"][1] = 9
    assert decode_command(bytes(buffer), COMMAND_BYTES).qty == 9  # type: ignore[attr-defined]
    array = np.zeros(2, COMMANDS[CommandKind.NEW_ORDER])
    assert np.shares_memory(view_commands(array), array)


def test_a_copy_of_some_events_keeps_every_byte() -> None:
    run = crowded("native").run(table(4, 200), keep=("events",), progress=False)
    some = run.events[::3]
    again = np.concatenate([some[some["kind"] % 2 == 0], some[some["kind"] % 2 == 1]])
    assert sorted(record.tobytes() for record in again) == sorted(record.tobytes() for record in some)


@pytest.mark.parametrize("size", [1, 111, 113])
def test_what_is_no_whole_number_of_records_is_no_view(size: int) -> None:
    with pytest.raises(ValueError, match="no whole number of records of 112 bytes"):
        view_commands(bytes(size))
    with pytest.raises(ValueError, match="contiguous"):
        view_events(np.zeros(4, EVENT)[::2])


@pytest.mark.parametrize("engine", ENGINES)
def test_apply_takes_arrays_of_any_kind(engine: str) -> None:
    exchange, twin = crowded(engine), crowded(engine)
    made = arrays.new_commands(3, CommandKind.NEW_ORDER)
    made["account"], made["actor"], made["instrument"] = 2, 2, 1
    made["qty"], made["limit_price"], made["side"] = [1, 2, 3], 70_000, Side.BUY
    made["order_type"], made["time_in_force"] = OrderType.LIMIT, 1
    given = exchange.apply(made)
    assert made["seq"].tolist() == list(range(int(made["seq"][0]), int(made["seq"][0]) + 3))
    one_by_one = b"".join(twin.buy("kim", "005930", qty, 70_000).payload for qty in (1, 2, 3))
    assert given.tobytes() == one_by_one
    assert given.dtype == EVENT
    assert exchange.buy("kim", "005930", 1, 70_000).order_id == 4
    assert len(exchange.apply(np.zeros(0, COMMAND))) == 0


def test_apply_takes_nothing_else() -> None:
    exchange = Exchange()
    with pytest.raises(TypeError, match="records of 112 bytes"):
        exchange.apply(np.zeros(2, EVENT))
    with pytest.raises(TypeError, match="records of 112 bytes"):
        exchange.apply(np.zeros(2, np.int64))  # type: ignore[arg-type]
