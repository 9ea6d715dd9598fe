"""The one catalogue of the story's sentences, Korean and English. The page shows the same (`web/src/model/story.json`).

A sentence's parameters are named in braces; what follows the last underscore of a name says what it is, and so how it is
written (`wording.write` here, the same in the page):

    …_price   a price in the venue's unit, or an average as a decimal string    71,300원    ₩71,300    ($41.25 with cents)
    …_qty     shares                                                            100주       100
    …_count   how many of something                                             3           3
    …_number  a name in digits, never grouped                                   1042        1042
    …_time    RFC 3339, shown as the time of day in Korea                       15:20:00    15:20:00
    …_word    a key of `WORDS`                                                  매수         buy
    …_reason  a code of the contract's reasons, written as its whole sentence
"""

from __future__ import annotations

from onseju.contract.reasons import Sentence

S = Sentence

WORDS: dict[str, Sentence] = {
    "buy": S("매수", "buy"),
    "sell": S("매도", "sell"),
    "limit": S("지정가", "limit"),
    "market": S("시장가", "market"),
    "conditional_limit": S("조건부지정가", "conditional limit"),
    "best_opposite": S("최유리지정가", "best opposite"),
    "best_same": S("최우선지정가", "best same"),
    "midpoint": S("중간가", "midpoint"),
    "stop_limit": S("스톱지정가", "stop limit"),
    "stop": S("스톱", "stop"),
    "pre_open": S("장 시작 전", "before the open"),
    "opening_auction": S("시가 단일가", "the opening auction"),
    "continuous": S("접속매매", "continuous trading"),
    "closing_auction": S("종가 단일가", "the closing auction"),
    "vi_auction": S("VI 단일가", "the VI auction"),
    "closed": S("장 마감", "closed"),
    "halted": S("거래 정지", "halted"),
    "after_hours": S("시간외 거래", "after-hours trading"),
    "resumption_auction": S("재개 단일가", "the resumption auction"),
    "close_price": S("시간외종가", "trading at the close"),
    "close_price_reception": S("시간외종가 접수", "the reception for trading at the close"),
    "previous_close": S("장전 시간외종가", "trading at yesterday's close"),
}
"""Terms that stand in sentences."""

