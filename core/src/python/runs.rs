//! Functions of the Python module for many commands at once: what the exchange and its logs do beside the engine. Their
//! fallbacks in Python are `onseju/exchange/commands.py`, `annotations.py` and `onseju/journal/runs.py`.
//!
//! Numbers by place are given and taken as the bytes of Python's `array("Q")` and `array("q")`.

use std::cell::RefCell;

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedStr;
use pyo3::types::{PyBytes, PyDict};

use crate::commands::COMMAND_BYTES;
use crate::server::journal_frames::{Blocks, Chain, Frames, Head, frame_blocks, frame_commands, scan};
use crate::server::order_texts::OrderTexts;
use crate::server::runs;

/// Texts by place, in its order.
struct Texts(Vec<(u64, PyBackedStr)>);

impl Texts {
    fn of(texts: &Bound<'_, PyDict>) -> PyResult<Self> {
        let mut found = Vec::with_capacity(texts.len());
        for (place, text) in texts {
            found.push((place.extract()?, text.extract()?));
        }
        found.sort_unstable_by_key(|(place, _)| *place);
        Ok(Self(found))
    }

    fn all(&self) -> Vec<(u64, &str)> {
        self.0.iter().map(|(place, text)| (*place, &**text)).collect()
    }
}

fn wrong(what: &str) -> PyErr {
    PyValueError::new_err(format!("{what} cannot be so long, or so many"))
}

fn u64s(bytes: &[u8]) -> Vec<u64> {
    bytes.as_chunks::<8>().0.iter().map(|number| u64::from_ne_bytes(*number)).collect()
}

fn bytes_of<'py>(py: Python<'py>, numbers: &[u64]) -> Bound<'py, PyBytes> {
    let bytes: Vec<u8> = numbers.iter().flat_map(|number| number.to_ne_bytes()).collect();
    PyBytes::new(py, &bytes)
}

/// As much memory as one call leaves to the next.
const KEPT_BYTES: usize = 4 << 20;

thread_local! {
    /// The buffer of the last frames: fresh memory for each batch costs more than a checksum of it.
    static ROOM: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// Less than this is framed with the interpreter's lock held: it takes some 0.1 ms, and to get the lock back from a busy
/// thread as much as the interpreter's switch interval.
const ALONE_BYTES: usize = 64 << 10;

/// Work on so many bytes, beside the interpreter's other threads where they are many.
fn at_work<T: Send>(py: Python<'_>, bytes: usize, work: impl FnOnce() -> T + Send) -> T {
    if bytes < ALONE_BYTES { work() } else { py.detach(work) }
}

type Framed<'py> = (Bound<'py, PyBytes>, Bound<'py, PyBytes>, Bound<'py, PyBytes>);

fn framed<'py>(py: Python<'py>, frames: Option<Frames>) -> PyResult<Framed<'py>> {
    let mut frames = frames.ok_or_else(|| wrong("records"))?;
    let bytes = PyBytes::new(py, &frames.bytes);
    if frames.bytes.capacity() <= KEPT_BYTES {
        frames.bytes.clear();
        ROOM.set(frames.bytes);
    }
    Ok((bytes, PyBytes::new(py, &frames.chain), bytes_of(py, &frames.ends)))
}

/// The commands with the numbers from `first_seq` on, and one time. Raises `ValueError` where they are not whole.
#[pyfunction]
fn number<'py>(py: Python<'py>, commands: &[u8], first_seq: u64, ts: i64) -> PyResult<Bound<'py, PyBytes>> {
    if !commands.len().is_multiple_of(COMMAND_BYTES) {
        return Err(PyValueError::new_err(format!("commands are {COMMAND_BYTES} bytes each")));
    }
    PyBytes::new_with(py, commands.len(), |numbered| {
        numbered.copy_from_slice(commands);
        runs::number(numbered, first_seq, ts);
        Ok(())
    })
}

/// The byte behind each command's events, as far as they are numbered from `first_seq` on.
#[pyfunction]
fn ends<'py>(py: Python<'py>, events: &[u8], first_seq: u64) -> Bound<'py, PyBytes> {
    bytes_of(py, &runs::ends(events, first_seq))
}

/// Journal records: their bytes, the last one's chain, and the byte behind each.
#[pyfunction(name = "frame_commands")]
fn py_frame_commands<'py>(
    py: Python<'py>,
    head: Head,
    commands: &[u8],
    texts: &Bound<'_, PyDict>,
    chain: Chain,
) -> PyResult<Framed<'py>> {
    let texts = Texts::of(texts)?;
    let frames = at_work(py, commands.len(), || frame_commands(ROOM.take(), &head, commands, &texts.all(), chain));
    framed(py, frames)
}

