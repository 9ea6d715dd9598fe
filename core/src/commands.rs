//! Commands in their canonical bytes, 112 each; the layout is that of `onseju/contract/commands.py`.

use crate::reasons::Reason;

/// How wide a command is.
pub const COMMAND_BYTES: usize = 112;
const COMMAND_VERSION: u8 = 1;

/// Bits of a correction's flags: which fields are given.
pub(crate) const CORRECT_LIMIT_PRICE: u16 = 1;
pub(crate) const CORRECT_LEAVES_QTY: u16 = 2;
pub(crate) const CORRECT_TYPE: u16 = 4;
pub(crate) const CORRECT_STOP_PRICE: u16 = 8;
pub(crate) const CORRECT_PART: u16 = 16;

/// A command's kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
#[allow(missing_docs)]
pub enum CommandKind {
    NewOrder = 1,
    CancelOrder = 2,
    CorrectOrder = 3,
    CancelAll = 4,
    OpenAccount = 16,
    DepositCash = 17,
    WithdrawCash = 18,
    DepositShares = 19,
    OpenVenue = 32,
    SetRule = 33,
    SetTickBand = 34,
    ListInstrument = 35,
    ChangePhase = 36,
    Halt = 37,
    Resume = 38,
    RollDay = 39,
    Uncross = 40,
    StartEpoch = 64,
    CloseGatewayGap = 65,
    NoteAdmin = 66,
}

impl CommandKind {
    #[inline]
    fn from_u8(number: u8) -> Option<Self> {
        Some(match number {
            1 => Self::NewOrder,
            2 => Self::CancelOrder,
            3 => Self::CorrectOrder,
            4 => Self::CancelAll,
            16 => Self::OpenAccount,
            17 => Self::DepositCash,
            18 => Self::WithdrawCash,
            19 => Self::DepositShares,
            32 => Self::OpenVenue,
            33 => Self::SetRule,
            34 => Self::SetTickBand,
            35 => Self::ListInstrument,
            36 => Self::ChangePhase,
            37 => Self::Halt,
            38 => Self::Resume,
            39 => Self::RollDay,
            40 => Self::Uncross,
            64 => Self::StartEpoch,
            65 => Self::CloseGatewayGap,
            66 => Self::NoteAdmin,
            _ => return None,
        })
    }
}

/// One command, looked at where it lies. Its kind is a known one.
#[derive(Clone, Copy)]
pub(crate) struct Command<'a> {
    bytes: &'a [u8; COMMAND_BYTES],
    pub kind: CommandKind,
}

impl<'a> Command<'a> {
    /// The command in these bytes; its kind and version where this release does not know them.
    #[inline]
    pub fn read(bytes: &'a [u8; COMMAND_BYTES]) -> Result<Self, (u8, u8)> {
        match CommandKind::from_u8(bytes[16]) {
            Some(kind) if bytes[17] == COMMAND_VERSION => Ok(Self { bytes, kind }),
            _ => Err((bytes[16], bytes[17])),
        }
    }

    #[inline]
    fn take<const N: usize>(&self, at: usize) -> [u8; N] {
        let mut out = [0; N];
        out.copy_from_slice(&self.bytes[at..at + N]);
        out
    }

    #[inline]
    pub fn u8(&self, at: usize) -> u8 {
        self.bytes[at]
    }

    #[inline]
    pub fn u16(&self, at: usize) -> u16 {
        u16::from_le_bytes(self.take(at))
    }

    #[inline]
    pub fn u32(&self, at: usize) -> u32 {
        u32::from_le_bytes(self.take(at))
    }

    #[inline]
    pub fn u64(&self, at: usize) -> u64 {
        u64::from_le_bytes(self.take(at))
    }

    #[inline]
    pub fn i64(&self, at: usize) -> i64 {
        i64::from_le_bytes(self.take(at))
    }

    #[inline]
    pub fn hash(&self, at: usize) -> [u8; 16] {
        self.take(at)
    }

    #[inline]
    pub fn seq(&self) -> u64 {
        self.u64(0)
    }

    #[inline]
    pub fn ts(&self) -> i64 {
        self.i64(8)
    }

    #[inline]
    pub fn flags(&self) -> u16 {
        self.u16(18)
    }

    #[inline]
    pub fn account(&self) -> u32 {
        self.u32(20)
    }

    #[inline]
    pub fn instrument(&self) -> u32 {
        self.u32(24)
    }

    #[inline]
    pub fn actor(&self) -> u32 {
        self.u32(28)
    }

    #[inline]
    pub fn client_id(&self) -> [u8; 16] {
        self.hash(32)
    }

    /// The half of the body's hash that is kept.
    #[inline]
    pub fn body_hash(&self) -> [u8; 8] {
        self.take(48)
    }

    /// The order that a cancel or a correction names; 0 for another command.
    pub fn order_id(&self) -> i64 {
        match self.kind {
            CommandKind::CancelOrder | CommandKind::CorrectOrder => self.i64(64),
            _ => 0,
        }
    }

    /// Why the commands that need an open venue are refused before it is.
    pub fn why_not_before_opening(&self) -> Option<Reason> {
        match self.kind {
            CommandKind::OpenVenue
            | CommandKind::StartEpoch
            | CommandKind::CloseGatewayGap
            // These refuse for themselves, in the form that fits them.
            | CommandKind::NewOrder
            | CommandKind::CancelOrder
            | CommandKind::CorrectOrder => None,
            _ => Some(Reason::VenueNotOpen),
        }
    }
}
