//! The last events of all accounts, each linked to the same account's one before: what streams are served from.
//!
//! The twin of `onseju/push/chains.py`, which says what it does.

use std::collections::VecDeque;

use crate::events::{EVENT_BYTES, EventKind};
use crate::hashing::NumberMap;
use crate::server::event_view::{EventView, Position, events_in};

/// Before the first event.
const BEFORE_ALL: Position = (0, 0);

/// A queue that held so many gives its room back when it is empty.
const ROOM_KEPT: usize = 16;

/// An account's event in its chain: its bytes, and where the account's one before stands.
pub(crate) type Linked<'a> = (&'a [u8; EVENT_BYTES], Option<Position>);

/// Where an account's chain stands: the numbers of the oldest event held and of the next one, counted from 0, the last
/// event, and the last that was let go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Span {
    pub start: u64,
    pub end: u64,
    pub last: Position,
    pub evicted: Position,
}

#[derive(Default)]
struct Chain {
    start: u64,
    /// The events held, by their place among all that ever were.
    held: VecDeque<u64>,
    last: Position,
    evicted: Position,
    /// The commands where a search of the event log begins, `stride` or more apart.
    checkpoints: Vec<u64>,
    account: u32,
    is_watched: bool,
    /// The last call that told of this account.
    told: u64,
}

struct Held {
    event: [u8; EVENT_BYTES],
    chain: u32,
}

/// All chains.
pub(crate) struct AccountChains {
    capacity: usize,
    events: VecDeque<Held>,
    /// How many events were let go: the place of `events[0]`.
    gone: u64,
    chains: Vec<Chain>,
    by_account: NumberMap<u32, u32>,
    calls: u64,
}

const STREAMED: [bool; 256] = {
    let mut streamed = [false; 256];
    streamed[EventKind::OrderAccepted as usize] = true;
    streamed[EventKind::OrderRejected as usize] = true;
    streamed[EventKind::OrderCorrected as usize] = true;
    streamed[EventKind::OrderCanceled as usize] = true;
    streamed[EventKind::OrderExpired as usize] = true;
    streamed[EventKind::OrderTriggered as usize] = true;
    streamed[EventKind::OrderFilled as usize] = true;
    streamed[EventKind::RequestRejected as usize] = true;
    streamed[EventKind::RequestRepeated as usize] = true;
    streamed[EventKind::BalanceChanged as usize] = true;
    streamed[EventKind::PositionChanged as usize] = true;
    streamed
};

impl AccountChains {
    /// Chains that hold `capacity` events together.
    pub fn new(capacity: usize) -> Self {
        Self {
            capacity,
            events: VecDeque::new(),
            gone: 0,
            chains: Vec::new(),
            by_account: NumberMap::default(),
            calls: 0,
        }
    }

    /// How many events are held.
    pub fn len(&self) -> usize {
        self.events.len()
    }

    /// The command of the oldest event held; none where none is.
    pub fn oldest(&self) -> Option<u64> {
        self.events.front().map(|held| EventView::new(&held.event).seq())
    }

    /// Take in the events of commands that follow the last ones. Gives the watched accounts among theirs.
    pub fn add(&mut self, payload: &[u8], stride: u64) -> Vec<u32> {
        self.calls += 1;
        let mut touched = Vec::new();
        for event in events_in(payload) {
            let account = event.account();
            if !STREAMED[usize::from(event.kind())] || account == 0 {
                continue;
            }
            let place = self.place_of(account);
            let chain = &mut self.chains[place as usize];
            let position = event.position();
            chain.held.push_back(self.gone + self.events.len() as u64);
            chain.last = position;
            if chain.checkpoints.last().is_none_or(|last| position.0.saturating_sub(*last) >= stride) {
                chain.checkpoints.push(position.0);
            }
            if chain.is_watched && chain.told != self.calls {
                chain.told = self.calls;
                touched.push(account);
            }
            self.events.push_back(Held { event: *event.bytes(), chain: place });
            if self.events.len() > self.capacity {
                self.evict();
            }
        }
        touched
    }

    fn evict(&mut self) {
        let Some(oldest) = self.events.pop_front() else { return };
        self.gone += 1;
        let chain = &mut self.chains[oldest.chain as usize];
        chain.held.pop_front();
        chain.start += 1;
        chain.evicted = EventView::new(&oldest.event).position();
        if chain.held.is_empty() && chain.held.capacity() > ROOM_KEPT {
            chain.held = VecDeque::new();
        }
    }

    fn place_of(&mut self, account: u32) -> u32 {
        let chains = &mut self.chains;
        *self.by_account.entry(account).or_insert_with(|| {
            chains.push(Chain { account, ..Chain::default() });
            (chains.len() - 1) as u32
        })
    }

    fn find(&self, account: u32) -> Option<&Chain> {
        self.by_account.get(&account).map(|place| &self.chains[*place as usize])
    }

    /// Whether `add` tells of the account.
    pub fn watch(&mut self, account: u32, is_watched: bool) {
        let place = self.place_of(account);
        self.chains[place as usize].is_watched = is_watched;
    }

    /// Where the account's chain stands; none where it never had an event.
    pub fn span(&self, account: u32) -> Option<Span> {
        let chain = self.find(account).filter(|chain| chain.last != BEFORE_ALL)?;
        let end = chain.start + chain.held.len() as u64;
        Some(Span { start: chain.start, end, last: chain.last, evicted: chain.evicted })
    }

    /// At most `limit` of the account's events from number `start` on, as far as they are held.
    pub fn held(&self, account: u32, start: u64, limit: usize) -> Vec<Linked<'_>> {
        let Some(chain) = self.find(account) else { return Vec::new() };
        let first = start.max(chain.start) - chain.start;
        let mut before = match first {
            0 => Some(chain.evicted).filter(|position| *position != BEFORE_ALL),
            _ => chain.held.get(first as usize - 1).map(|place| self.event(*place).position()),
        };
        let mut found = Vec::new();
        for place in chain.held.iter().skip(first as usize).take(limit) {
            let event = self.event(*place);
            found.push((event.bytes(), before));
            before = Some(event.position());
        }
        found
    }

    fn event(&self, place: u64) -> EventView<'_> {
        EventView::new(&self.events[(place - self.gone) as usize].event)
    }

    /// The number of the account's first event after a position.
    pub fn number_after(&self, account: u32, position: Position) -> u64 {
        let Some(chain) = self.find(account) else { return 0 };
        chain.start + chain.held.partition_point(|place| self.event(*place).position() <= position) as u64
    }

    /// The checkpoints to search for the account's events from command `seq` on, and for the last one before it.
    pub fn windows(&self, account: u32, seq: u64) -> &[u64] {
        let Some(chain) = self.find(account) else { return &[] };
        let place = chain.checkpoints.partition_point(|checkpoint| *checkpoint < seq);
        &chain.checkpoints[place.saturating_sub(1)..]
    }

    /// Each account with its span and its checkpoints, in the order in which they came.
    pub fn state(&self) -> impl Iterator<Item = (u32, Span, &[u64])> {
        let known = self.chains.iter().filter(|chain| chain.last != BEFORE_ALL);
        known.filter_map(|chain| Some((chain.account, self.span(chain.account)?, chain.checkpoints.as_slice())))
    }

    /// Stand where `end` events of the account were, the last of them at `last`, and hold none of them.
    pub fn take_up(&mut self, account: u32, end: u64, last: Position, checkpoints: Vec<u64>) {
        let place = self.place_of(account);
        let chain = &mut self.chains[place as usize];
        (chain.start, chain.last, chain.evicted, chain.checkpoints) = (end, last, last, checkpoints);
    }
}
