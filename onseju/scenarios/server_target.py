"""Plays scenarios on the whole server through its HTTP API: a fresh instrument for each, on one server per rule form."""

from __future__ import annotations

import math
from collections import Counter
from itertools import count
from typing import Any, Literal

import msgspec
from msgspec import UNSET

from onseju.contract.money import MAX_INPUT
from onseju.contract.words import Rule, Security
from onseju.matching.engines import EngineName
from onseju.rules import packs
from onseju.rules.instruments import tick_table
from onseju.rules.ticks import PPM
from onseju.scenarios.form import AccountForm, BookForm, Market, Scenario, Step, TradeForm
from onseju.scenarios.server import Server
from onseju.scenarios.target import SET_RULES, CannotPlayError, Observation, Uncrossed, check_words, previous_price

NO_SUCH_ORDER = MAX_INPUT
"""An order id that no exchange gives."""

DEPTH = 100
"""Levels of a book that the API tells."""

MAX_GIFTS = 64
"""Deposits of the largest size that an account without bounds is given at most, since all money together has a bound."""

PRICED = ("limit", "conditional_limit", "stop_limit")
STOPPED = ("stop", "stop_limit")


class Account(msgspec.Struct):
    """An account at the server, and its key."""

    number: int
    key: str
    cash: int = 0
    """What it has been given."""


class Order(msgspec.Struct):
    """An order of the scenario, and how much of it was taken away because its owner asked for that."""

    label: str
    owner: Account
    removed_by_owner: int = 0


