//! The Python module `onseju.matching._core`: the engine behind buffers of fixed records. Its types stand in
//! `onseju/matching/_core.pyi`.

mod entry;
mod listeners;
mod rows;
mod runs;

use pyo3::buffer::PyBuffer;
use pyo3::exceptions::{PyKeyError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyMemoryView, PySlice};

use crate::commands::COMMAND_BYTES;
use crate::engine::{ApplyError, Engine};
use crate::events::EVENT_BYTES;

pyo3::create_exception!(onseju.matching._core, UnknownRecord, PyValueError, "A command of an unknown kind or version.");
pyo3::create_exception!(
    onseju.matching._core,
    OutOfSequence,
    PyValueError,
    "Commands that do not follow the last one."
);

/// Price, open quantity, number of orders.
type Level = (i64, i128, u32);
/// Cash, reserved cash, unsettled D+1 and D+2, number of open orders, and by instrument: quantity, reserved quantity, cost
/// and profit.
type AccountView = (i64, i64, i64, i64, u32, Vec<(u32, i64, i64, i64, i64)>);

/// So many commands are applied before their events are copied out: they are in the cache still.
const PIECE: usize = 64 * COMMAND_BYTES;

fn raise(error: ApplyError) -> PyErr {
    match error {
        ApplyError::Cut => PyValueError::new_err(error.to_string()),
        ApplyError::Unknown { .. } => UnknownRecord::new_err(error.to_string()),
        ApplyError::OutOfSequence { .. } => OutOfSequence::new_err(error.to_string()),
    }
}

/// The state machine. Use it from one thread at a time.
#[pyclass(name = "Engine", module = "onseju.matching._core")]
struct PyEngine {
    engine: Engine,
    commands: Vec<u8>,
    rest: Vec<u8>,
}

#[pymethods]
impl PyEngine {
    #[new]
    #[pyo3(signature = (*, keep_hash = false))]
    fn new(keep_hash: bool) -> Self {
        let mut engine = Engine::new();
        engine.keep_hash(keep_hash);
        Self { engine, commands: Vec::new(), rest: Vec::new() }
    }

