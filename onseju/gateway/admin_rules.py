"""The host's call to set a rule: words where a rule's values are words, names of order types where they are types."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from onseju.contract import commands
from onseju.contract.reasons import Reason
from onseju.contract.views import timestamp
from onseju.contract.words import (
    RULE_WORDS,
    OrderType,
    Rule,
    type_mask,
)
from onseju.gateway.admin_calls import Symbol, ask, audit, declare, instrument_id
from onseju.gateway.answers import json_response
from onseju.gateway.body import Amount, read_body
from onseju.gateway.context import gateway_of, principal_of
from onseju.gateway.openings import open_venue_account
from onseju.gateway.operations import Operations
from onseju.gateway.order_forms import OrderTypeName
from onseju.gateway.problems import FieldError, Problem

operations = Operations("admin")

RuleName = Literal[
    "market_remainder",
    "self_trade_prevention",
    "commission_ppm",
    "transaction_tax_ppm",
    "rural_tax_ppm",
    "max_order_qty",
    "max_open_orders",
    "auction_pricing",
    "stop_election",
    "settlement_days",
    "max_qty_by_value",
    "vi_dynamic_ppm",
    "vi_static_ppm",
    "previous_price",
    "new_listing",
    "lot_size",
    "elw_lot_size",
    "max_client_ids",
    "immediate_types",
    "types_opening_auction",
    "types_continuous",
    "types_closing_auction",
    "types_vi_auction",
    "types_after_hours",
    "types_resumption_auction",
    "types_close_price",
]
RuleWord = Literal[
    "cancel",
    "rest",
    "float",
    "off",
    "cancel_incoming",
    "cancel_resting",
    "cancel_both",
    "krx",
    "max_volume",
    "time",
    "distance",
    "nearest",
]
OrderTypes = Annotated[list[OrderTypeName], msgspec.Meta(max_length=len(OrderType))]

TYPE_RULES = frozenset({rule for rule in Rule if rule.name.startswith("TYPES_")} | {Rule.IMMEDIATE_TYPES})
"""The rules whose values are lists of order types. Those of all others are numbers."""

OF_ONE_INSTRUMENT = frozenset({Rule.PREVIOUS_PRICE, Rule.NEW_LISTING})
"""Rules that mean nothing for the whole venue."""

FEES = (Rule.COMMISSION_PPM, Rule.TRANSACTION_TAX_PPM, Rule.RURAL_TAX_PPM)


class RuleForm(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A rule of one instrument, or without `symbol` of the whole venue.

    `…_ppm` are fees in millionths of a trade's amount (the taxes on sells), `vi_…_ppm` the distances that interrupt
    trading (0 = never); `max_…` are 0 for no limit; `max_qty_by_value` is 1 for the most shares per order by the company's
    value, 0 for not; `settlement_days` is 0 to 2. `previous_price` is one instrument's before its first trade of the day;
    `new_listing` is 1 on the day of its listing, 0 for not, before it has an order. `lot_size` is what quantities are
    multiples of; `elw_lot_size` that of the venue's ELWs, 0 for the same as all. `max_client_ids` are the client ids that an
    account may use on a trading day; cancels may use twice as many.
    `types_…` and `immediate_types` are lists of order types: what a phase takes, and what may be IOC or FOK.
    """

    rule: RuleName
    value: Amount | RuleWord | OrderTypes
    symbol: Symbol | None = None


class RuleView(msgspec.Struct, frozen=True, kw_only=True):
    """A rule as it holds from now on."""

    rule: str
    value: int | str | list[str]
    symbol: str | None
    seq: int
    ts: str


@declare(operations, "POST", "/rules", "Set a rule of an instrument or of the venue", {200: RuleView}, body=RuleForm)
async def set_rule(request: Request) -> Response:
    """The rule. Fees go to an account of the venue's own, which is opened before the first of them is set."""
    gateway = gateway_of(request)
    form = await read_body(request, RuleForm)
    rule, instrument = Rule.parse(form.rule), instrument_id(gateway, form.symbol)
    value = rule_value(rule, form.value)
    if rule in OF_ONE_INSTRUMENT and form.symbol is None:
        raise Problem(Reason.MALFORMED, errors=[FieldError("symbol", "missing")])
    if rule in FEES and value:
        await open_venue_account(gateway)
    command = commands.SetRule(actor=principal_of(request).account_id, instrument=instrument, rule=rule, value=value)
    block = await ask(gateway, command)
    value_told = form.value if isinstance(form.value, int | str) else ",".join(form.value)
    await audit(request, "set_rule", instrument=instrument, about_seq=block.seq, rule=form.rule, value=value_told)
    told: int | str | list[str] = list(form.value) if isinstance(form.value, list) else form.value
    view = RuleView(rule=form.rule, value=told, symbol=form.symbol, seq=block.seq, ts=timestamp(block.ts))
    return json_response(view, seq=block.seq)


def rule_value(rule: Rule, value: int | str | list[OrderTypeName]) -> int:
    """The number of a rule's value. Raises `Problem(MALFORMED)` for a value of another rule's kind."""
    words = RULE_WORDS.get(rule)
    try:
        if words is not None and isinstance(value, str):
            return words.parse(value)
    except KeyError:
        raise _wrong_value() from None  # another rule's word
    if rule in TYPE_RULES and isinstance(value, list):
        return type_mask(*(OrderType.parse(name) for name in value))
    if words is None and rule not in TYPE_RULES and isinstance(value, int):
        return value
    raise _wrong_value()


def _wrong_value() -> Problem:
    return Problem(Reason.MALFORMED, errors=[FieldError("value", "invalid_choice")])