class ServerTarget:
    """Real servers, real sockets. It sees only what any client of the API sees.

    `engine` is what they run; None leaves that to them.
    """

    def __init__(self, engine: EngineName | None = None) -> None:
        self._engine = engine
        self._servers: dict[str, Server] = {}
        self._unlimited: dict[str, list[Account]] = {}
        self._in_use: list[Account] = []
        self._count = 0

    def close(self) -> None:
        """Stop the servers."""
        while self._servers:
            self._servers.popitem()[1].close()

    def begin(self, scenario: Scenario) -> None:
        self._leave_no_orders()
        check_words(scenario)
        self._scenario = scenario
        rules: Literal["krx", "plain"] = "krx" if scenario.is_krx else "plain"
        if rules not in self._servers:
            self._servers[rules] = Server(rules, self._engine)
        self._server = self._servers[rules]
        self._count += 1
        self._symbol = f"S{self._count}"
        self._accounts: dict[str, Account] = {}
        self._ids: dict[str, int] = {}
        self._orders: dict[int, Order] = {}
        self._fresh = count(1)
        self._uncrossed: Uncrossed | None = None
        self._list_instrument()
        self._set_rules()
        self._open_accounts(self._unlimited.setdefault(rules, []))
        if scenario.phase != "continuous" and not self.change_phase(scenario.phase):
            raise CannotPlayError(f"the server has no phase {scenario.phase}")

    def is_live(self, label: str) -> bool:
        return label in self._ids and self._leaves(self._ids[label]) > 0

    def new(self, step: Step) -> bool:
        body = {
            "symbol": self._symbol,
            "side": step.side,
            "type": step.type,
            "time_in_force": step.tif,
            "qty": step.qty,
            "client_order_id": f"{self._symbol}-{next(self._fresh)}",
        }
        for name, price, types in (("limit_price", step.price, PRICED), ("stop_price", step.stop, STOPPED)):
            # In a scenario 0 is no price, for a type that carries none; the API wants it left out.
            if price is not None and (price != 0 or step.type in types):
                body[name] = price
        owner = self._accounts[_owner(step)]
        answer = self._server.ask(owner.key, "POST", "/v1/orders", body)
        if not answer.is_success:
            return False
        order_id = answer.json()["order_id"]
        self._ids[step.id] = order_id
        self._orders[order_id] = Order(step.id, owner)
        return True

    def cancel(self, step: Step) -> bool:
        order_id = self._ids.get(step.id, NO_SUCH_ORDER)
        query = {} if step.qty is None else {"qty": _query_text(step.qty)}
        before = self._leaves(order_id)
        answer = self._server.ask(self._asker(step).key, "DELETE", f"/v1/orders/{order_id}", **query)
        if answer.is_success:
            self._orders[order_id].removed_by_owner += before if step.qty is None else step.qty
        return answer.is_success

    def modify(self, step: Step) -> bool:
        order_id = self._ids.get(step.id, NO_SUCH_ORDER)
        before = self._leaves(order_id)
        leaves_qty = step.qty
        if not self._scenario.is_krx and leaves_qty is None and step.part is None:
            leaves_qty = before  # under `plain` a modify always names the new open quantity
        body = {
            "limit_price": step.price,
            "stop_price": step.stop,
            "leaves_qty": leaves_qty,
            "type": step.type or None,
            "qty": step.part,
        }
        given = {name: value for name, value in body.items() if value is not None}
        answer = self._server.ask(self._asker(step).key, "PATCH", f"/v1/orders/{order_id}", given)
        if not answer.is_success:
            return False
        order = self._orders[order_id]
        if leaves_qty is not None:
            order.removed_by_owner += max(before - leaves_qty, 0)
        if step.part is not None:
            order.removed_by_owner += step.part
            part_id = answer.json()["order_id"]
            self._ids[step.part_id] = part_id
            self._orders[part_id] = Order(step.part_id, order.owner)
        return True

    def change_phase(self, phase: str) -> bool:
        body = {"phase": phase, "symbol": self._symbol}
        return self._server.ask(self._server.host_key, "POST", "/v1/admin/phase", body).is_success

    def uncross(self) -> bool:
        answer = self._server.ask(self._server.host_key, "POST", "/v1/admin/uncross", {"symbol": self._symbol})
        if not answer.is_success:
            return False
        auction = answer.json()["auctions"][self._symbol]
        self._uncrossed = Uncrossed(auction["price"] or 0, auction["qty"])
        # `plain` has no phases: its auction collects until it is uncrossed, and continuous trading goes on.
        return self._scenario.is_krx or self.change_phase("continuous")

    def book(self) -> BookForm:
        path = f"/v1/book/{self._symbol}"
        book = self._server.must(None, "GET", path, what="its book", depth=DEPTH)
        return BookForm(
            bids=[(price, qty) for price, qty, _ in book["bids"]], asks=[(price, qty) for price, qty, _ in book["asks"]]
        )

    def observe(self) -> Observation:
        return Observation(
            trades=self._trades(),
            book=self.book(),
            cancelled=self._cancelled(),
            uncrossed=self._uncrossed,
            vi_triggered=self._was_interrupted(),
            accounts={label: self._holds(self._accounts[label]) for label in self._scenario.accounts},
        )

    # Setting the market up

    def _list_instrument(self) -> None:
        market = self._scenario.market
        body = {"symbol": self._symbol, "name": self._symbol}
        # `plain` has no base price of its own: the last price before the first step stands in for it.
        terms = {"base_price": previous_price(self._scenario) or 0} if market is None else _krx_terms(market)
        self._host("/v1/admin/instruments", body | terms, "the instrument")

    def _set_rules(self) -> None:
        """All that could differ between two instruments: what the venue itself charges must not matter."""
        scenario = self._scenario
        rules: dict[str, Any] = {rule.label: scenario.rule(name) for name, rule, _ in SET_RULES}
        market = scenario.market
        if market is not None:
            rules |= {
                Rule.COMMISSION_PPM.label: market.rates.commission,
                Rule.TRANSACTION_TAX_PPM.label: market.rates.stt,
                Rule.RURAL_TAX_PPM.label: market.rates.agri,
                Rule.PREVIOUS_PRICE.label: previous_price(scenario),
                Rule.VI_DYNAMIC_PPM.label: _ppm(market.vi.dynamic_pct),
                Rule.VI_STATIC_PPM.label: _ppm(market.vi.static_pct),
            }
        for rule, value in rules.items():
            if value is not None:
                body = {"rule": rule, "value": value, "symbol": self._symbol}
                self._host("/v1/admin/rules", body, f"the rule {rule}: {value}")

    def _open_accounts(self, unlimited: list[Account]) -> None:
        """New accounts for those that are listed, with what is listed. The others take turns at accounts that have as
        much as is ever needed."""
        scenario = self._scenario
        for label, holds in scenario.accounts.items():
            account = self._accounts[label] = self._open_account(f"{self._symbol}.{len(self._accounts)}")
            self._give_cash(account, holds.cash)
            self._give_shares(account, holds.qty)
        owners: dict[str, str] = {}
        needs: Counter[str] = Counter()
        for step in scenario.steps:
            owner = _owner(step) if step.account is not None else owners.get(step.id, _owner(step))
            if step.op == "new":
                owners[step.id] = owner = _owner(step)
            needs[owner] += _amount(step)
        self._in_use = []
        for label in sorted(needs.keys() - scenario.accounts.keys()):
            self._accounts[label] = self._unlimited_account(unlimited, needs[label])

    def _unlimited_account(self, unlimited: list[Account], needed: int) -> Account:
        place = len(self._in_use)
        if place == len(unlimited):
            unlimited.append(self._open_account(f"unlimited.{place}"))
        account = unlimited[place]
        gifts = min(1 + math.ceil(2 * needed / MAX_INPUT), MAX_GIFTS)
        self._give_cash(account, gifts * MAX_INPUT - account.cash)
        self._give_shares(account, MAX_INPUT)
        self._in_use.append(account)
        return account

    def _open_account(self, name: str) -> Account:
        body = {"name": name, "cash": 0, "holdings": {}}
        opened = self._host("/v1/admin/accounts", body, "an account")
        return Account(number=opened["account_id"], key=opened["api_key"])

    def _give_cash(self, account: Account, cash: int) -> None:
        while cash > 0:
            gift = min(cash, MAX_INPUT)
            self._host("/v1/admin/deposits", {"account_id": account.number, "cash": gift}, f"{gift} of cash")
            account.cash += gift
            cash -= gift

    def _give_shares(self, account: Account, qty: int) -> None:
        if qty:
            body = {"account_id": account.number, "symbol": self._symbol, "qty": qty, "cost_amount": 0}
            self._host("/v1/admin/deposits", body, f"{qty} shares")

    def _leave_no_orders(self) -> None:
        """The accounts that the next scenario uses too get back what the last one's open orders have reserved."""
        for account in self._in_use:
            self._server.must(account.key, "DELETE", "/v1/orders", what="a cancel of all", symbol=self._symbol)
        self._in_use = []

    def _host(self, path: str, body: Any, what: str) -> Any:
        return self._server.must(self._server.host_key, "POST", path, body, what=what)

    # Asking, and reading the answers

    def _asker(self, step: Step) -> Account:
        """Whose request a cancel or modify is: the step's account where only owners may, else the order's owner."""
        if step.account is not None and self._scenario.rule("owner_only_cancel"):
            return self._accounts[step.account]
        order = self._orders.get(self._ids.get(step.id, NO_SUCH_ORDER))
        return order.owner if order is not None else next(iter(self._accounts.values()))

    def _leaves(self, order_id: int) -> int:
        order = self._orders.get(order_id)
        if order is None:
            return 0
        view = self._server.must(order.owner.key, "GET", f"/v1/orders/{order_id}", what=f"a look at {order.label}")
        return int(view["leaves_qty"])

    def _was_interrupted(self) -> bool:
        if self._scenario.expect.vi_triggered is UNSET:
            return False  # nobody asks, and the list of instruments is long
        listed = self._server.must(None, "GET", "/v1/symbols", what="its instruments")["symbols"]
        return any(row["symbol"] == self._symbol and row["vi_count"] > 0 for row in listed)

    def _trades(self) -> list[TradeForm]:
        """The trades of the scenario's orders in order, each put together from its two fills."""
        fills: dict[int, dict[str, dict[str, Any]]] = {}
        for key in self._keys():
            for fill in self._server.rows(key, "/v1/fills", "fills", self._symbol):
                if fill["order_id"] in self._orders:
                    fills.setdefault(fill["trade_id"], {})[fill["side"]] = fill
        trades = []
        for trade_id, sides in sorted(fills.items()):
            if sides.keys() != {"buy", "sell"}:
                raise CannotPlayError(f"trade {trade_id} has no fill on both sides")
            buy, sell = sides["buy"], sides["sell"]
            if (buy["price"], buy["qty"]) != (sell["price"], sell["qty"]):
                raise CannotPlayError(f"the two fills of trade {trade_id} differ")
            labels = self._orders[buy["order_id"]].label, self._orders[sell["order_id"]].label
            trades.append(TradeForm(*labels, buy["price"], buy["qty"]))
        return trades

    def _cancelled(self) -> list[str]:
        """The orders of which more was taken away than their owners asked for."""
        ended = []
        for key in self._keys():
            for view in self._server.rows(key, "/v1/orders", "orders", self._symbol):
                order = self._orders.get(view["order_id"])
                if order is not None and view["canceled_qty"] > order.removed_by_owner:
                    ended.append(order.label)
        return ended

    def _keys(self) -> list[str]:
        """The keys of all accounts that the scenario's orders belong to."""
        return list(dict.fromkeys(order.owner.key for order in self._orders.values()))

    def _holds(self, account: Account) -> AccountForm:
        money = self._server.must(account.key, "GET", "/v1/account", what="an account's money")
        held = self._server.must(account.key, "GET", "/v1/positions", what="an account's shares")["positions"]
        qty = sum(row["qty"] for row in held if row["symbol"] == self._symbol)
        return AccountForm(cash=money["cash"], qty=qty, reserved=money["reserved"])


def _krx_terms(market: Market) -> dict[str, Any]:
    try:
        table = tick_table(Security.parse(market.security))
    except KeyError:
        raise CannotPlayError(f"there is no board or security {market.security!r}") from None
    return {
        "base_price": market.base_price,
        "limit_ppm": packs.KRX_LIMIT_PPM,
        "tick_table": table,
        "board": market.board.lower(),
        "security": market.security,
    }


def _ppm(per_cent: float) -> int:
    return round(per_cent * (PPM // 100))


def _owner(step: Step) -> str:
    """The label of the account that a step's order is of: the one it names, else one that belongs to it alone."""
    return step.account if step.account is not None else f"(owner of {step.id})"


def _amount(step: Step) -> int:
    """The money that a step may need, as far as it says numbers."""
    price, qty = step.price, step.qty
    return price * qty if isinstance(price, int) and isinstance(qty, int) and price > 0 and qty > 0 else 0


def _query_text(value: Any) -> str:
    """A number of a step in a query, as bad as it is."""
    return msgspec.json.encode(value).decode()
