"""The page's copy of the reasons is the exchange's list: a forecast and the refusal that it foretells say the same."""

from __future__ import annotations

import json
from pathlib import Path

from onseju.contract.reasons import SENTENCES, Reason

PAGE = Path(__file__).resolve().parents[2] / "web" / "src" / "model" / "reasons.json"


def test_every_reason_has_the_exchanges_own_sentences() -> None:
    told = json.loads(PAGE.read_text("utf-8"))
    expected = {
        reason.code: {"ko": SENTENCES[reason].ko, "en": SENTENCES[reason].en}
        for reason in Reason
        if reason is not Reason.NONE
    }
    assert told == expected, "call: python web/tools/write_reasons.py"
