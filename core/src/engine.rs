//! The engine: applies one command after the other, and gives their events.

use std::fmt;

use crate::ahead::AHEAD;
use crate::commands::{COMMAND_BYTES, Command, CommandKind};
use crate::order_desk::NO_HASH;
use crate::outbox::Outbox;
use crate::reasons::Reason;
use crate::repeats::{FirstUse, Key};
use crate::state::State;
use crate::state_hash::Running;

/// Why commands were not applied. Nothing has changed then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ApplyError {
    /// The bytes are not whole commands.
    Cut,
    /// A command of a kind or version that this release does not know.
    Unknown {
        /// The kind's number.
        kind: u8,
        /// The version's number.
        version: u8,
    },
    /// The commands do not follow the last one: applying them would silently lose something.
    OutOfSequence {
        /// The number of the last command applied.
        last_seq: u64,
    },
}

impl fmt::Display for ApplyError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cut => write!(formatter, "commands are {COMMAND_BYTES} bytes each"),
            Self::Unknown { kind, version } => write!(formatter, "command kind {kind}, version {version}"),
            Self::OutOfSequence { last_seq } => {
                write!(formatter, "commands must follow seq {last_seq} without a gap")
            }
        }
    }
}

impl std::error::Error for ApplyError {}

/// A deterministic exchange: books and accounts, without clock, randomness, I/O or floats. The same input gives the same
/// bytes. The executable specification of what it does is `onseju/matching/reference.py`.
#[derive(Debug, Default)]
pub struct Engine {
    pub(crate) state: State,
    pub(crate) out: Outbox,
    pub(crate) hash: Running,
}

impl Engine {
    /// An empty venue that is not open yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Apply sequenced commands (112 bytes each) and give their events (128 bytes each), at least one a command.
    ///
    /// The events stand in the engine's own buffer until the next call. Total: whatever a well-formed command asks, the
    /// answer is events; an error means that none of the commands took effect.
    pub fn apply(&mut self, commands: &[u8]) -> Result<&[u8], ApplyError> {
        self.check_commands(commands)?;
        Ok(self.apply_checked(commands))
    }

    /// The same for commands that `check_commands` found good.
    pub(crate) fn apply_checked(&mut self, commands: &[u8]) -> &[u8] {
        self.out.events.bytes.clear();
        for group in commands.as_chunks::<COMMAND_BYTES>().0.chunks(AHEAD) {
            if group.len() > 1 && self.is_large() {
                self.touch_ahead(group);
            }
            for bytes in group {
                if let Ok(command) = Command::read(bytes) {
                    self.apply_one(command);
                }
            }
        }
        &self.out.events.bytes
    }

    /// Whether `apply` would take these commands.
    pub fn check_commands(&self, commands: &[u8]) -> Result<(), ApplyError> {
        let (commands, rest) = commands.as_chunks::<COMMAND_BYTES>();
        if !rest.is_empty() {
            return Err(ApplyError::Cut);
        }
        let last_seq = self.state.counters.last_seq;
        let mut seq = last_seq;
        let mut follows = true;
        for bytes in commands {
            let command = Command::read(bytes).map_err(|(kind, version)| ApplyError::Unknown { kind, version })?;
            seq = seq.wrapping_add(1);
            follows &= command.seq() == seq;
        }
        if follows { Ok(()) } else { Err(ApplyError::OutOfSequence { last_seq }) }
    }

    #[inline]
    fn apply_one(&mut self, command: Command) {
        self.hash_begin();
        self.state.counters.last_seq = command.seq();
        self.out.events.begin(command.seq(), command.ts());
        if command.client_id() == NO_HASH || self.uses_up(command) {
            match command.why_not_before_opening() {
                Some(reason) if !self.state.counters.is_open => {
                    self.out.events.request_rejected(command, reason, 0);
                }
                _ => self.answer(command),
            }
        }
        self.finish();
        self.hash_end();
    }

    #[inline]
    fn answer(&mut self, command: Command) {
        match command.kind {
            CommandKind::NewOrder => self.new_order(command),
            CommandKind::CancelOrder => self.cancel_order(command),
            CommandKind::CorrectOrder => self.correct_order(command),
            CommandKind::CancelAll => self.cancel_all(command),
            CommandKind::OpenAccount => self.open_account(command),
            CommandKind::DepositCash => self.deposit_cash(command),
            CommandKind::WithdrawCash => self.withdraw_cash(command),
            CommandKind::DepositShares => self.deposit_shares(command),
            CommandKind::OpenVenue => self.open_venue(command),
            CommandKind::SetRule => self.set_rule(command),
            CommandKind::SetTickBand => self.set_tick_band(command),
            CommandKind::ListInstrument => self.list_instrument(command),
            CommandKind::ChangePhase => self.change_phase(command),
            CommandKind::Halt => self.halt(command),
            CommandKind::Resume => self.resume(command),
            CommandKind::RollDay => self.roll_day(command),
            CommandKind::Uncross => self.uncross(command),
            CommandKind::StartEpoch => self.start_epoch(command),
            CommandKind::CloseGatewayGap => self.close_gateway_gap(command),
            CommandKind::NoteAdmin => self.note_admin(command),
        }
    }

    /// Whether the account uses this client id for the first time, today and yesterday, and may use another one; then it is
    /// used up, whatever becomes of the command. A repeat changes nothing: it is answered with where the first answer stands.
    fn uses_up(&mut self, command: Command) -> bool {
        let key = Key { account: command.account(), client_id: command.client_id() };
        let Some(first) = self.state.repeats.first_use(&key) else {
            if self.has_used_all(command) {
                self.refuse_another_id(command);
                return false;
            }
            let first_use = FirstUse { body_hash: command.body_hash(), seq: command.seq() };
            self.hash_first_use(&key, &first_use);
            self.state.repeats.remember(key, first_use);
            return true;
        };
        let is_same = first.body_hash == command.body_hash();
        let reason = if is_same { Reason::None } else { Reason::ClientOrderIdReused };
        self.out.events.request_repeated(command, reason, first.seq);
        false
    }

    /// Whether the account has used all the client ids that it may use today for such a command. Cancels may use twice as
    /// many: whoever has used up all of them may still cancel. An operator's commands are not bounded.
    fn has_used_all(&self, command: Command) -> bool {
        let allowances = match command.kind {
            CommandKind::NewOrder | CommandKind::CorrectOrder => 1,
            CommandKind::CancelOrder | CommandKind::CancelAll => 2,
            _ => 0,
        };
        let most = self.state.max_client_ids.saturating_mul(allowances);
        most != 0 && self.state.repeats.used_today(command.account()) >= most
    }

    /// Refuse a command for its id alone, which stays free. Of an order it is a refusal with an order id, as of any.
    #[cold]
    fn refuse_another_id(&mut self, command: Command) {
        let reason = Reason::TooManyClientIds;
        if command.kind == CommandKind::NewOrder {
            let order_id = self.state.next_order_id();
            let number = self.state.find_instrument(command.instrument()).map_or(0, |_| command.instrument());
            self.out.events.order_rejected(command, order_id, number, reason);
        } else {
            self.out.events.request_rejected(command, reason, 0);
        }
    }

    /// The number of the last command applied.
    pub fn last_seq(&self) -> u64 {
        self.state.counters.last_seq
    }

    /// How many orders are open.
    pub fn open_orders(&self) -> usize {
        self.state.orders.len()
    }

    /// Bytes that the stores of open orders hold.
    pub fn order_bytes(&self) -> usize {
        self.state.orders.resident_bytes()
    }
}
