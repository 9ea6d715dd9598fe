"""What the exchange's end of the bus hands to the exchange: commands of one gateway in their order, or a gap's end."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from onseju.bus.messages import CommandMessage
from onseju.contract.commands import COMMAND_BYTES, KIND_OFFSET, CloseGatewayGap, CommandKind, encode_command
from onseju.contract.journal_records import Origin

_NO_TEXTS: Mapping[int, str] = {}


@dataclass(frozen=True, slots=True)
class Piece:
    """Commands of one gateway that follow each other."""

    gateway: int
    epoch: int
    first_seq: int
    commands: bytes
    texts: Mapping[int, str]
    size: int
    """Of the message, for the count of what waits."""

    @classmethod
    def of(cls, message: CommandMessage, next_seq: int, size: int) -> Piece:
        """The message's commands, without those before `next_seq`."""
        whole = cls(message.gateway, message.epoch, message.first_seq, message.commands, message.texts, size)
        rest = whole.after(max(next_seq - message.first_seq, 0))
        if rest is None:
            raise ValueError(f"message {message.first_seq} to {message.last_seq} has nothing from {next_seq} on")
        return rest

    @property
    def count(self) -> int:
        return len(self.commands) // COMMAND_BYTES

    @property
    def stands_for(self) -> int:
        """How many of the gateway's commands are done with by this."""
        return self.count

    @property
    def last_seq(self) -> int:
        return self.first_seq + self.count - 1

    @property
    def origins(self) -> Sequence[Origin]:
        """One a command."""
        return [Origin(self.gateway, self.epoch, seq) for seq in range(self.first_seq, self.last_seq + 1)]

    def first(self, count: int) -> Piece:
        """The first `count` commands."""
        if count >= self.count:
            return self
        texts = {at: text for at, text in self.texts.items() if at < count}
        return Piece(self.gateway, self.epoch, self.first_seq, self.commands[: count * COMMAND_BYTES], texts, self.size)

    def after(self, count: int) -> Piece | None:
        """The commands after the first `count`; None where there are none."""
        if count <= 0:
            return self
        if count >= self.count:
            return None
        texts = {at - count: text for at, text in self.texts.items() if at >= count}
        rest = self.commands[count * COMMAND_BYTES :]
        return Piece(self.gateway, self.epoch, self.first_seq + count, rest, texts, self.size)

    def first_for(self, kinds: Collection[int]) -> tuple[bool, Piece]:
        """The first commands that are all of these kinds, or all of others; and which."""
        found = [kind in kinds for kind in self.commands[KIND_OFFSET::COMMAND_BYTES]]
        other = next((at for at, kept in enumerate(found) if kept != found[0]), len(found))
        return found[0], self.first(other)


@dataclass(frozen=True, slots=True)
class GapPiece:
    """The end of a gap: a gateway's commands through `last_seq` are given up, those of them that were not taken."""

    gateway: int
    epoch: int
    last_seq: int
    stands_for: int = 1
    """How many commands in the queue this is there for: those that a full disk cannot take; of a gap that is the queue's
    own entry, itself."""
    size: int = 0

    @property
    def count(self) -> int:
        return 1

    @property
    def commands(self) -> bytes:
        return encode_command(
            CloseGatewayGap(gateway=self.gateway, gateway_epoch=self.epoch, through_seq=self.last_seq)
        )

    @property
    def texts(self) -> Mapping[int, str]:
        return _NO_TEXTS

    @property
    def origins(self) -> Sequence[Origin]:
        """None: the exchange issues it."""
        return ()

    def after(self, count: int) -> GapPiece | None:
        """Nothing."""
        return None if count > 0 else self

    def first_for(self, kinds: Collection[int]) -> tuple[bool, GapPiece]:
        """Whether it is of these kinds, and itself."""
        return CommandKind.CLOSE_GATEWAY_GAP in kinds, self
