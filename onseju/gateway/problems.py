"""Refusals as HTTP: RFC 9457 problem documents. The only place where a reason becomes a status code."""

from __future__ import annotations

from typing import Any

import msgspec
from starlette.requests import HTTPConnection
from starlette.responses import Response

from onseju.contract.reasons import SENTENCES, Reason, Sentence

R = Reason

RULE_REFUSAL = 422
"""The status of every refusal by the market's rules: all reasons of the state machine that `STATUS` does not name."""

STATUS: dict[Reason, int] = {
    R.UNKNOWN_SYMBOL: 404,
    R.UNKNOWN_ACCOUNT: 404,
    R.ORDER_NOT_FOUND: 404,
    R.ORDER_DONE: 409,
    R.ACCOUNT_EXISTS: 409,
    R.SYMBOL_EXISTS: 409,
    R.CLIENT_ORDER_ID_REUSED: 409,
    R.VENUE_NOT_OPEN: 503,
    R.MALFORMED: 400,
    R.SEQ_AHEAD: 400,
    R.UNAUTHENTICATED: 401,
    R.WRONG_PASSWORD: 401,
    R.SESSION_ENDED: 401,
    R.FORBIDDEN: 403,
    R.CSRF_FAILED: 403,
    R.SIGN_UP_CLOSED: 403,
    R.NOT_FOUND: 404,
    R.METHOD_NOT_ALLOWED: 405,
    R.CONFLICT: 409,
    R.NAME_TAKEN: 409,
    R.BODY_TOO_LARGE: 413,
    R.UNSUPPORTED_MEDIA_TYPE: 415,
    R.UNKNOWN_HOST: 421,
    R.RATE_LIMITED: 429,
    R.STREAM_TOO_MANY: 429,
    R.OVERLOADED: 503,
    R.DISK_FULL: 503,
    R.USERS_UNAVAILABLE: 503,
    R.PROJECTION_BEHIND: 503,
    R.EXCHANGE_STOPPED: 503,
    R.INTERNAL: 500,
    R.KIS_NOT_SHARED: 403,
    R.KIS_UNAVAILABLE: 503,
    R.SIGNATURE_INVALID: 401,
    R.TIMESTAMP_OUTSIDE_WINDOW: 401,
    R.NONCE_USED: 401,
}

RETRYABLE = frozenset(
    {
        R.RATE_LIMITED,
        R.STREAM_TOO_MANY,
        R.OVERLOADED,
        R.DISK_FULL,
        R.USERS_UNAVAILABLE,
        R.PROJECTION_BEHIND,
        R.EXCHANGE_STOPPED,
        R.KIS_UNAVAILABLE,
    }
)
"""Sending the same again later may succeed."""

DEFAULT_RETRY_AFTER_S = 1


FIELD_SENTENCES: dict[str, Sentence] = {
    "unknown": Sentence("이 요청에 없는 항목입니다.", "This request has no such field."),
    "not_allowed": Sentence("이 요청에는 쓸 수 없는 항목입니다.", "This field does not go with the others."),
    "invalid_symbol": Sentence("종목 코드를 문자열로 입력해 주세요.", "The symbol must be a string like 005930."),
    "invalid_client_order_id": Sentence(
        "영문자, 숫자와 . _ : - 로 된 1~64자여야 합니다.", "It must be 1 to 64 letters, digits, or one of . _ : -"
    ),
    "invalid_seq": Sentence("0 이상의 정수로 보내 주세요.", "Send a whole number of at least 0."),
    "invalid_cursor": Sentence("이 목록의 커서가 아닙니다.", "This is not a cursor of this list."),
    "invalid_choice": Sentence("쓸 수 있는 값이 아닙니다.", "This is not one of the values that it may have."),
    "invalid_number": Sentence(
        "허용된 범위의 정수로 보내 주세요.", "Send a whole number in the range that is allowed."
    ),
    "invalid_time": Sentence(
        "2026-11-23T09:00:00Z 같은 RFC 3339 시각으로 보내 주세요.",
        "Send a time as RFC 3339, like 2026-11-23T09:00:00Z.",
    ),
    "missing": Sentence("꼭 있어야 하는 항목입니다.", "This is required."),
    "invalid_count": Sentence("한 번에 1~1,000건을 보낼 수 있습니다.", "Send 1 to 1,000 at once."),
    "invalid_json": Sentence("JSON으로 읽을 수 없습니다.", "The body is not JSON."),
    "invalid_utf8": Sentence("UTF-8로 읽을 수 없습니다.", "The body is not UTF-8."),
    "too_deep": Sentence("너무 깊이 중첩되어 있습니다.", "The body is nested too deeply."),
    "invalid_name": Sentence(
        "이름은 한글, 영문자, 숫자와 . _ - 로 된 2~32자여야 합니다.",
        "A name has 2 to 32 letters, digits, Korean syllables, or one of . _ -",
    ),
    "invalid_password": Sentence(
        "비밀번호는 8자 이상, 256바이트 이하여야 합니다.", "A password has at least 8 characters and at most 256 bytes."
    ),
    "invalid_key_name": Sentence("이름은 1~64자여야 합니다.", "A key's name has 1 to 64 characters."),
    "invalid_scopes": Sentence(
        "권한은 자기가 가진 것 중에서 하나 이상이어야 합니다.", "The scopes must be some of those that you have."
    ),
    "either_cash_or_shares": Sentence(
        "cash, 또는 symbol과 qty 중 한쪽만 보내 주세요.", "Send either cash, or symbol and qty."
    ),
    "more_than_open": Sentence("미체결 수량은 {most}주입니다.", "The order has {most} shares open; ask for no more."),
    "open_lots": Sentence(
        "미체결 수량은 {most}주입니다. 매매수량단위의 배수로 입력해 주세요.",
        "The order has {most} shares open; ask for whole lots, and for no more.",
    ),
    "no_auction": Sentence("단일가매매 중인 종목이 없습니다.", "No call auction is collecting orders there."),
    "not_halted": Sentence("거래가 정지된 종목이 없습니다.", "Nothing there is halted."),
    "already_halted": Sentence("이미 거래가 정지되어 있습니다.", "Everything there is halted already."),
    "stage_passed": Sentence(
        "오늘 이미 발동된 단계이거나 그보다 낮은 단계입니다.",
        "The circuit breaker has reached this stage, or a higher one, today already.",
    ),
    "cannot_move": Sentence(
        "거래가 정지되었거나 오늘 거래가 끝난 종목은 옮길 수 없습니다.",
        "What is there is halted (see resume), or closed for the day.",
    ),
    "invalid_day": Sentence(
        "지금 거래일보다 뒤이면서 31일을 넘지 않는 날짜여야 합니다.",
        "The day must be after the present trading day, and at most 31 days later.",
    ),
}
"""Sentences of the field codes that are not reasons."""