ANSWERS: dict[str, Sentence] = {
    # done
    "filled": S(
        "{filled_qty}가 모두 체결되었습니다. 평균 체결가는 {average_price}입니다.",
        "All {filled_qty} filled, at {average_price} on average.",
    ),
    "rejected": S("주문이 거절되었습니다. {reject_reason}", "The order was refused. {reject_reason}"),
    "canceled_by_owner": S(
        "요청에 따라 {canceled_qty}가 취소되었습니다. 그 전에 체결된 수량은 {filled_qty}입니다.",
        "It was canceled on request: {canceled_qty} taken out, {filled_qty} filled before.",
    ),
    "corrected_to_zero": S(
        "수량을 0으로 정정하여 취소되었습니다. 그 전에 체결된 수량은 {filled_qty}입니다.",
        "It was corrected to nothing open, which cancels it; {filled_qty} filled before.",
    ),
    "moved": S(
        "정정으로 남은 수량이 모두 새 주문 {moved_number}번으로 옮겨졌습니다.",
        "A correction moved all that was open to the new order {moved_number}.",
    ),
    "ioc_nothing": S(
        "들어온 순간 체결할 수 있는 상대 주문이 없어, IOC 조건에 따라 {canceled_qty}가 취소되었습니다.",
        "Nothing could trade with it the moment it came, so IOC canceled {canceled_qty}.",
    ),
    "ioc_remainder": S(
        "{filled_qty}는 바로 체결되었고, 나머지 {canceled_qty}는 상대 주문이 모자라 IOC 조건에 따라 취소되었습니다.",
        "{filled_qty} filled at once; there was no more to trade with, so IOC canceled the other {canceled_qty}.",
    ),
    "ioc_interrupted": S(
        "다음 체결이 변동성완화장치(VI)에 걸려, IOC 조건에 따라 {canceled_qty}가 취소되었습니다.",
        "The next trade would have been too far away (VI), so IOC canceled {canceled_qty}.",
    ),
    "fok_killed": S(
        "{order_qty} 전량을 한 번에 체결할 수 없어, FOK 조건에 따라 취소되었습니다.",
        "Not all {order_qty} could fill at once, so FOK canceled it.",
    ),
    "market_remainder": S(
        "체결할 상대 주문이 더 없어 시장가 주문의 {canceled_qty}가 취소되었습니다. 체결된 수량은 {filled_qty}입니다.",
        "Nothing was left to trade with, so {canceled_qty} of the market order were canceled; {filled_qty} filled.",
    ),
    "cash_ran_out": S(
        "현금이 모자라 {canceled_qty}가 취소되었습니다. 체결된 수량은 {filled_qty}입니다.",
        "The cash ran out, so {canceled_qty} were canceled; {filled_qty} filled.",
    ),
    "conversion_cash": S(
        "종가 단일가에서 시장가로 바뀔 때 현금이 모자라 {canceled_qty}가 취소되었습니다. 체결된 수량은 {filled_qty}입니다.",
        "Too little cash to become a market order of the closing auction: {canceled_qty} were canceled, {filled_qty} filled.",
    ),
    "self_trade": S(
        "같은 계좌의 주문과 체결될 주문이어서 {canceled_qty}가 취소되었습니다.",
        "It would have traded with an order of the same account, so {canceled_qty} were canceled.",
    ),
    "midpoint_void": S(
        "중간가 주문은 종가 단일가에 참여하지 않아 {canceled_qty}가 취소되었습니다.",
        "Midpoint orders take no part in the closing auction, so {canceled_qty} were canceled.",
    ),
    "day_ended": S(
        "당일 주문이어서 장이 끝날 때 {canceled_qty}가 종료되었습니다. 체결된 수량은 {filled_qty}입니다.",
        "A day order: {canceled_qty} ended with the trading day, {filled_qty} filled.",
    ),
    "day_ended_unreached": S(
        "체결가가 {limit_price}에 닿지 않은 채 장이 끝나 종료되었습니다. 가장 가까운 체결가는 {nearest_price}이었습니다.",
        "The day ended and no trade had reached {limit_price}; the nearest was at {nearest_price}.",
    ),
    "day_ended_in_line": S(
        "{limit_price}에 {traded_qty}가 체결되었지만 앞선 주문이 먼저 체결되었고, 순서가 오기 전에 장이 끝났습니다.",
        "{traded_qty} traded at {limit_price}, all with orders ahead of it, and the day ended before its turn.",
    ),
    "day_ended_asleep": S(
        "체결가가 스톱 가격 {stop_price}에 닿지 않아 잠든 채로 장이 끝났습니다.",
        "The day ended and no trade had reached its stop of {stop_price}: it never woke.",
    ),
    "session_ended": S(
        "정규장과 시간외 거래 사이에는 주문이 넘어가지 않아 {canceled_qty}가 종료되었습니다. 체결된 수량은 {filled_qty}입니다.",
        "Orders move neither into nor out of off-hours trading: {canceled_qty} ended, {filled_qty} filled.",
    ),
    "ended": S("{end_reason} 체결된 수량은 {filled_qty}입니다.", "{end_reason} {filled_qty} filled before."),
    # open: nothing trades now
    "halted": S(
        "거래가 정지되어 지금은 아무 주문도 체결되지 않습니다. 주문은 그대로 남아 있습니다.",
        "Trading is halted: nothing fills now. The order stays as it is.",
    ),
    "circuit_breaker": S(
        "서킷브레이커로 거래가 멈추어 지금은 아무 주문도 체결되지 않습니다. 주문은 그대로 남아 있습니다.",
        "The circuit breaker has stopped trading: nothing fills now. The order stays as it is.",
    ),
    "not_open": S(
        "지금은 매매하는 시간이 아니어서 체결되지 않습니다. 주문은 그대로 남아 있습니다.",
        "The market is not trading now. The order stays as it is.",
    ),
    "close_reception": S(
        "시간외종가를 접수하고 있습니다. 매매가 시작되면 {limit_price}에 접수 순서대로 체결됩니다.",
        "Orders at the close are being received. When trading begins they fill at {limit_price} in the order of time.",
    ),
    # open: an auction collects
    "auction_no_match": S(
        "지금은 {phase_word} 시간이어서 주문을 모으고 있습니다. 아직 체결될 가격이 없습니다.",
        "Orders are being collected for {phase_word}. No price would match yet.",
    ),
    "auction_would_fill": S(
        "지금은 {phase_word} 시간이어서 주문을 모으고 있습니다. 예상체결가 {indicative_price}이면 이 주문은 체결될 수 있습니다.",
        "Orders are being collected for {phase_word}. At the indicative {indicative_price} this order could fill.",
    ),
    "auction_at_price": S(
        "지금은 {phase_word} 시간입니다. 예상체결가가 이 주문의 가격 {limit_price}과 같아, 앞선 주문부터 체결됩니다.",
        "Orders are being collected for {phase_word}. The indicative price is its own {limit_price}: those ahead fill first.",
    ),
    "auction_beyond": S(
        "지금은 {phase_word} 시간입니다. 예상체결가 {indicative_price}이면 {limit_price}인 이 주문은 체결되지 않습니다.",
        "Orders are being collected for {phase_word}. At the indicative {indicative_price} this order at {limit_price} would not fill.",
    ),
    # open: waiting
    "asleep": S(
        "스톱 가격 {stop_price}에 체결가가 닿을 때까지 잠들어 있습니다. 지금 체결가는 {last_price}입니다.",
        "It sleeps until a trade reaches its stop of {stop_price}. The last was at {last_price}.",
    ),
    "asleep_untraded": S(
        "스톱 가격 {stop_price}에 체결가가 닿을 때까지 잠들어 있습니다.",
        "It sleeps until a trade reaches its stop of {stop_price}.",
    ),
    "midpoint_suspended": S(
        "한쪽 호가가 없거나 단일가 시간이어서 중간가 주문은 쉬고 있습니다.",
        "Midpoint orders rest while a side has no quote or an auction collects.",
    ),
    "midpoint_waiting": S(
        "최우선 매수와 매도 호가의 가운데 가격에 거래할 상대를 기다립니다.",
        "It waits for somebody to trade half way between the best bid and ask.",
    ),
    "market_waiting": S(
        "상대편 주문이 없어 시장가 주문이 기다리고 있습니다.",
        "There is no order on the other side, so the market order waits.",
    ),
    "in_line": S(
        "{limit_price}에서 {ahead_qty}가 앞에 있습니다. 이만큼 체결되거나 취소되면 차례가 옵니다.",
        "{ahead_qty} are ahead of it at {limit_price}. Its turn comes once these are filled or canceled.",
    ),
    "first_in_line": S(
        "{limit_price}에서 가장 앞에 있습니다. 이 가격에 거래할 상대를 기다립니다.",
        "It is first in line at {limit_price} and waits for somebody to trade there.",
    ),
    "better_prices_first": S(
        "더 유리한 가격의 주문이 있습니다. 지금 최우선 호가는 {best_price}이고 이 주문은 {limit_price}입니다.",
        "Orders at better prices go first: the best is {best_price}, this one stands at {limit_price}.",
    ),
    "price_not_reached": S(
        "체결가가 아직 {limit_price}에 닿지 않았습니다. 지금까지 가장 가까운 체결가는 {nearest_price}입니다.",
        "No trade has reached {limit_price} yet; the nearest was at {nearest_price}.",
    ),
}
"""Why an order has not filled, or how it ended: the most important reason now."""

