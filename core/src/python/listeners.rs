//! The listeners to events that are in the core, for `onseju.matching._core`. Their Python twins say what they do; their
//! types stand in `onseju/matching/_core.pyi`.

use std::panic::{AssertUnwindSafe, catch_unwind};

use pyo3::exceptions::{PyRuntimeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::events::EVENT_BYTES;
use crate::server::account_chains::{AccountChains, Span};
use crate::server::entry::EventBytes;
use crate::server::event_view::{EventView, Position};
use crate::server::market_digest::{LevelNow, digest};
use crate::server::queue_places::{Entry, Level, Place, QueuePlaces};
use crate::server::queue_turns::{Turn, Turns};
use crate::server::stream_frames::StreamFrames;

/// The number of its first event held, of the next one, the last event, and the last that was let go.
type SpanView = (u64, u64, Position, Position);
/// An event's command and place, its bytes, and where the account's one before stands.
type LinkedView<'py> = (u64, u32, Bound<'py, PyBytes>, Option<Position>);
/// Order id, account, level, order type, open shares, stamp.
type EntryView = (u64, u32, Level, u8, i64, u64);
/// A level, and its turns: order id, stamp, shares.
type PoolView = (Level, Vec<(u64, u64, i64)>);

/// Listen without the interpreter lock. A panic becomes a `RuntimeError`: what waits for an `Exception` sees it.
fn heard(py: Python<'_>, payload: &[u8], listen: impl FnOnce() -> Vec<u32> + Send) -> PyResult<Vec<u32>> {
    if !payload.len().is_multiple_of(EVENT_BYTES) {
        return Err(PyValueError::new_err(format!("{} bytes are no whole number of events", payload.len())));
    }
    let heard = py.detach(|| catch_unwind(AssertUnwindSafe(listen)));
    heard.map_err(|_| PyRuntimeError::new_err("a listener in the core panicked; what it knows cannot be trusted"))
}

/// The twin of `onseju.push.chains.PlainChains`.
#[pyclass(name = "AccountChains", module = "onseju.matching._core")]
struct PyAccountChains(AccountChains);

#[pymethods]
impl PyAccountChains {
    #[new]
    fn new(capacity: usize) -> Self {
        Self(AccountChains::new(capacity))
    }

    fn __len__(&self) -> usize {
        self.0.len()
    }

    #[getter]
    fn oldest(&self) -> Option<u64> {
        self.0.oldest()
    }

    fn add(&mut self, py: Python<'_>, payload: &[u8], stride: u64) -> PyResult<Vec<u32>> {
        heard(py, payload, || self.0.add(payload, stride))
    }

    fn watch(&mut self, account: u32, is_watched: bool) {
        self.0.watch(account, is_watched);
    }

    fn span(&self, account: u32) -> Option<SpanView> {
        self.0.span(account).map(|Span { start, end, last, evicted }| (start, end, last, evicted))
    }

    fn held<'py>(&self, py: Python<'py>, account: u32, start: u64, limit: usize) -> Vec<LinkedView<'py>> {
        let found = self.0.held(account, start, limit).into_iter();
        found
            .map(|(bytes, before)| {
                let (seq, idx) = EventView::new(bytes).position();
                (seq, idx, PyBytes::new(py, bytes), before)
            })
            .collect()
    }

    fn number_after(&self, account: u32, seq: u64, idx: u32) -> u64 {
        self.0.number_after(account, (seq, idx))
    }

    fn windows(&self, account: u32, seq: u64) -> Vec<u64> {
        self.0.windows(account, seq).to_vec()
    }

    fn state(&self) -> Vec<(u32, u64, Position, Vec<u64>)> {
        self.0
            .state()
            .map(|(account, span, checkpoints)| (account, span.end, span.last, checkpoints.to_vec()))
            .collect()
    }

    fn take_up(&mut self, account: u32, end: u64, last: Position, checkpoints: Vec<u64>) {
        self.0.take_up(account, end, last, checkpoints);
    }
}

/// Writes the frames of one journal's streams: the twin of `onseju.push.frames.Frame`.
#[pyclass(name = "StreamFrames", module = "onseju.matching._core")]
struct PyStreamFrames {
    frames: StreamFrames,
    out: Vec<u8>,
}

#[pymethods]
impl PyStreamFrames {
    #[new]
    fn new(journal_id: String, reasons: Vec<String>) -> Self {
        Self { frames: StreamFrames::new(journal_id, reasons), out: Vec::new() }
    }

    /// An event's frame, and where its JSON begins; None for what is left to the plain form.
    fn write<'py>(
        &mut self,
        py: Python<'py>,
        event: &[u8],
        text: &str,
        symbol: &str,
        before: Option<Position>,
    ) -> PyResult<Option<(Bound<'py, PyBytes>, usize)>> {
        let event = <&EventBytes>::try_from(event)
            .map_err(|_| PyValueError::new_err(format!("{} bytes are no event", event.len())))?;
        self.out.clear();
        let start = self.frames.write(&mut self.out, event, text, symbol, before);
        Ok(start.map(|start| (PyBytes::new(py, &self.out), start)))
    }
}

/// The twin of `onseju.market.queues.QueuePositions`.
#[pyclass(name = "QueuePlaces", module = "onseju.matching._core")]
struct PyQueuePlaces(QueuePlaces);

