//! Order entry's part of the Python module `onseju.matching._core`: functions over bytes, without any state.

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict};

use crate::events::EVENT_BYTES;
use crate::server::entry::{self, EventBytes};
use crate::server::order_views::{self, Clock, Words};

type Parsed<'py> = (Bound<'py, PyBytes>, Vec<u16>, usize, Vec<usize>);
type Answered<'py> = (Bound<'py, PyBytes>, Vec<(usize, usize)>);

fn records_of<const N: usize>(bytes: &[u8]) -> PyResult<&[[u8; N]]> {
    match bytes.as_chunks::<N>() {
        (records, []) => Ok(records),
        _ => Err(PyValueError::new_err(format!("{} bytes are no whole number of records of {N}", bytes.len()))),
    }
}

/// Raise where `ends` are not those of commands whose events are `payload`.
fn check_ends(ends: &[usize], payload: &[EventBytes]) -> PyResult<()> {
    let whole = ends.iter().all(|end| end % EVENT_BYTES == 0);
    if whole && ends.is_sorted() && ends.last().is_none_or(|&end| end <= size_of_val(payload)) {
        return Ok(());
    }
    Err(PyValueError::new_err("the ends do not fit the events"))
}

/// Check commands as their caller sent them: the good ones stamped, a reason for each (0 = good), how many are cancels, and
/// the places of the good ones with an id, whose bodies' hashes are still zero.
#[pyfunction]
fn check_records<'py>(
    py: Python<'py>,
    records: &[u8],
    account: u32,
    instruments: u32,
    needs_id: bool,
) -> PyResult<Parsed<'py>> {
    let found = entry::check(records_of(records)?, account, instruments, needs_id);
    Ok((PyBytes::new(py, &found.good), found.reasons, found.cancels, found.named))
}

/// The answers to commands, and the places and bytes of those that are left out.
#[pyfunction]
#[allow(clippy::too_many_arguments)] // they are Python's, by name
fn answer_records<'py>(
    py: Python<'py>,
    reasons: Vec<u16>,
    first_seq: u64,
    kinds: &[u8],
    payload: &[u8],
    ends: Vec<usize>,
    account: u32,
    statuses: Vec<u16>,
) -> PyResult<Answered<'py>> {
    let payload = records_of(payload)?;
    check_ends(&ends, payload)?;
    let good = reasons.iter().filter(|&&reason| reason == 0).count();
    if good != ends.len() || good != kinds.len() {
        return Err(PyValueError::new_err("there must be events for each good command"));
    }
    let found = entry::answer(&reasons, first_seq, kinds, payload, &ends, account, &statuses);
    Ok((PyBytes::new(py, &found.bytes), found.left))
}

/// Makes the JSON of orders that were taken.
#[pyclass(name = "OrderViews", module = "onseju.matching._core")]
struct PyOrderViews {
    words: Words,
    clock: Clock,
    out: Vec<u8>,
}

#[pymethods]
impl PyOrderViews {
    /// `symbols` are JSON strings by instrument, `reasons` codes by number; the first of each stands for none.
    #[new]
    fn new(symbols: Vec<String>, reasons: Vec<String>) -> Self {
        Self { words: Words { symbols, reasons }, clock: Clock::default(), out: Vec::new() }
    }

    /// The order that each command was about, as JSON; None for those that are left to the plain form. `texts` are the
    /// blocks' texts by their place.
    fn orders<'py>(
        &mut self,
        py: Python<'py>,
        payload: &[u8],
        ends: Vec<usize>,
        texts: &Bound<'py, PyDict>,
    ) -> PyResult<Vec<Option<Bound<'py, PyBytes>>>> {
        let payload = records_of(payload)?;
        check_ends(&ends, payload)?;
        let mut found = Vec::with_capacity(ends.len());
        let mut start = 0;
        for (place, end) in ends.into_iter().enumerate() {
            let events = &payload[start..end / EVENT_BYTES];
            start = end / EVENT_BYTES;
            let text = match if texts.is_empty() { None } else { texts.get_item(place)? } {
                Some(text) => text.extract::<String>()?,
                None => String::new(),
            };
            self.out.clear();
            let made = order_views::order(&mut self.out, events, &text, &self.words, &mut self.clock);
            found.push(made.map(|()| PyBytes::new(py, &self.out)));
        }
        Ok(found)
    }
}

/// Add it all to the module.
pub(crate) fn add_to(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<PyOrderViews>()?;
    module.add_function(wrap_pyfunction!(check_records, module)?)?;
    module.add_function(wrap_pyfunction!(answer_records, module)?)
}
