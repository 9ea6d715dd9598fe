"""KIS's codes for where the trading day stands, from our phases."""

from __future__ import annotations

from typing import NamedTuple

from onseju.contract.words import Phase


class PhaseCodes(NamedTuple):
    """What the records of a phase carry."""

    session: str
    """신 장운영 구분 코드: first 1 장개시전, 2 장중, 3 장종료후; second 0 보통, 1 종가."""
    hour: str
    """시간 구분 코드: 0 장중, B 장전예상, A 장후예상, C 9시 이후 예상 (VI)."""
    market: str = "2"
    """장구분코드: 2 정규장, 3 애프터마켓."""


CODES: dict[Phase, PhaseCodes] = {
    Phase.PRE_OPEN: PhaseCodes("10", "B"),
    Phase.OPENING_AUCTION: PhaseCodes("10", "B"),
    Phase.CONTINUOUS: PhaseCodes("20", "0"),
    Phase.VI_AUCTION: PhaseCodes("20", "C"),
    Phase.RESUMPTION_AUCTION: PhaseCodes("20", "C"),
    Phase.HALTED: PhaseCodes("20", "0"),
    Phase.CLOSING_AUCTION: PhaseCodes("21", "A"),
    Phase.CLOSED: PhaseCodes("30", "0"),
    Phase.AFTER_HOURS: PhaseCodes("30", "0", "3"),
    Phase.CLOSE_PRICE_RECEPTION: PhaseCodes("31", "0"),
    Phase.CLOSE_PRICE: PhaseCodes("31", "0"),
    Phase.PREVIOUS_CLOSE: PhaseCodes("11", "B"),
}