/// Event blocks: their bytes, the last one's chain, and the byte behind each.
#[pyfunction(name = "frame_blocks")]
#[allow(clippy::too_many_arguments)] // they are the parts of a run
fn py_frame_blocks<'py>(
    py: Python<'py>,
    head: Head,
    first_seq: u64,
    kinds: &[u8],
    timestamps: &[u8],
    events: &[u8],
    ends: &[u8],
    texts: &Bound<'_, PyDict>,
    chain: Chain,
) -> PyResult<Framed<'py>> {
    let texts = Texts::of(texts)?;
    let frames = at_work(py, events.len(), || {
        let timestamps: Vec<i64> = u64s(timestamps).into_iter().map(|number| number as i64).collect();
        let blocks = Blocks { first_seq, kinds, timestamps: &timestamps, events, ends: &u64s(ends) };
        frame_blocks(ROOM.take(), &head, &blocks, &texts.all(), chain)
    });
    framed(py, frames)
}

/// What a scan found: the first record's head, the last one's chain, the byte behind each record, the commands or events,
/// the byte behind each block's events, kinds and times of blocks, texts by place.
type Scanned<'py> = (
    Bound<'py, PyBytes>,
    Bound<'py, PyBytes>,
    Bound<'py, PyBytes>,
    Bound<'py, PyBytes>,
    Bound<'py, PyBytes>,
    Bound<'py, PyBytes>,
    Bound<'py, PyBytes>,
    Bound<'py, PyDict>,
);

/// The records at the beginning of `bytes` (from `start` on), as many as are whole, as expected and alike.
#[pyfunction(name = "scan_records")]
fn py_scan<'py>(
    py: Python<'py>,
    bytes: &[u8],
    start: usize,
    first_seq: u64,
    limit: usize,
    chain: Option<Chain>,
    are_blocks: bool,
) -> PyResult<Scanned<'py>> {
    let found = py.detach(|| scan(bytes, start, first_seq, limit, chain, are_blocks));
    let texts = PyDict::new(py);
    for (place, text) in found.texts {
        texts.set_item(place, text)?;
    }
    let timestamps: Vec<u64> = found.timestamps.into_iter().map(|ts| ts as u64).collect();
    Ok((
        PyBytes::new(py, &found.head),
        PyBytes::new(py, &found.chain),
        bytes_of(py, &found.ends),
        PyBytes::new(py, &found.body),
        bytes_of(py, &found.body_ends),
        PyBytes::new(py, &found.kinds),
        bytes_of(py, &timestamps),
        texts,
    ))
}

/// The texts of open orders; makes those of event blocks.
#[pyclass(name = "OrderTexts", module = "onseju.matching._core")]
struct PyOrderTexts {
    texts: OrderTexts,
}

#[pymethods]
impl PyOrderTexts {
    #[new]
    fn new(texts: &Bound<'_, PyDict>) -> PyResult<Self> {
        let mut kept = OrderTexts::default();
        for (order, text) in texts {
            let text: PyBackedStr = text.extract()?;
            kept.by_order.insert(order.extract()?, Box::from(&*text));
        }
        Ok(Self { texts: kept })
    }

    fn __len__(&self) -> usize {
        self.texts.by_order.len()
    }

    /// The texts by order id.
    fn by_order<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let found = PyDict::new(py);
        let mut orders: Vec<_> = self.texts.by_order.iter().collect();
        orders.sort_unstable_by_key(|(order, _)| **order);
        for (order, text) in orders {
            found.set_item(order, text.as_ref())?;
        }
        Ok(found)
    }

    /// The texts of the blocks that have one, by place; `given` came beside the commands.
    fn annotate<'py>(
        &mut self,
        py: Python<'py>,
        commands: &[u8],
        given: &Bound<'py, PyDict>,
        events: &[u8],
        ends: &[u8],
    ) -> PyResult<Bound<'py, PyDict>> {
        let found = PyDict::new(py);
        if given.is_empty() && self.texts.by_order.is_empty() {
            return Ok(found);
        }
        let given = Texts::of(given)?;
        for (place, text) in self.texts.annotate(commands, &given.all(), events, &u64s(ends)) {
            found.set_item(place, text)?;
        }
        Ok(found)
    }
}

/// Put all of this into the module.
pub(crate) fn add_to(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<PyOrderTexts>()?;
    module.add_function(wrap_pyfunction!(number, module)?)?;
    module.add_function(wrap_pyfunction!(ends, module)?)?;
    module.add_function(wrap_pyfunction!(py_frame_commands, module)?)?;
    module.add_function(wrap_pyfunction!(py_frame_blocks, module)?)?;
    module.add_function(wrap_pyfunction!(py_scan, module)?)
}
