"""The one list of reasons: why something was refused, canceled or cut off, with a sentence a person understands.

Numbers below 256 are the state machine's own and stand in events: never renumber one. From 256 on they are the
gateway's, which refuses before a command exists.
"""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple


class Reason(IntEnum):
    NONE = 0
    # an order's own form
    INVALID_QTY = 1
    INVALID_PRICE = 2
    INVALID_STOP_PRICE = 3
    INVALID_SIDE = 4
    INVALID_ORDER_TYPE = 5
    INVALID_TIME_IN_FORCE = 6
    AMOUNT_TOO_LARGE = 7
    # the market's rules
    PRICE_TICK = 16
    PRICE_LIMIT = 17
    QTY_LIMIT = 18
    MARKET_CLOSED = 19
    HALTED = 20
    ORDER_TYPE_NOT_ALLOWED = 21
    SELF_TRADE = 22
    NO_OPPOSITE_QUOTE = 23
    AUCTION_PENDING = 24
    NO_CLOSE = 25
    NOT_AT_CLOSE = 26
    # money and shares
    INSUFFICIENT_CASH = 32
    INSUFFICIENT_SHARES = 33
    TOO_MANY_OPEN_ORDERS = 34
    CASH_NOT_SETTLED = 35
    # what it refers to
    UNKNOWN_SYMBOL = 48
    UNKNOWN_ACCOUNT = 49
    ORDER_NOT_FOUND = 50
    ORDER_DONE = 51
    NOTHING_TO_CORRECT = 52
    ACCOUNT_EXISTS = 53
    SYMBOL_EXISTS = 54
    VENUE_NOT_OPEN = 55
    INVALID_COMMAND = 56
    # idempotency
    CLIENT_ORDER_ID_REUSED = 64
    TOO_MANY_CLIENT_IDS = 65
    # why an order ended though nobody asked
    IOC_REMAINDER = 80
    FOK_KILLED = 81
    MARKET_REMAINDER = 82
    CASH_RAN_OUT = 83
    DAY_ENDED = 84
    CORRECTED_TO_ZERO = 85
    MARKET_SESSION_ENDED = 86
    MIDPOINT_VOID = 87
    # why a phase changed though nobody asked
    VI_DYNAMIC = 96
    VI_STATIC = 97
    CIRCUIT_BREAKER = 98

    # the gateway's
    MALFORMED = 256
    UNAUTHENTICATED = 257
    FORBIDDEN = 258
    NOT_FOUND = 259
    METHOD_NOT_ALLOWED = 260
    CONFLICT = 261
    BODY_TOO_LARGE = 262
    UNSUPPORTED_MEDIA_TYPE = 263
    UNKNOWN_HOST = 264
    RATE_LIMITED = 265
    OVERLOADED = 266
    PROJECTION_BEHIND = 267
    SEQ_AHEAD = 268
    EXCHANGE_STOPPED = 269
    NAME_TAKEN = 270
    WRONG_PASSWORD = 271
    CSRF_FAILED = 272
    SIGN_UP_CLOSED = 273
    RESET = 274
    SLOW_CONSUMER = 275
    SESSION_ENDED = 276
    STREAM_TOO_MANY = 277
    INTERNAL = 278
    KIS_NOT_SHARED = 279
    KIS_UNAVAILABLE = 280
    DISK_FULL = 281
    USERS_UNAVAILABLE = 282
    SIGNATURE_INVALID = 290
    TIMESTAMP_OUTSIDE_WINDOW = 291
    NONCE_USED = 292

    @property
    def code(self) -> str:
        """The name in JSON: `PRICE_TICK` is `price_tick`."""
        return self.name.lower()

    def sentence(self, language: str) -> str:
        """The sentence for people, in `ko` or `en`."""
        texts = SENTENCES[self]
        return texts.ko if language == "ko" else texts.en


class Sentence(NamedTuple):
    ko: str
    en: str


R = Reason