    /// Apply commands and give their events. The interpreter lock is released meanwhile.
    fn apply<'py>(&mut self, py: Python<'py>, commands: &[u8]) -> PyResult<Bound<'py, PyBytes>> {
        let engine = &mut self.engine;
        let events = py.detach(|| engine.apply(commands)).map_err(raise)?;
        Ok(PyBytes::new(py, events))
    }

    /// Apply the commands of one buffer and write their events into another; gives how many bytes of events there are.
    ///
    /// Both are contiguous buffers of bytes. Where the events do not fit, `take_rest` gives what is left of them. The
    /// engine's own buffers are small, and used again and again.
    fn apply_into(
        &mut self,
        py: Python<'_>,
        commands: &Bound<'_, PyAny>,
        events: &Bound<'_, PyAny>,
    ) -> PyResult<usize> {
        let out = PyMemoryView::from(events)?;
        let room = out.len()?;
        self.rest.clear();
        let commands = match commands.cast::<PyBytes>() {
            Ok(bytes) => bytes.as_bytes(), // nothing can change them meanwhile
            Err(_) => {
                let buffer = PyBuffer::<u8>::get(commands)?;
                self.commands.resize(buffer.item_count(), 0);
                buffer.copy_to_slice(py, &mut self.commands)?;
                &self.commands
            }
        };
        let (engine, rest) = (&mut self.engine, &mut self.rest);
        py.detach(|| engine.check_commands(commands)).map_err(raise)?;
        // made by Python: PyO3's own constructor leaves an integer behind for each bound
        let slice = py.get_type::<PySlice>();
        let mut written = 0;
        for piece in commands.chunks(PIECE) {
            let given = py.detach(|| engine.apply_checked(piece));
            if !rest.is_empty() || given.len() > room - written {
                rest.extend_from_slice(given);
                continue;
            }
            let part = out.get_item(slice.call1((written, written + given.len()))?)?;
            PyBuffer::<u8>::get(&part)?.copy_from_slice(py, given)?;
            written += given.len();
        }
        Ok(written + rest.len())
    }

    /// The events of the last `apply_into` that did not fit.
    fn take_rest<'py>(&mut self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &std::mem::take(&mut self.rest))
    }

    /// The number of the last command applied.
    #[getter]
    fn last_seq(&self) -> u64 {
        self.engine.last_seq()
    }

    /// How many orders are open.
    #[getter]
    fn open_orders(&self) -> usize {
        self.engine.open_orders()
    }

    /// Bytes that the stores of open orders hold.
    #[getter]
    fn order_bytes(&self) -> usize {
        self.engine.order_bytes()
    }

    /// The state hash: kept up to date where the engine was made so, else computed in full.
    fn state_hash(&self, py: Python<'_>) -> u128 {
        py.detach(|| self.engine.state_hash())
    }

    /// The state hash, computed in full.
    fn full_state_hash(&self, py: Python<'_>) -> u128 {
        py.detach(|| self.engine.full_state_hash())
    }

    /// Keep the hash up to date from now on, or not.
    fn keep_hash(&mut self, is_on: bool) {
        self.engine.keep_hash(is_on);
    }

    /// An instrument's bids and asks, best first, as the events show them. Raises `KeyError`.
    fn book(&self, instrument: u32) -> PyResult<(Vec<Level>, Vec<Level>)> {
        self.engine.depth(instrument).map(|[bids, asks]| (bids, asks)).ok_or_else(|| PyKeyError::new_err(instrument))
    }

    /// What an account has. Raises `KeyError`.
    fn account(&self, number: u32) -> PyResult<AccountView> {
        let accounts = &self.engine.state.accounts;
        let place = accounts.find(number).ok_or_else(|| PyKeyError::new_err(number))?;
        let (balance, orders) = (accounts.at(place).balance, accounts.at(place).orders.count);
        let positions = accounts.positions.iter().filter(|position| position.account == number).map(|position| {
            let shares = &position.shares;
            (position.instrument, shares.qty, shares.reserved_qty, shares.cost_amount, shares.realized_profit)
        });
        let mut positions: Vec<_> = positions.collect();
        positions.sort_unstable();
        Ok((balance.cash, balance.reserved_cash, balance.unsettled_d1, balance.unsettled_d2, orders, positions))
    }

    /// The whole state as bytes.
    fn snapshot<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &py.detach(|| self.engine.snapshot()))
    }

    /// An engine in the state of a snapshot. Raises `ValueError`.
    #[staticmethod]
    #[pyo3(signature = (snapshot, *, keep_hash = false))]
    fn restore(py: Python<'_>, snapshot: &[u8], keep_hash: bool) -> PyResult<Self> {
        let restored = py.detach(|| Engine::restore(snapshot));
        let mut engine = restored.map_err(|error| PyValueError::new_err(error.to_string()))?;
        engine.keep_hash(keep_hash);
        Ok(Self { engine, commands: Vec::new(), rest: Vec::new() })
    }

    /// Raise `AssertionError`, with words, where the state contradicts itself.
    fn check_invariants(&self) -> PyResult<()> {
        self.engine.check_invariants().map_err(pyo3::exceptions::PyAssertionError::new_err)
    }
}

/// The fast twin of Onseju's reference engine.
#[pymodule(name = "_core")]
fn core_module(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<PyEngine>()?;
    runs::add_to(module)?;
    listeners::add_to(module)?;
    rows::add_to(module)?;
    entry::add_to(module)?;
    module.add("UnknownRecord", module.py().get_type::<UnknownRecord>())?;
    module.add("OutOfSequence", module.py().get_type::<OutOfSequence>())?;
    module.add("PanicException", module.py().get_type::<pyo3::panic::PanicException>())?;
    module.add("__version__", env!("CARGO_PKG_VERSION"))?;
    module.add("COMMAND_BYTES", COMMAND_BYTES)?;
    module.add("EVENT_BYTES", EVENT_BYTES)
}