HAPPENINGS: dict[str, Sentence] = {
    # the order's own life
    "refused": S("주문이 거절되었습니다. {reject_reason}", "The order was refused. {reject_reason}"),
    "entered": S("{order_qty} 주문이 접수되었습니다.", "The order for {order_qty} was accepted."),
    "entered_line": S(
        "{limit_price}에 접수되어 {ahead_qty} 뒤에 섰습니다.", "It entered at {limit_price}, behind {ahead_qty}."
    ),
    "entered_first": S(
        "{limit_price}에 접수되어 이 가격에서 맨 앞에 섰습니다.", "It entered at {limit_price}, first in line there."
    ),
    "entered_asleep": S(
        "접수되어 체결가가 {stop_price}에 닿을 때까지 잠들었습니다.",
        "It entered, and sleeps until a trade reaches {stop_price}.",
    ),
    "filled": S("{fill_price}에 {fill_qty}가 체결되었습니다.", "{fill_qty} filled at {fill_price}."),
    "filled_auction": S(
        "단일가 {fill_price}에 {fill_qty}가 체결되었습니다.", "{fill_qty} filled in the auction at {fill_price}."
    ),
    "woke_limit": S(
        "체결가가 {stop_price}에 닿아 깨어나, {limit_price} 지정가 주문이 되었습니다.",
        "A trade reached {stop_price}: it woke as a limit order at {limit_price}.",
    ),
    "woke_market": S(
        "체결가가 {stop_price}에 닿아 깨어나, 시장가 주문이 되었습니다.",
        "A trade reached {stop_price}: it woke as a market order.",
    ),
    "converted": S(
        "조건부지정가 주문의 남은 {leaves_qty}가 종가 단일가의 시장가 주문이 되었습니다.",
        "The conditional order's {leaves_qty} became a market order of the closing auction.",
    ),
    "corrected_price": S(
        "{limit_price}으로 정정하여 그 가격의 맨 뒤로 갔습니다. 앞에 {ahead_qty}가 있었습니다.",
        "It was corrected to {limit_price} and went to the back there, behind {ahead_qty}.",
    ),
    "repriced": S("{limit_price}으로 정정했습니다.", "It was corrected to {limit_price}."),
    "corrected_type": S(
        "{type_word} 주문으로 정정하여 순서가 새로 정해졌습니다.",
        "It was corrected to a {type_word} order and lost its place.",
    ),
    "corrected_stop": S("스톱 가격을 {stop_price}으로 정정했습니다.", "Its stop was corrected to {stop_price}."),
    "corrected_up": S(
        "수량을 {leaves_qty}로 늘려 맨 뒤로 갔습니다. 앞에 {ahead_qty}가 있었습니다.",
        "It was raised to {leaves_qty} and went to the back, behind {ahead_qty}.",
    ),
    "corrected_down": S(
        "수량을 {leaves_qty}로 줄였고 순서는 그대로입니다.", "It was reduced to {leaves_qty} and kept its place."
    ),
    "corrected": S("주문이 정정되었습니다.", "The order was corrected."),
    "moved": S(
        "정정한 {moved_qty}가 새 주문 {moved_number}번이 되어 맨 뒤로 갔습니다. 남은 수량의 순서는 그대로입니다.",
        "{moved_qty} were corrected and became order {moved_number}, at the back; what stays kept its place.",
    ),
    "correction_refused": S(
        "정정이 거절되어 주문은 그대로입니다. {refuse_reason}",
        "A correction was refused; the order stayed as it was. {refuse_reason}",
    ),
    "cancel_refused": S(
        "취소가 거절되어 주문은 그대로입니다. {refuse_reason}",
        "A cancel was refused; the order stayed as it was. {refuse_reason}",
    ),
    "canceled_part": S(
        "일부가 취소되어 {leaves_qty}가 남았고 순서는 그대로입니다.",
        "A part was canceled; {leaves_qty} stayed and kept their place.",
    ),
    "canceled": S("남은 수량이 요청에 따라 취소되었습니다.", "What was open was canceled on request."),
    "cut": S(
        "{end_reason} 남은 수량은 {leaves_qty}입니다.",
        "{end_reason} {leaves_qty} stayed open.",
    ),
    "ended": S("{end_reason}", "{end_reason}"),
    # trades that passed it by
    "traded_above": S(
        "더 비싼 가격에 {traded_qty}가 체결되었습니다. 이 주문의 가격 {limit_price}에 가장 가까운 체결가는 {nearest_price}입니다.",
        "{traded_qty} traded at higher prices than its {limit_price}; the nearest was {nearest_price}.",
    ),
    "traded_below": S(
        "더 싼 가격에 {traded_qty}가 체결되었습니다. 이 주문의 가격 {limit_price}에 가장 가까운 체결가는 {nearest_price}입니다.",
        "{traded_qty} traded at lower prices than its {limit_price}; the nearest was {nearest_price}.",
    ),
    "traded_ahead": S(
        "{limit_price}에 {traded_qty}가 먼저 온 주문과 체결되었습니다.",
        "{traded_qty} traded at {limit_price} with orders that came first.",
    ),
    "traded_market_first": S(
        "{last_price}에 {traded_qty}가 시장가 주문과 먼저 체결되었습니다. 시장가는 지정가보다 앞섭니다.",
        "{traded_qty} traded at {last_price} with market orders, which go before limit orders.",
    ),
    "traded_pool": S(
        "{limit_price}에 {traded_qty}가 동시호가로 배분되었습니다. 이때는 시간이 아니라 수량이 많은 주문부터 나눕니다.",
        "{traded_qty} at the daily limit of {limit_price} were divided among all orders there, the largest first, not by time.",
    ),
    "traded_past_unpriced": S(
        "{traded_qty}가 우선순위가 앞선 주문과 체결되었습니다. 마지막 체결가는 {last_price}입니다.",
        "{traded_qty} traded with orders of higher priority, the last at {last_price}.",
    ),
    "traded_asleep": S(
        "잠든 동안 {traded_qty}가 체결되었습니다. 스톱 가격 {stop_price}에 가장 가까운 체결가는 {nearest_price}입니다.",
        "{traded_qty} traded while it slept; the nearest to its stop of {stop_price} was {nearest_price}.",
    ),
    "ahead_canceled": S(
        "앞에 있던 {canceled_qty}가 취소되거나 정정되어 빠졌습니다.",
        "{canceled_qty} ahead of it were canceled or corrected away.",
    ),
    # what the rules did
    "auction_filled": S(
        "단일가가 {auction_price}에 {auction_qty}로 체결되었습니다.",
        "The auction matched {auction_qty} at {auction_price}.",
    ),
    "auction_above": S(
        "단일가가 이 주문의 가격 {limit_price}보다 높은 {auction_price}에 체결되었습니다.",
        "The auction matched at {auction_price}, above its {limit_price}.",
    ),
    "auction_below": S(
        "단일가가 이 주문의 가격 {limit_price}보다 낮은 {auction_price}에 체결되었습니다.",
        "The auction matched at {auction_price}, below its {limit_price}.",
    ),
    "auction_at_limit": S(
        "단일가가 이 주문의 가격인 {limit_price}에 {auction_qty}로 체결되었습니다. 더 유리한 가격, 시장가, 먼저 온 주문의 순서로 체결됩니다.",
        "The auction matched {auction_qty} at its own {limit_price}: better prices, market orders and earlier orders go first.",
    ),
    "auction_no_match": S("단일가에서 체결된 수량이 없었습니다.", "The auction matched nothing."),
    "auction_extended": S(
        "단일가 {auction_price}이 변동성완화장치(VI)에 걸려 주문 접수가 연장되었습니다.",
        "The auction's {auction_price} set off a VI: it goes on collecting orders.",
    ),
    "phase": S("장 상태가 바뀌었습니다: {phase_word}.", "The phase changed: {phase_word}."),
    "phase_continuous": S("접속매매가 시작되었습니다.", "Continuous trading began."),
    "phase_auction": S(
        "{phase_word} 주문 접수가 시작되었습니다. 끝날 때 한 가격으로 체결됩니다.",
        "Orders are collected for {phase_word}; they match at one price when it ends.",
    ),
    "phase_vi": S(
        "{vi_reason} 2분 동안 주문을 모아 한 가격으로 체결합니다.",
        "{vi_reason} Orders are collected for two minutes and match at one price.",
    ),
    "phase_halted": S("거래가 정지되었습니다.", "Trading was halted."),
    "phase_circuit_breaker": S("서킷브레이커로 거래가 멈추었습니다.", "The circuit breaker stopped trading."),
    "phase_closed": S("장이 마감되었습니다.", "The market closed."),
}
"""What happened, from events."""

