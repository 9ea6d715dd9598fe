//! Events read out of their canonical bytes. The layout is that of `onseju/contract/events.py`.

use crate::events::{EVENT_BYTES, EventKind};

/// An event's place: its command's number and its place among that command's events.
pub(crate) type Position = (u64, u32);

/// One event of any kind.
#[derive(Clone, Copy)]
pub(crate) struct EventView<'a>(&'a [u8; EVENT_BYTES]);

/// All events of a buffer, in order. Bytes behind the last whole one are not read.
pub(crate) fn events_in(payload: &[u8]) -> impl Iterator<Item = EventView<'_>> {
    payload.as_chunks::<EVENT_BYTES>().0.iter().map(EventView)
}

impl<'a> EventView<'a> {
    pub fn new(bytes: &'a [u8; EVENT_BYTES]) -> Self {
        Self(bytes)
    }

    pub fn bytes(self) -> &'a [u8; EVENT_BYTES] {
        self.0
    }

    #[inline]
    fn at<const N: usize>(self, at: usize) -> [u8; N] {
        let mut bytes = [0; N];
        bytes.copy_from_slice(&self.0[at..at + N]);
        bytes
    }

    #[inline]
    pub fn seq(self) -> u64 {
        u64::from_le_bytes(self.at(0))
    }

    #[inline]
    pub fn position(self) -> Position {
        (self.seq(), self.u32(16))
    }

    #[inline]
    pub fn ts(self) -> i64 {
        self.i64(8)
    }

    #[inline]
    pub fn account(self) -> u32 {
        self.u32(20)
    }

    #[inline]
    pub fn instrument(self) -> u32 {
        self.u32(24)
    }

    #[inline]
    pub fn is(self, kind: EventKind) -> bool {
        self.kind() == kind as u8
    }

    #[inline]
    pub fn kind(self) -> u8 {
        self.0[28]
    }

    #[inline]
    pub fn u8(self, at: usize) -> u8 {
        self.0[at]
    }

    #[inline]
    pub fn u32(self, at: usize) -> u32 {
        u32::from_le_bytes(self.at(at))
    }

    #[inline]
    pub fn i64(self, at: usize) -> i64 {
        i64::from_le_bytes(self.at(at))
    }

    #[inline]
    pub fn u64(self, at: usize) -> u64 {
        u64::from_le_bytes(self.at(at))
    }
}
