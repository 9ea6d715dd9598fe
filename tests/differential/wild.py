"""Random commands of every kind from a seed, as nobody sensible would send them: any field may be anything."""

from __future__ import annotations

from random import Random

from onseju.contract.commands import (
    COMMAND_BYTES,
    LAYOUTS,
    CancelAll,
    CancelOrder,
    ChangePhase,
    Command,
    CorrectOrder,
    DepositCash,
    DepositShares,
    Halt,
    ListInstrument,
    NewOrder,
    OpenAccount,
    Resume,
    RollDay,
    SetRule,
    SetTickBand,
    Uncross,
    WithdrawCash,
    encode_command,
)
from onseju.contract.words import Rule

KINDS = list(LAYOUTS)
WIDE = (-(2**63), -1, 0, 1, 100, 2**31, 2**53, 2**62, 2**62 + 1, 2**63 - 1)
USUAL = (NewOrder, NewOrder, NewOrder, NewOrder, CancelOrder, CorrectOrder, CorrectOrder, CorrectOrder, CancelAll)
RARE = (
    ChangePhase,
    DepositCash,
    DepositShares,
    Halt,
    ListInstrument,
    OpenAccount,
    Resume,
    RollDay,
    SetRule,
    SetTickBand,
    Uncross,
    Uncross,
    WithdrawCash,
)


class Wild:
    """Makes up commands. `day` and `last_order_id` let some of them mean something."""

    def __init__(self, random: Random, base: int, tick: int) -> None:
        self._random = random
        self._base = base
        self._tick = tick

    def next_bytes(self, day: int, last_order_id: int) -> bytes:
        """A command's bytes, of a known kind and version."""
        random = self._random
        if random.random() < 0.03:  # a known kind, and noise
            kind = random.choice(KINDS)
            noise = bytearray(random.randbytes(COMMAND_BYTES))
            noise[16:18] = bytes((kind, 1))
            if random.random() < 0.7:
                noise[20:32] = b"".join(random.randint(0, 4).to_bytes(4, "little") for _ in range(3))
                noise[32:64] = bytes(32)
            return bytes(noise)
        return encode_command(self._command(day, last_order_id))

    def _command(self, day: int, last_order_id: int) -> Command:
        random = self._random
        cls = random.choice(USUAL if random.random() < 0.85 else RARE)
        fields: dict[str, object] = {}
        for name in cls.__struct_fields__:
            if name in ("seq", "ts", "kind", "version", "actor", "client_id", "body_hash"):
                continue
            fields[name] = self._value(cls, name, day, last_order_id)
        if random.random() < 0.05:
            fields["client_id"] = bytes([random.randint(0, 9)]) * 16
            fields["body_hash"] = bytes([random.randint(0, 1)]) * 16
        return cls(**fields)

    def _value(self, cls: type[Command], name: str, day: int, last_order_id: int) -> object:
        random = self._random
        match name:
            case "account":
                return random.choice((2, 3, 4, 2, 3, 4, 2, 3, 4, 1, 0, 9))
            case "instrument":
                return random.choice((1, 1, 1, 1, 2, 2, 0, 3))
            case "flags" if cls is CorrectOrder:
                return random.choice((1, 2, 3, 4, 5, 6, 7, 17, 21, 20, 16, 0, 8, 9, 18, 24, 64, 1, 1, 17))
            case "flags":
                return random.choice((0, 0, 0, 1, 2, 9)) if cls is Halt else 0
            case "order_id":
                near = random.randint(max(last_order_id - 25, 0), last_order_id + 1)
                return near if random.random() < 0.95 else random.choice(WIDE)
            case "limit_price" | "stop_price":
                return self._price()
            case "qty" | "leaves_qty" | "part_qty":
                return random.choice((1, 2, 5, 10, 30, 150)) if random.random() < 0.9 else random.choice((0, *WIDE))
            case "amount" | "cost_amount":
                return random.randint(0, 10**7) if random.random() < 0.8 else random.choice(WIDE)
            case "side":
                return random.choice((1, 2, 1, 2, 1, 2, 1, 2, 0, 3))
            case "order_type":
                return random.choice((1, 1, 1, 2, 2, 3, 4, 5, 6, 7, 8, 0, 9))
            case "time_in_force":
                return random.choice((1, 1, 1, 1, 1, 2, 3, 0))
            case "rule":
                return random.choice((*Rule, 0, 99))
            case "value":
                return random.choice((0, 1, 1, 2, 2, 3, 3, 4, 510, 2_000, 30_000, self._price(), random.choice(WIDE)))
            case "trading_day":
                return (
                    day + random.choice((0, 0, 0, 0, 1, -1)) if cls is not RollDay else day + random.choice((0, 1, 2))
                )
            case "phase":
                return random.choice((3, 3, 3, 3, 2, 4, 5, 8, 9, 6, 7, 1, 0, 10, 11, 12))
            case "occurrence":
                return random.randint(0, 65_535)
            case "stage":
                return random.choice((0, 0, 0, 0, 0, 1, 2, 3, 4))
            case "owner":
                return bytes([random.randint(0, 3)]) * 16
            case "account_kind":
                return random.choice((1, 1, 1, 2, 3, 0, 4))
            case "symbol":
                return random.choice((b"A", b"B-1", b"", b"a\0b", b"ABCDEFGHIJKLMNOP", b"!"))
            case "base_price":
                return random.choice((0, self._base, self._base + 7, random.choice(WIDE)))
            case "listed_shares":
                return random.choice((0, 1_000, 10**9, random.choice(WIDE)))
            case "limit_ppm":
                return random.choice((0, 300_000, 300_000, 10_000_000, 10_000_001, 2**32 - 1))
            case "vi_dynamic_ppm" | "vi_static_ppm":
                return random.choice((0, 0, 30_000, 2**32 - 1))
            case "tick_table" | "table":
                return random.choice((0, 1, 2, 3, 7, 7, 8, 200))
            case "board" | "security":
                return random.choice((1, 2, 3, 4, 0, 9))
            case "leverage":
                return random.choice((1, 1, 1, 2, -1, 0, -128))
            case "from_price":
                return random.choice((0, 0, 10, 1_000, random.choice(WIDE)))
            case "tick":
                return random.choice((1, 2, 5, 10, 7, random.choice(WIDE)))
        raise AssertionError(f"{cls.__name__}.{name}")

    def _price(self) -> int:
        random = self._random
        roll = random.random()
        if roll < 0.5:
            return self._base + random.randint(-8, 8) * self._tick
        return 0 if roll < 0.93 else random.choice((*WIDE, self._base + 1))