class FieldError(msgspec.Struct, frozen=True, omit_defaults=True):
    """What is wrong with one field of a request. Without a `detail`, the sentence of its code is filled in at the edge.

    `most` is the largest value that would do, where that is known.
    """

    field: str
    code: str
    detail: str = ""
    most: int | None = None

    def localized(self, language: str) -> FieldError:
        """The same with a sentence in `ko` or `en`."""
        if self.detail:
            return self
        texts = FIELD_SENTENCES.get(self.code) or SENTENCES[Reason.__members__.get(self.code.upper(), R.MALFORMED)]
        sentence = texts.ko if language == "ko" else texts.en
        if self.most is not None:
            sentence = sentence.format(most=self.most)
        return FieldError(self.field, self.code, sentence, self.most)


class ProblemBody(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The problem document (RFC 9457)."""

    type: str
    title: str
    status: int
    code: str
    detail: str
    instance: str
    retryable: bool
    retry_after_s: int | None = None
    """The `Retry-After` header, for where there are no headers: on the WebSocket, in a batch."""
    errors: list[FieldError] = []
    seq: int | None = None
    order: Any = None
    """The rejected order, where the refusal made one."""

    def __post_init__(self) -> None:
        if self.code != self.code.lower():
            raise ValueError("codes are lower case")


class Problem(Exception):  # it is the field's word, not an error in the program
    """A refusal, raised anywhere in the gateway and turned into its document at the edge."""

    def __init__(
        self,
        reason: Reason,
        *,
        detail: str | None = None,
        errors: list[FieldError] | None = None,
        retry_after_s: int | None = None,
        headers: dict[str, str] | None = None,
        order: Any = None,
        seq: int | None = None,
        status: int | None = None,
    ) -> None:
        super().__init__(reason.code)
        self.reason = reason
        self.status = status or STATUS.get(reason, RULE_REFUSAL)
        self.detail = detail
        self.errors = errors or []
        self.headers = dict(headers or {})
        self.order = order
        self.seq = seq
        self.retry_after_s: int | None = None
        if retry_after_s is not None or self.status in (429, 503):
            self.retry_after_s = retry_after_s or DEFAULT_RETRY_AFTER_S
            self.headers.setdefault("Retry-After", str(self.retry_after_s))

    def body(self, language: str, instance: str) -> ProblemBody:
        """The document in `ko` or `en`; `instance` is the request's id."""
        return ProblemBody(
            type=f"/docs/problems#{self.reason.code}",
            title=self.reason.code.replace("_", " "),
            status=self.status,
            code=self.reason.code,
            detail=self.detail or self.reason.sentence(language),
            instance=instance,
            retryable=self.reason in RETRYABLE,
            retry_after_s=self.retry_after_s,
            errors=[error.localized(language) for error in self.errors],
            seq=self.seq,
            order=self.order,
        )


def language_of(connection: HTTPConnection) -> str:
    """`ko` unless the client prefers English (`Accept-Language`). Korean is the product's first language."""
    header = connection.headers.get("accept-language", "")
    best, best_weight = "ko", 0.0
    for part in header[:200].split(","):
        tag, _, parameters = part.strip().partition(";")
        primary = tag.split("-")[0].lower()
        if primary not in ("ko", "en"):
            continue
        weight = 1.0
        if parameters.strip().startswith("q="):
            try:
                weight = float(parameters.strip()[2:])
            except ValueError:
                weight = 0.0
        if weight > best_weight:
            best, best_weight = primary, weight
    return best


def problem_response(connection: HTTPConnection, problem: Problem) -> Response:
    """The answer to a request that was refused."""
    body = problem.body(language_of(connection), getattr(connection.state, "request_id", ""))
    return Response(
        msgspec.json.encode(body),
        status_code=problem.status,
        headers=problem.headers,
        media_type="application/problem+json",
    )
