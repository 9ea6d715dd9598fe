"""Millions of random commands on both engines: `python -m tests.differential.long_run --commands 1000000 --seed 1`.

Each venue lives for some thousand commands: days of a crowd and a hasty operator (`busy_day.py`) with wild commands
(`wild.py`) in between. Events and states, by their hashes, are compared after every command; states are hashed in full and
checked for contradictions after each thousand. In the end it says what was reached. Seeds are printed; a difference ends the
run with the shortest history found: in words, as a file of commands, and where it can be said so, as a scenario for
`onseju scenarios run`.
"""

from __future__ import annotations

import argparse
import multiprocessing
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random
from typing import NamedTuple

import msgspec

from onseju.contract.commands import Command, DepositCash, ListInstrument, SetRule, WithdrawCash
from onseju.contract.words import Rule, Security
from onseju.matching.reference import ReferenceEngine
from onseju.rules.instruments import list_commands, tick_table
from onseju.rules.packs import RulesName
from onseju.rules.ticks import next_up
from tests.differential.reached import POOLED, Reached, count, missing, table
from tests.differential.scenario_file import encoded, with_difference
from tests.differential.twins import MakeNative, Twins, TwinsDifferError, differ, explain, keep_hash, shrunk
from tests.differential.wild import Wild
from tests.properties.busy_day import BusyDay
from tests.properties.streams import ACCOUNTS
from tests.properties.test_busy_days import busy
from tests.properties.test_engine_properties import VARIANTS

FIRST_SEED = 1
A_LIFE = 3_000
"""Commands in the life of one venue, its beginning aside."""
IN_FULL_EVERY = 1_000
REACHES_ALL = 500_000
"""So many commands must reach all that a run can reach."""
LIVES_A_LINE = 50

PRICES = (100, 990, 1_000, 1_995, 4_990, 19_950, 49_900, 199_800)
"""Base prices besides the demo's: low, and where ticks change."""
CALM = (0.0, 0.8, 0.97)
"""How often the operator leaves continuous trading alone: one of these for each life."""
WILDNESS = (0.0, 0.05, 0.3, 0.9)
"""How many of the commands are wild."""
WEALTH = (0, 10**10)
"""What each account has besides a little, in won."""
PAYMENTS = 0.003
"""How often somebody takes money out."""


class Difference(NamedTuple):
    """How the engines differ: in words, by the fewest commands, and as a scenario file where it can be said so."""

    words: str
    commands: bytes
    scenario: bytes | None


class Life(NamedTuple):
    """What came of one venue."""

    seed: int
    commands: int
    reached: Reached
    difference: Difference | None


def life(seed: int, make_native: MakeNative = keep_hash, commands: int = A_LIFE) -> Life:
    """A venue's life, from a seed."""
    twins = Twins(make_native)
    try:
        live(twins, seed, commands)
    except TwinsDifferError as error:
        return Life(seed, twins.seq, Reached(), explained(twins.commands, str(error), f"seed {seed}", make_native))
    reached = count(twins.commands, twins.events)
    reached[POOLED] += twins.pools
    return Life(seed, twins.seq, reached, None)


def history(seed: int, commands: int) -> list[bytes]:
    """The commands of a life. Raises `TwinsDifferError`."""
    twins = Twins()
    live(twins, seed, commands)
    return twins.commands


def live(twins: Twins, seed: int, commands: int) -> None:
    """A venue's life. Raises `TwinsDifferError`."""
    random = Random(seed)
    variant = random.randrange(len(VARIANTS))
    listed, calm = listing(VARIANTS[variant][0], random), random.choice(CALM)
    driver, day = busy(variant, seed, ReferenceEngine(), listed, calm)
    twins.follow(driver)
    go_on(twins, day, random, commands)


def listing(rules: RulesName, random: Random) -> list[Command]:
    """Three of the demo's instruments: some at other prices, some another kind of security."""
    listed = []
    for request in random.sample(list_commands(rules), 3):
        command = request.command
        assert isinstance(command, ListInstrument)
        security = Security(command.security if random.random() < 0.7 else random.choice(list(Security)))
        listed.append(
            msgspec.structs.replace(
                command,
                base_price=command.base_price if random.random() < 0.5 else random.choice(PRICES),
                security=security,
                tick_table=tick_table(security) if rules == "krx" else command.tick_table,
                leverage=random.choice((1, 1, 2, -1)),
            )
        )
    return listed


