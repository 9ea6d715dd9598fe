"""Writes web/src/model/reasons.json: the exchange's reasons, with their sentences, for the page's catalogue."""

from __future__ import annotations

import json
from pathlib import Path

from onseju.contract.reasons import SENTENCES, Reason

TARGET = Path(__file__).resolve().parents[1] / "src" / "model" / "reasons.json"


def reasons_json() -> str:
    """The file's text."""
    told = {
        reason.code: {"ko": SENTENCES[reason].ko, "en": SENTENCES[reason].en}
        for reason in Reason
        if reason is not Reason.NONE
    }
    return json.dumps(told, ensure_ascii=False, indent=2) + "\n"


if __name__ == "__main__":
    TARGET.write_text(reasons_json(), "utf-8")
