"""`python -m bench.streams.stamped FILE up …`: the server as it is, and FILE tells when each command was committed.

The streams' ring hears of a command the moment it is durable; what is measured is from there to a client. Noting it costs
a microsecond a command, the same for both transports.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from typing import Any

from bench.streams.stamps import STAMP
from onseju.cli import main
from onseju.push.ring import AccountRing


def stamp(path: str) -> None:
    """Let every ring of this process note what it hears."""
    listen = AccountRing.listen
    out = open(path, "ab", buffering=0)  # noqa: SIM115  # until the process ends, by whatever

    def noting(ring: AccountRing, *blocks: Any) -> None:
        now, before = time.time(), ring.head.seq
        listen(ring, *blocks)
        out.write(b"".join([STAMP.pack(seq, now) for seq in range(before + 1, ring.head.seq + 1)]))

    AccountRing.listen = noting  # type: ignore[method-assign,assignment]


def run(arguments: Sequence[str]) -> None:
    """`onseju` with the rest of the arguments."""
    stamp(arguments[0])
    sys.argv = ["onseju", *arguments[1:]]
    main()


if __name__ == "__main__":
    run(sys.argv[1:])
