"""Millions of random commands on both engines: `python -m tests.differential.long_run --commands 1000000 --seed 1`.

Each venue lives for some thousand commands: sensible days (`busy_day.py`) with wild commands (`wild.py`) in between. Seeds
are printed; a difference ends the run with the shortest history found, in words and as a file of commands.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from random import Random

from onseju.contract.commands import SetRule, encode_command
from onseju.contract.words import Rule
from onseju.matching.reference import ReferenceEngine
from tests.differential.twins import Twins, TwinsDifferError, explain, follow, shrunk
from tests.differential.wild import Wild
from tests.properties.busy_day import BusyDay
from tests.properties.streams import ACCOUNTS
from tests.properties.test_busy_days import busy
from tests.properties.test_engine_properties import VARIANTS

A_LIFE = 3_000
"""Commands in the life of one venue."""


def begin(seed: int, random: Random) -> tuple[Twins, BusyDay, Wild]:
    """A venue, and who sends it commands."""
    variant = random.randrange(len(VARIANTS))
    driver, day = busy(variant, seed, ReferenceEngine())
    base, tick = (98_500, 100) if VARIANTS[variant][0] == "krx" else (100, 1)
    return follow(driver), day, Wild(random, base, tick)


def live(twins: Twins, day: BusyDay, wild: Wild, random: Random, commands: int, hash_every: int) -> None:
    """The venue's life. Raises `TwinsDifferError`."""
    state = twins.reference.state
    for rule, value in ((Rule.STOP_ELECTION, random.randint(1, 3)), (Rule.SETTLEMENT_DAYS, random.randint(0, 2))):
        twins.do(SetRule(rule=rule, value=value))
    wildness = random.choice((0.0, 0.05, 0.3, 0.9))
    for number in range(commands):
        if random.random() < wildness:
            encoded = wild.next_bytes(state.trading_day, state.last_order_id)
        else:
            encoded = encode_command(day.next_command())
        twins.do_bytes(encoded, hashes=number % hash_every == 0)
        if number % 1_000 == 0:
            twins.check_hash(in_full=True)
            twins.native.check_invariants()
    twins.check_hash(in_full=True)
    twins.native.check_invariants()
    for number in range(1, len(state.instruments) + 1):
        if twins.native.book(number) != twins.reference.book(number):
            raise TwinsDifferError(f"the books of instrument {number} differ")
    for account in ACCOUNTS:
        if twins.native.account(account)[1:5] != twins.reference.account(account).balance:
            raise TwinsDifferError(f"the balances of account {account} differ")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--commands", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--hash-every", type=int, default=1, help="compare the states after so many commands")
    parser.add_argument("--keep", type=Path, default=Path("difference.bin"), help="where a difference's commands go")
    options = parser.parse_args()
    began, done, seed = time.monotonic(), 0, options.seed * 1_000_000
    while done < options.commands:
        random = Random(seed)
        twins, day, wild = begin(seed, random)
        try:
            live(twins, day, wild, random, A_LIFE, options.hash_every)
        except TwinsDifferError as error:
            print(f"seed {seed}: {error}", flush=True)
            short = shrunk(twins.commands)
            options.keep.write_bytes(b"".join(short))
            print(explain(short), f"The commands are in {options.keep}.", sep="\n")
            return 1
        done += twins.seq
        seed += 1
        if seed % 20 == 0:
            print(f"seed {seed - 1}: {done:,} commands agree, {done / (time.monotonic() - began):,.0f}/s", flush=True)
    print(f"{done:,} commands agree, seeds {options.seed * 1_000_000} to {seed - 1}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