SENTENCES: dict[Reason, Sentence] = {
    R.NONE: Sentence("", ""),
    R.INVALID_QTY: Sentence(
        "수량은 매매수량단위로 입력해 주세요. 보통 1주, ELW는 10주입니다.",
        "The quantity must be a whole number of lots: of 1 share as a rule, of 10 for ELWs.",
    ),
    R.INVALID_PRICE: Sentence(
        "가격은 1 이상의 정수로 입력해 주세요.", "The price must be a whole number of at least 1."
    ),
    R.INVALID_STOP_PRICE: Sentence(
        "스톱 가격은 1 이상의 정수로 입력해 주세요.", "The stop price must be a whole number of at least 1."
    ),
    R.INVALID_SIDE: Sentence("매수(buy) 또는 매도(sell)를 골라 주세요.", "The side must be buy or sell."),
    R.INVALID_ORDER_TYPE: Sentence("알 수 없는 주문 종류입니다.", "That order type is not known."),
    R.INVALID_TIME_IN_FORCE: Sentence(
        "알 수 없는 주문 조건입니다. day, ioc, fok 중에서 골라 주세요.",
        "The time in force must be day, ioc or fok.",
    ),
    R.AMOUNT_TOO_LARGE: Sentence("금액이나 수량이 너무 큽니다.", "The amount or quantity is too large."),
    R.PRICE_TICK: Sentence("호가 단위에 맞지 않는 가격입니다.", "The price is not on the tick grid of its price band."),
    R.PRICE_LIMIT: Sentence(
        "오늘의 상한가와 하한가 사이에서만 주문할 수 있습니다.",
        "The price is outside today's upper and lower limits.",
    ),
    R.QTY_LIMIT: Sentence(
        "한 번에 주문할 수 있는 수량을 넘었습니다.", "The quantity is above the most that one order may have."
    ),
    R.MARKET_CLOSED: Sentence("지금은 주문을 받지 않는 시간입니다.", "The market does not take orders now."),
    R.HALTED: Sentence(
        "거래가 정지된 종목입니다. 취소만 할 수 있습니다.", "Trading is halted. Only cancels are accepted."
    ),
    R.ORDER_TYPE_NOT_ALLOWED: Sentence(
        "지금은 이 종류의 주문을 낼 수 없습니다.", "This order type or condition is not accepted now."
    ),
    R.SELF_TRADE: Sentence(
        "자기 주문끼리 체결되는 주문이어서 취소되었습니다.",
        "It would have traded with an order of the same account.",
    ),
    R.NO_OPPOSITE_QUOTE: Sentence("상대편 호가가 없습니다.", "There is no quote on the other side."),
    R.AUCTION_PENDING: Sentence(
        "단일가매매에서 체결될 주문이 남아 있습니다. 먼저 체결해 주세요.",
        "Orders that the auction collected still cross. Uncross it first.",
    ),
    R.NO_CLOSE: Sentence(
        "체결로 정해진 종가가 없어 시간외종가로 거래할 수 없는 종목입니다.",
        "No trade has fixed a closing price, so there is none to trade at.",
    ),
    R.NOT_AT_CLOSE: Sentence(
        "시간외종가 시간에는 종가로만 주문할 수 있습니다.",
        "In this session all orders are at the closing price.",
    ),
    R.INSUFFICIENT_CASH: Sentence("주문에 필요한 현금이 모자랍니다.", "There is not enough free cash for this order."),
    R.INSUFFICIENT_SHARES: Sentence("팔 수 있는 수량이 모자랍니다.", "There are not enough free shares to sell."),
    R.TOO_MANY_OPEN_ORDERS: Sentence(
        "미체결 주문이 너무 많습니다. 일부를 취소해 주세요.",
        "There are too many open orders. Cancel some first.",
    ),
    R.CASH_NOT_SETTLED: Sentence(
        "아직 결제되지 않은 돈은 출금할 수 없습니다.", "Proceeds that are not settled yet cannot be withdrawn."
    ),
    R.UNKNOWN_SYMBOL: Sentence("없는 종목입니다.", "There is no such instrument."),
    R.UNKNOWN_ACCOUNT: Sentence("없는 계좌입니다.", "There is no such account."),
    R.ORDER_NOT_FOUND: Sentence("그런 주문이 없습니다.", "There is no such order."),
    R.ORDER_DONE: Sentence(
        "이미 체결되었거나 취소된 주문입니다.",
        "The order is already done: filled, canceled, rejected or expired.",
    ),
    R.NOTHING_TO_CORRECT: Sentence(
        "바뀌는 것이 없습니다. 다른 가격이나 수량을 입력해 주세요.",
        "Nothing would change. Give another price or quantity.",
    ),
    R.ACCOUNT_EXISTS: Sentence("이미 있는 계좌입니다.", "The account exists already."),
    R.SYMBOL_EXISTS: Sentence("이미 있는 종목입니다.", "The instrument is listed already."),
    R.VENUE_NOT_OPEN: Sentence("거래소가 아직 열리지 않았습니다.", "The venue is not open yet."),
    R.INVALID_COMMAND: Sentence("처리할 수 없는 명령입니다.", "The command cannot be carried out."),
    R.CLIENT_ORDER_ID_REUSED: Sentence(
        "같은 client_order_id로 다른 내용의 요청이 이미 있었습니다.",
        "This client_order_id was already used for a different request.",
    ),
    R.TOO_MANY_CLIENT_IDS: Sentence(
        "이 계좌가 오늘 쓸 수 있는 client_order_id를 모두 썼습니다. 다음 거래일에 다시 쓸 수 있습니다.",
        "The account has used all the client_order_ids that it may use today. There are new ones on the next trading day.",
    ),
    R.IOC_REMAINDER: Sentence("IOC 주문의 남은 수량이 취소되었습니다.", "The rest of the IOC order was canceled."),
    R.FOK_KILLED: Sentence(
        "전량 체결할 수 없어 FOK 주문이 취소되었습니다.",
        "The FOK order could not fill whole and was canceled.",
    ),
    R.MARKET_REMAINDER: Sentence(
        "체결할 상대 호가가 더 없어 시장가 주문의 남은 수량이 취소되었습니다.",
        "The rest of the market order was canceled: nothing was left to trade with.",
    ),
    R.CASH_RAN_OUT: Sentence(
        "현금이 모자라 시장가 주문의 남은 수량이 취소되었습니다.",
        "The rest of the market order was canceled: the cash ran out.",
    ),
    R.DAY_ENDED: Sentence("장이 끝나 당일 주문이 종료되었습니다.", "The day order ended with the trading day."),
    R.CORRECTED_TO_ZERO: Sentence("수량을 0으로 정정하여 취소되었습니다.", "The order was corrected to nothing open."),
    R.MARKET_SESSION_ENDED: Sentence(
        "그 시간대의 거래가 끝나 주문이 종료되었습니다.",
        "The order ended with its session: orders move neither into nor out of off-hours trading.",
    ),
    R.MIDPOINT_VOID: Sentence(
        "종가 단일가매매에는 중간가 주문이 참여하지 않아 취소되었습니다.",
        "Midpoint orders take no part in the closing auction, so it was canceled.",
    ),
    R.VI_DYNAMIC: Sentence(
        "직전 체결가에서 크게 벗어나 동적 변동성완화장치(VI)가 발동되었습니다.",
        "A dynamic volatility interruption: the next trade would have been too far from the last price.",
    ),
    R.VI_STATIC: Sentence(
        "단일가에서 크게 벗어나 정적 변동성완화장치(VI)가 발동되었습니다.",
        "A static volatility interruption: the next trade would have been too far from the last auction's price.",
    ),
    R.CIRCUIT_BREAKER: Sentence("서킷브레이커가 발동되었습니다.", "The circuit breaker was triggered."),
    R.MALFORMED: Sentence("요청의 형식이 올바르지 않습니다.", "The request is malformed."),
    R.UNAUTHENTICATED: Sentence("로그인하거나 API 키를 보내 주세요.", "Log in, or send an API key."),
    R.FORBIDDEN: Sentence("이 작업을 할 권한이 없습니다.", "This key or session may not do that."),
    R.NOT_FOUND: Sentence("찾을 수 없습니다.", "There is nothing here."),
    R.METHOD_NOT_ALLOWED: Sentence("이 주소에서 쓸 수 없는 방식입니다.", "This address does not take that method."),
    R.CONFLICT: Sentence("지금 상태와 맞지 않는 요청입니다.", "The request does not fit the present state."),
    R.BODY_TOO_LARGE: Sentence("보낸 내용이 너무 큽니다.", "The body is too large."),
    R.UNSUPPORTED_MEDIA_TYPE: Sentence("JSON으로 보내 주세요.", "Send the body as application/json."),
    R.UNKNOWN_HOST: Sentence("이 서버가 모르는 주소(Host)입니다.", "The server does not answer for that Host."),
    R.RATE_LIMITED: Sentence(
        "요청이 너무 잦습니다. 잠시 뒤에 다시 보내 주세요.", "Too many requests. Try again shortly."
    ),
    R.OVERLOADED: Sentence(
        "거래소가 붐빕니다. 잠시 뒤에 다시 보내 주세요.", "The exchange is busy. Try again shortly."
    ),
    R.DISK_FULL: Sentence(
        "거래소의 저장 공간이 가득 찼습니다. 새 주문은 받을 수 없고, 취소와 조회는 됩니다.",
        "The exchange's disk is full. It takes no new orders until there is room; cancels and reads go on.",
    ),
    R.USERS_UNAVAILABLE: Sentence(
        "사용자 정보를 잠시 읽거나 쓸 수 없습니다. 잠시 뒤에 다시 시도해 주세요. 쓰고 있는 키와 주문은 그대로입니다.",
        "Users and keys cannot be read or written just now. Try again shortly; orders and keys in use go on.",
    ),
    R.PROJECTION_BEHIND: Sentence(
        "조회가 아직 따라오지 못했습니다. 잠시 뒤에 다시 조회해 주세요.",
        "The read side has not caught up yet. Try again shortly.",
    ),
    R.SEQ_AHEAD: Sentence("아직 없는 순번입니다.", "That sequence number does not exist yet."),
    R.EXCHANGE_STOPPED: Sentence("거래소가 멈추어 있습니다.", "The exchange has stopped."),
    R.NAME_TAKEN: Sentence("이미 쓰이는 이름입니다.", "That name is taken."),
    R.WRONG_PASSWORD: Sentence("이름이나 비밀번호가 맞지 않습니다.", "The name or the password is wrong."),
    R.CSRF_FAILED: Sentence("CSRF 토큰이 없거나 맞지 않습니다.", "The CSRF token is missing or wrong."),
    R.SIGN_UP_CLOSED: Sentence("지금은 가입을 받지 않습니다.", "Sign-up is closed."),
    R.RESET: Sentence("처음부터 다시 읽어 주세요.", "Read everything anew."),
    R.SLOW_CONSUMER: Sentence(
        "받는 속도가 너무 느려 연결을 끊었습니다.", "The connection read too slowly and was cut."
    ),
    R.SESSION_ENDED: Sentence("로그인이 끝났습니다.", "The session has ended."),
    R.STREAM_TOO_MANY: Sentence("열린 스트림이 너무 많습니다.", "There are too many open streams."),
    R.KIS_NOT_SHARED: Sentence(
        "한국투자증권 시세는 이 거래소의 운영자만 직접 받을 수 있습니다.",
        "Only this exchange's host may take Korea Investment's prices directly.",
    ),
    R.KIS_UNAVAILABLE: Sentence(
        "한국투자증권에서 접속키를 받지 못했습니다. 잠시 뒤에 다시 시도합니다.",
        "Korea Investment gave no approval key. Try again shortly.",
    ),
    R.SIGNATURE_INVALID: Sentence(
        "요청의 서명이 맞지 않습니다.", "The request's signature is not right, or one of its headers is missing."
    ),
    R.TIMESTAMP_OUTSIDE_WINDOW: Sentence(
        "요청의 시각이 서버의 시각과 5초 넘게 다릅니다. 컴퓨터의 시계를 맞춰 주세요.",
        "The request's time is more than 5 s from the server's. Set the machine's clock, and send it anew.",
    ),
    R.NONCE_USED: Sentence(
        "이미 쓴 nonce입니다. 요청마다 새로 만들어 주세요.",
        "This nonce was used before. Make a new one for each request.",
    ),
    R.INTERNAL: Sentence("서버에 문제가 있습니다.", "Something is wrong in the server."),
}

CODES = [
    Reason(number).code if number and number in Reason._value2member_map_ else "" for number in range(max(Reason) + 1)
]
"""The reasons' codes by number; empty where there is none, and for no reason."""
