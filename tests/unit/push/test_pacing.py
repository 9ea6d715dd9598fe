"""New connections: a few in each turn of the event loop, in their order, none forgotten."""

from __future__ import annotations

import asyncio

from onseju.push.pacing import Pacer


class Connection:
    """One that notes in which turn of the loop it began."""

    def __init__(self, number: int, began: list[int], *, holds: bool = True) -> None:
        self._number = number
        self._began = began
        self._holds = holds
        self.is_held = False

    def hold(self) -> bool:
        self.is_held = self._holds
        return self._holds

    def begin(self) -> None:
        self._began.append(self._number)


def test_a_few_begin_at_once_and_the_rest_in_later_turns_in_their_order() -> None:
    async def test() -> None:
        began: list[int] = []
        pacer = Pacer(at_once=4)
        connections = [Connection(number, began) for number in range(11)]
        for connection in connections:
            pacer.arrive(connection)
        assert [connection.is_held for connection in connections] == [False] * 4 + [True] * 7
        assert (began, len(pacer)) == ([], 7)
        await asyncio.sleep(0)
        assert began == [4, 5, 6, 7]
        late = Connection(11, began)
        pacer.arrive(late)
        assert late.is_held, "nobody overtakes those who wait"
        await asyncio.sleep(0)
        assert began == [4, 5, 6, 7, 8, 9, 10, 11]
        assert len(pacer) == 0

    asyncio.run(test())


def test_a_quiet_loop_holds_nobody_up() -> None:
    async def test() -> None:
        began: list[int] = []
        pacer = Pacer(at_once=1)
        for number in range(5):
            connection = Connection(number, began)
            pacer.arrive(connection)
            assert not connection.is_held
            await asyncio.sleep(0)
            await asyncio.sleep(0)
        assert began == []

    asyncio.run(test())


def test_one_that_cannot_wait_is_not_kept() -> None:
    async def test() -> None:
        pacer = Pacer(at_once=1)
        pacer.arrive(Connection(0, []))
        pacer.arrive(Connection(1, [], holds=False))
        assert len(pacer) == 0

    asyncio.run(test())
