"""The projector's process, held back before it commits while a file `hold` lies beside its tables; `broken` makes it fail."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import Any

from onseju.projections.writer import Writer
from onseju.projector import main

beside = Path(sys.argv[sys.argv.index("--database") + 1]).parent
write = Writer.write


def held_write(*arguments: Any) -> None:
    write(*arguments)
    while (beside / "hold").exists():
        time.sleep(0.002)
    if (beside / "broken").exists():
        raise OSError("the disk is full")


Writer.write = held_write  # type: ignore[method-assign]
os._exit(main())