OPTIONS: dict[str, Sentence] = {
    "correct_to_opposite": S(
        "{opposite_price}으로 정정하면 지금 {fillable_qty}가 바로 체결될 수 있습니다. 지금 순서는 잃습니다.",
        "Correct it to {opposite_price}: {fillable_qty} could fill at once. It loses its place.",
    ),
    "correct_to_opposite_part": S(
        "{opposite_price}으로 정정하면 {fillable_qty}는 바로 체결될 수 있고, {rest_qty}는 그 가격에서 기다립니다. 지금 순서는 잃습니다.",
        "Correct it to {opposite_price}: {fillable_qty} could fill at once, {rest_qty} would wait there. It loses its place.",
    ),
    "correct_to_best": S(
        "{best_price}으로 정정하면 최우선 호가의 맨 뒤에 섭니다. 앞에 {ahead_qty}가 있고, 지금 순서는 잃습니다.",
        "Correct it to {best_price}: it joins the best price at the back, behind {ahead_qty}. It loses its place.",
    ),
    "correct_to_indicative": S(
        "{indicative_price}으로 정정하면 지금의 예상체결가에서 체결될 수 있습니다. 순서는 그 가격의 맨 뒤입니다.",
        "Correct it to {indicative_price}, the indicative price: it could fill there, at the back of the line.",
    ),
    "correct_stop": S(
        "스톱 가격을 정정하면 더 일찍 깨어나게 할 수 있습니다. 깨어나는 순서는 맨 뒤가 됩니다.",
        "Correct the stop so that it wakes earlier; it goes to the back of those that wake there.",
    ),
    "reduce": S("수량만 줄이면 순서가 그대로입니다.", "Reducing only the quantity keeps its place."),
    "wait_in_line": S(
        "기다리면 앞의 {ahead_qty}가 체결되거나 취소된 다음 차례가 옵니다.",
        "Wait: its turn comes after the {ahead_qty} ahead are filled or canceled.",
    ),
    "wait_first": S(
        "기다리면 다음에 이 가격으로 오는 상대 주문과 가장 먼저 체결됩니다.",
        "Wait: the next order that trades at this price trades with it first.",
    ),
    "wait_price": S(
        "기다리면 시장이 {limit_price}에 올 때 체결될 수 있습니다. 장이 끝나면 종료됩니다.",
        "Wait: it can fill when the market comes to {limit_price}. It ends with the day.",
    ),
    "wait_auction": S(
        "기다리면 단일가가 끝날 때 정해지는 한 가격으로 체결될 수 있습니다. 그 전까지 바꾸거나 취소할 수 있습니다.",
        "Wait: it could fill at the one price of the auction's end. Until then it can be changed or canceled.",
    ),
    "wait_auction_until": S(
        "기다리면 {end_time} 무렵 단일가가 끝날 때 정해지는 한 가격으로 체결될 수 있습니다. 그 전까지 바꾸거나 취소할 수 있습니다.",
        "Wait: it could fill at the one price of the auction's end, about {end_time}. Until then it can be changed or canceled.",
    ),
    "wait_trading": S(
        "기다리면 거래가 다시 시작될 때 지금 순서 그대로 참여합니다.",
        "Wait: it takes part with its present place when trading goes on.",
    ),
    "wait_stop": S(
        "기다리면 체결가가 {stop_price}에 닿을 때 깨어납니다.", "Wait: it wakes when a trade reaches {stop_price}."
    ),
    "wait_opposite": S(
        "기다리면 다음에 오는 상대 주문과 체결될 수 있습니다.", "Wait: it can trade with the next order that comes."
    ),
    "cancel_buy": S(
        "취소하면 {leaves_qty}는 사지 않고, 묶인 현금이 풀립니다.",
        "Cancel: {leaves_qty} will not be bought, and the cash held for them is free.",
    ),
    "cancel_sell": S(
        "취소하면 {leaves_qty}는 팔지 않고, 묶인 주식이 풀립니다.",
        "Cancel: {leaves_qty} will not be sold, and the shares held are free.",
    ),
    "order_again": S(
        "같은 조건으로 다시 주문할 수 있습니다. 순서는 맨 뒤입니다.",
        "Order again on the same terms; it goes to the back of the line.",
    ),
    "order_tomorrow": S(
        "다음 장에 다시 주문할 수 있습니다. 당일 주문은 넘어가지 않습니다.",
        "Order again in the next session; day orders do not carry over.",
    ),
    "order_day": S(
        "당일 조건으로 다시 주문하면 체결되지 않은 수량이 호가에 남아 기다립니다.",
        "Order again as a day order: what does not fill waits in the book.",
    ),
    "order_limit": S(
        "지정가로 다시 주문하면 체결되지 않은 수량이 호가에 남아 기다립니다.",
        "Order again with a limit price: what does not fill waits in the book.",
    ),
    "order_less": S("가진 현금에 맞는 수량으로 다시 주문할 수 있습니다.", "Order again for as many as the cash pays."),
    "see_moved": S("새 주문 {moved_number}번에서 이어집니다.", "Its story goes on with the order {moved_number}."),
    "order_fixed": S("거절된 까닭을 고쳐 다시 주문할 수 있습니다.", "Change what was refused, and order again."),
}
"""What one can do, each with its consequence."""
