"""Order entry on one WebSocket: messages become commands, answers go back; what was read in one go is entered in one go."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Protocol, TypeVar

from starlette.websockets import WebSocket

from onseju.contract.reasons import Reason
from onseju.gateway import order_batches, order_entry, order_records
from onseju.gateway.context import gateway_of, maybe_principal_of
from onseju.gateway.limits import Limits, refusal
from onseju.gateway.order_forms import Cancel, CancelAll, Correct, NewOrder, decode
from onseju.gateway.principal import TRADE, Principal
from onseju.gateway.problems import FieldError, Problem
from onseju.gateway.replies import Answer as OrderAnswer
from onseju.push import record_messages
from onseju.push.messages import (
    Answer,
    Message,
    MessageId,
    OrderMessage,
    decode_order,
    encode_answer,
    order_answer,
    take_order_id,
)

ORDER_GROUPS = {"order.new": "order", "order.correct": "order", "order.cancel": "cancel", "order.cancel_all": "cancel"}
"""The rate-limit group of each order operation: the same buckets as over HTTP."""

F = TypeVar("F", NewOrder, Correct)


class Refuse(Protocol):
    """Answers a message with a problem."""

    def __call__(self, own: MessageId, problem: Problem, *, seq: int | None = None, replayed: bool = False) -> None: ...


class SocketOrders:
    """One connection's orders. `answer` and `refuse` answer a message, `fail` ends the connection after a fault of ours,
    `count` counts what is malformed."""

    def __init__(
        self,
        socket: WebSocket,
        *,
        answer: Callable[[bytes], None],
        refuse: Refuse,
        answer_records: Callable[[bytes, int], None],
        fail: Callable[[], None],
        count: Callable[[Problem], None],
    ) -> None:
        self._gateway = gateway_of(socket)
        self._principal: Principal | None = maybe_principal_of(socket)
        self._limits: Limits = socket.app.state.limits
        self._limited_as: str | int | None = getattr(socket.state, "limited_as", None)
        self._answer = answer
        self._refuse = refuse
        self._answer_records = answer_records
        self._fail = fail
        self._count = count
        self._collected: list[OrderMessage] = []
        self.entering: set[asyncio.Task[None]] = set()
        """What was taken and is not answered yet."""

    def spend(self, group: str, units: int = 1) -> None:
        """Take tokens of the caller's bucket. Raises `Problem(RATE_LIMITED)`."""
        if self._limited_as is None or not units:
            return  # the host's own key is not limited
        allowance = self._limits.spend(group, self._limited_as, units)
        if not allowance.allowed:
            raise refusal(allowance)

    def collect(self, content: str) -> bool:
        """Take a message that is a new order and has nothing wrong, to be entered with the next ones by `enter`. False for
        any other: before that is handled, `enter` must be called, so that all keep their order."""
        message = decode_order(content)
        if message is None or self._lacks_id(message.data):
            return False
        self._collected.append(message)
        return True

    def enter(self) -> None:
        """Enter what was collected."""
        messages, self._collected = self._collected, []
        if not messages:
            return
        allowed = 0
        try:
            principal = self._trader()
            if self._limited_as is None or self._spend_all(len(messages)):
                allowed = len(messages)
            while allowed < len(messages):
                self.spend("order")
                allowed += 1
        except Problem as problem:
            for message in messages[allowed:]:
                self._refuse(message.id, problem)
        if allowed:
            self._start(self._enter(principal, messages[:allowed]))

    def _spend_all(self, units: int) -> bool:
        """Take tokens for that many orders at once, or none. More than a bucket holds never pass: one by one they would not."""
        return (
            units <= self._limits.quotas["order"].burst
            and self._limited_as is not None
            and self._limits.spend("order", self._limited_as, units).allowed
        )

    def take(self, message: Message) -> None:
        """Take any message of `ORDER_GROUPS`. Raises `Problem` where it is refused at once."""
        principal = self._trader()
        self.spend(ORDER_GROUPS[message.op])
        self._start(self._order(message, principal))

    def take_records(self, content: bytes) -> None:
        """Take in a message of records (`order_records`); it gets exactly one answer."""
        own = content[: record_messages.ID_BYTES]
        try:
            principal = self._trader()
            instruments = len(self._gateway.market.directory)
            batch = order_records.parse(record_messages.records_in(content), principal, instruments)
            self.spend("order", batch.orders)
            self.spend("cancel", batch.cancels)
            self._start(self._records(own, principal, batch))
        except Problem as problem:
            self._answer_records(record_messages.refusal(own, problem), record_messages.count(content))
            self._count(problem)

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        # Tasks start in the order in which they are made, and each hands its commands over before it waits: the commands
        # of one connection keep their order.
        task = asyncio.create_task(work)
        self.entering.add(task)
        task.add_done_callback(self.entering.discard)

    async def _enter(self, principal: Principal, messages: list[OrderMessage]) -> None:
        try:
            answers = await order_batches.enter(self._gateway, principal, [message.data for message in messages])
            for message, answer in zip(messages, answers, strict=True):
                if isinstance(answer, tuple):
                    self._answer(order_answer(message.id, *answer))
                else:
                    self._tell(message.id, answer)
        except Problem as problem:
            for message in messages:
                self._refuse(message.id, problem)
        except BaseException:
            self._fail()
            raise

    async def _order(self, message: Message, principal: Principal) -> None:
        try:
            self._tell(message.id, await self._execute(message, principal))
        except Problem as problem:
            self._refuse(message.id, problem)
        except BaseException:
            self._fail()
            raise

    async def _records(self, own: bytes, principal: Principal, batch: order_records.Batch) -> None:
        count = len(batch.reasons)
        try:
            answers = await order_records.enter(self._gateway, principal, batch)
            self._answer_records(record_messages.answer(own, answers), count)
        except Problem as problem:
            self._answer_records(record_messages.refusal(own, problem), count)
        except BaseException:
            self._fail()
            raise

    async def _execute(self, message: Message, principal: Principal) -> OrderAnswer:
        gateway, data = self._gateway, message.data
        if message.op == "order.new":
            return await order_entry.new_order(gateway, principal, self._named(decode(data, NewOrder)))
        if message.op == "order.cancel_all":
            return await order_entry.cancel_all(gateway, principal, decode(data, CancelAll))
        order_id, rest = take_order_id(data)
        if message.op == "order.correct":
            return await order_entry.correct(gateway, principal, order_id, self._named(decode(rest, Correct)))
        return await order_entry.cancel(gateway, principal, order_id, decode(rest, Cancel))

    def _tell(self, own: MessageId, answer: OrderAnswer) -> None:
        if isinstance(answer.body, Problem):
            self._refuse(own, answer.body, seq=answer.seq, replayed=answer.replayed)
            return
        told = Answer(id=own, status=answer.status, seq=answer.seq or None, body=answer.body, replayed=answer.replayed)
        self._answer(encode_answer(told))

    def _trader(self) -> Principal:
        """Who may enter orders here. Raises `Problem`: UNAUTHENTICATED or FORBIDDEN."""
        principal = self._principal
        if principal is None:
            raise Problem(Reason.UNAUTHENTICATED)
        if not principal.may(TRADE) or not principal.account_id:
            raise Problem(Reason.FORBIDDEN)
        return principal

    def _named(self, form: F) -> F:
        if self._lacks_id(form):
            raise Problem(Reason.MALFORMED, errors=[FieldError("client_order_id", "missing")])
        return form

    def _lacks_id(self, form: NewOrder | Correct) -> bool:
        """Whether this lacks an id that it must have: the nonce of a signed handshake is remembered in memory alone, so the
        handshake, and the messages behind it, could be sent again after a restart; as over HTTP."""
        return form.client_order_id is None and self._principal is not None and self._principal.via == "signed"