#[pymethods]
impl PyQueuePlaces {
    #[new]
    fn new() -> Self {
        Self(QueuePlaces::default())
    }

    fn listen(&mut self, py: Python<'_>, payload: &[u8]) -> PyResult<Vec<u32>> {
        heard(py, payload, || self.0.listen(payload))
    }

    fn watch(&mut self, account: u32, is_watched: bool) {
        self.0.watch(account, is_watched);
    }

    fn place(&self, account: u32, order_id: u64) -> Option<Place> {
        self.0.place(account, order_id)
    }

    fn places(&self, account: u32) -> Vec<Place> {
        self.0.places(account)
    }

    #[getter]
    fn stamps(&self) -> u64 {
        self.0.stamps
    }

    /// In order of their stamps.
    fn entries(&self) -> Vec<EntryView> {
        let mut entries: Vec<&Entry> = self.0.entries.values().collect();
        entries.sort_unstable_by_key(|entry| entry.stamp);
        let views = entries.into_iter();
        views
            .map(|entry| (entry.order_id, entry.account, entry.level, entry.order_type, entry.qty, entry.stamp))
            .collect()
    }

    fn shown(&self) -> Vec<(Level, i64)> {
        self.0.shown.iter().map(|(level, qty)| (*level, *qty)).collect()
    }

    fn market_prices(&self) -> Vec<((u32, u8), i64)> {
        self.0.market_prices.iter().map(|(side, price)| (*side, *price)).collect()
    }

    fn pools(&self) -> Vec<PoolView> {
        let turns = |turns: Vec<Turn>| turns.into_iter().map(|turn| (turn.order.0, turn.order.1, turn.qty)).collect();
        self.0.kept_pools().map(|(level, kept)| (level, turns(kept))).collect()
    }

    fn phases(&self) -> Vec<(u32, u8)> {
        self.0.phases.iter().map(|(instrument, phase)| (*instrument, *phase)).collect()
    }

    fn limits(&self) -> Vec<(u32, (i64, i64))> {
        self.0.limits.iter().map(|(instrument, limits)| (*instrument, *limits)).collect()
    }

    fn pricing(&self) -> Vec<(u32, i64)> {
        self.0.pricing.iter().map(|(instrument, pricing)| (*instrument, *pricing)).collect()
    }

    #[allow(clippy::too_many_arguments)] // one for each part of the state
    fn take_up(
        &mut self,
        stamps: u64,
        entries: Vec<EntryView>,
        shown: Vec<(Level, i64)>,
        market_prices: Vec<((u32, u8), i64)>,
        pools: Vec<PoolView>,
        phases: Vec<(u32, u8)>,
        limits: Vec<(u32, (i64, i64))>,
        pricing: Vec<(u32, i64)>,
    ) {
        let mut places = self.0.emptied();
        places.stamps = stamps;
        for (order_id, account, level, order_type, qty, stamp) in entries {
            places.put(Entry { order_id, account, level, order_type, qty, stamp });
        }
        places.shown = shown.into_iter().collect();
        places.market_prices = market_prices.into_iter().collect();
        for (level, turns) in pools {
            let turns =
                turns.into_iter().map(|(order_id, stamp, qty)| Turn { order: (order_id, stamp), qty }).collect();
            places.pools.insert(level.0, Turns { level, turns });
        }
        places.phases = phases.into_iter().collect();
        places.limits = limits.into_iter().collect();
        places.pricing = pricing.into_iter().collect();
        self.0 = places;
    }
}

/// Instrument, the last event's command and place, its time, and the levels.
type LevelsView = (u32, u64, u32, i64, Vec<LevelNow>);
/// Instrument; first, highest, lowest and last price, each with its time; shares, turnover, and the takers' (trades, shares)
/// by side; how many trades, and the last of them as bytes.
type TradesView<'py> = (u32, [(i64, i64); 4], (i128, i128), (u64, i128), (u64, i128), usize, Vec<Bound<'py, PyBytes>>);
type DigestView<'py> = (Vec<LevelsView>, Vec<TradesView<'py>>, Vec<(u32, i64, i64)>, Option<Position>);

/// The twin of `onseju.market.digest.digest`.
#[pyfunction]
fn market_digest<'py>(py: Python<'py>, payload: &[u8], tape: usize) -> DigestView<'py> {
    let found = py.detach(|| digest(payload));
    let levels = found.levels.into_iter();
    let levels = levels.map(|of| (of.instrument, of.last.0, of.last.1, of.last_ts, of.levels)).collect();
    let trades = found.trades.into_iter();
    let trades = trades
        .map(|of| {
            let count = of.events.len();
            let kept = of.events[count - count.min(tape)..].iter().map(|event| PyBytes::new(py, *event)).collect();
            let prices = [of.open, of.high, of.low, of.last];
            (of.instrument, prices, (of.qty, of.turnover), of.buys, of.sells, count, kept)
        })
        .collect();
    (levels, trades, found.indicated, found.at)
}

/// Add the listeners to the module.
pub(crate) fn add_to(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<PyAccountChains>()?;
    module.add_class::<PyQueuePlaces>()?;
    module.add_class::<PyStreamFrames>()?;
    module.add_function(wrap_pyfunction!(market_digest, module)?)
}