def go_on(twins: Twins, day: BusyDay, random: Random, commands: int) -> None:
    """What the venue is asked from its opening on. Raises `TwinsDifferError`."""
    state = twins.reference.state
    first = state.instruments[0]
    wild = Wild(random, first.base_price, next_up(first.bands, first.base_price) - first.base_price)
    wildness, wealth = random.choice(WILDNESS), random.choice(WEALTH)
    for rule, most in ((Rule.STOP_ELECTION, 3), (Rule.SETTLEMENT_DAYS, 2)):
        twins.do(SetRule(rule=rule, value=random.randint(most == 3, most)))
    if random.random() < 0.3:
        twins.do(SetRule(rule=Rule.VI_DYNAMIC_PPM, value=random.choice((1_000, 30_000))))
        twins.do(SetRule(rule=Rule.VI_STATIC_PPM, value=random.choice((2_000, 100_000))))
    if random.random() < 0.2:
        twins.do(SetRule(rule=Rule.MAX_CLIENT_IDS, value=random.randint(1, 6)))
    for account in ACCOUNTS if wealth else ():
        twins.do(DepositCash(account=account, amount=wealth))
    for number in range(1, commands + 1):
        roll = random.random()
        if roll < PAYMENTS:
            for payment in payments(twins, random.choice(ACCOUNTS)):
                twins.do(payment)
        elif roll < PAYMENTS + wildness:
            twins.do_bytes(wild.next_bytes(state.trading_day, state.last_order_id))
        else:
            twins.do(day.next_command())
        twins.pools += first.book.pool is not None
        if number % IN_FULL_EVERY == 0 or number == commands:
            look_into(twins)


def payments(twins: Twins, account: int) -> tuple[Command, Command]:
    """All that is free is taken out and paid in again: some of it may not be settled yet."""
    free = max(twins.reference.account(account).available_cash, 1)
    return WithdrawCash(account=account, amount=free), DepositCash(account=account, amount=free // 2 + 1)


def look_into(twins: Twins) -> None:
    """Compare what the engines show besides events and running hash. Raises `TwinsDifferError`."""
    twins.check_hash()
    try:
        twins.native.check_invariants()
    except AssertionError as error:
        raise TwinsDifferError(f"the native engine's state contradicts itself: {error}") from None
    for number in range(1, len(twins.reference.state.instruments) + 1):
        if twins.native.book(number) != twins.reference.book(number):
            raise TwinsDifferError(f"the books of instrument {number} differ")
    for account in ACCOUNTS:
        if twins.native.account(account)[1:5] != twins.reference.account(account).balance:
            raise TwinsDifferError(f"the balances of account {account} differ")


def explained(commands: list[bytes], words: str, name: str, make_native: MakeNative) -> Difference:
    """The difference in as few commands as can be found."""
    if differ(commands, make_native) is None:  # it shows only to who looks into the engines
        return Difference(words, b"".join(commands), None)
    short = shrunk(commands, make_native)
    scenario = with_difference(short, name, make_native) or with_difference(commands, name, make_native)
    return Difference(explain(short, make_native), b"".join(short), None if scenario is None else encoded(scenario))


@contextmanager
def lives(seeds: Iterable[int], processes: int) -> Iterator[Iterable[Life]]:
    """The lives of these seeds, in their order."""
    if processes == 1:
        yield map(life, seeds)
        return
    with multiprocessing.get_context("spawn").Pool(processes) as pool:
        yield pool.imap(life, seeds)


def run(commands: int, seed: int, processes: int, keep: Path) -> int:
    """Run and say how it goes; gives the exit code."""
    first = seed * 1_000_000
    seeds = range(first, first + -(-commands // A_LIFE))
    began, done, reached = time.monotonic(), 0, Reached()
    with lives(seeds, processes) as all_lives:
        for number, lived in enumerate(all_lives, 1):
            if lived.difference is not None:
                print(f"seed {lived.seed}: the engines differ.", told(lived.difference, keep), sep="\n")
                return 1
            done += lived.commands
            reached += lived.reached
            if number % LIVES_A_LINE == 0:
                per_second = done / (time.monotonic() - began)
                print(f"seed {lived.seed}: {done:,} commands agree, {per_second:,.0f} a second", flush=True)
    print(f"{done:,} commands agree, seeds {seeds[0]} to {seeds[-1]}, in {time.monotonic() - began:,.0f} s. Reached:")
    print(table(reached))
    lacking = missing(reached)
    if lacking:
        print(f"Not reached: {', '.join(lacking)}.")
    return 1 if lacking and done >= REACHES_ALL else 0


def told(difference: Difference, keep: Path) -> str:
    """The difference in words; its commands, and the scenario where there is one, go into files."""
    keep.write_bytes(difference.commands)
    lines = [difference.words, f"The commands are in {keep}."]
    if difference.scenario is not None:
        path = keep.with_suffix(".json")
        path.write_bytes(difference.scenario)
        lines.append(f"As a scenario: onseju scenarios run {path} --engine native (--engine reference passes).")
    else:
        lines.append("They cannot be said as a scenario.")
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--commands", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=FIRST_SEED)
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--keep", type=Path, default=Path("difference.bin"), help="where a difference's commands go")
    options = parser.parse_args()
    return run(options.commands, options.seed, options.processes, options.keep)


if __name__ == "__main__":
    sys.exit(main())
