//! The rows of the read side's tables for `onseju.matching._core`: see `onseju/projections/core_rows.py`.

use std::panic::{AssertUnwindSafe, catch_unwind};

use pyo3::exceptions::{PyRuntimeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};

use crate::server::table_rows::{NAME, TableRows, Texts, are_events};

/// Rows as Python wants them: their values, one row after the other.
trait Rows {
    fn count(&self) -> usize;
    fn values<'py>(&self, py: Python<'py>, start: usize, stop: usize) -> PyResult<Bound<'py, PyTuple>>;
}

/// The rows from `start` to `stop`, as far as they are there.
fn part<T>(rows: &[T], start: usize, stop: usize) -> &[T] {
    rows.get(start..stop.min(rows.len())).unwrap_or_default()
}

struct Numbers<'a, const N: usize>(&'a [[i64; N]]);

impl<const N: usize> Rows for Numbers<'_, N> {
    fn count(&self) -> usize {
        self.0.len()
    }

    fn values<'py>(&self, py: Python<'py>, start: usize, stop: usize) -> PyResult<Bound<'py, PyTuple>> {
        PyTuple::new(py, part(self.0, start, stop).as_flattened())
    }
}

struct Orders<'a>(&'a TableRows);

impl Rows for Orders<'_> {
    fn count(&self) -> usize {
        self.0.orders.len()
    }

    fn values<'py>(&self, py: Python<'py>, start: usize, stop: usize) -> PyResult<Bound<'py, PyTuple>> {
        let rows = part(&self.0.orders, start, stop);
        let mut values = Vec::with_capacity(rows.len() * 22);
        for row in rows {
            for (at, number) in row.numbers.iter().enumerate() {
                values.push(if at == NAME {
                    row.name.as_deref().into_pyobject(py)?.into_any()
                } else {
                    number.into_pyobject(py)?.into_any()
                });
            }
        }
        PyTuple::new(py, values)
    }
}

/// The rows of one batch.
#[pyclass(name = "TableRows", module = "onseju.matching._core")]
struct PyTableRows(TableRows);

impl PyTableRows {
    fn rows(&self, table: &str) -> PyResult<Box<dyn Rows + '_>> {
        let rows = &self.0;
        Ok(match table {
            "orders" => Box::new(Orders(rows)),
            "order_fills" => Box::new(Numbers(&rows.order_fills)),
            "fills" => Box::new(Numbers(&rows.fills)),
            "trades" => Box::new(Numbers(&rows.trades)),
            "balances" => Box::new(Numbers(&rows.balances)),
            "positions" => Box::new(Numbers(&rows.positions)),
            "candles" => Box::new(Numbers(&rows.candles)),
            _ => return Err(PyValueError::new_err(format!("no rows are called {table}"))),
        })
    }
}

/// Run without the interpreter lock. A panic becomes a `RuntimeError`: what waits for an `Exception` sees it.
fn detached(py: Python<'_>, run: impl FnOnce() + Send) -> PyResult<()> {
    let ran = py.detach(|| catch_unwind(AssertUnwindSafe(run)));
    ran.map_err(|_| PyRuntimeError::new_err("the folding of rows in the core panicked; its rows cannot be trusted"))
}

#[pymethods]
impl PyTableRows {
    #[new]
    fn new() -> Self {
        Self(TableRows::default())
    }

    /// `ends` is needed where there are texts, which are by the command's place.
    fn add(
        &mut self,
        py: Python<'_>,
        payload: &[u8],
        day_start: i64,
        ends: Vec<usize>,
        texts: &Bound<'_, PyDict>,
    ) -> PyResult<()> {
        if !are_events(payload) {
            return Err(PyValueError::new_err(format!("{} bytes are no whole number of events", payload.len())));
        }
        let mut found = Vec::with_capacity(texts.len());
        for (place, text) in texts {
            found.push((place.extract::<usize>()?, text.extract::<String>()?));
        }
        found.sort_unstable_by_key(|(place, _)| *place);
        if found.last().is_some_and(|(place, _)| *place >= ends.len()) {
            return Err(PyValueError::new_err("a text is of a command that is not there"));
        }
        if ends.iter().any(|end| *end > payload.len()) || !ends.is_sorted() {
            return Err(PyValueError::new_err("the commands' ends are not those of these events"));
        }
        detached(py, || self.0.add(payload, day_start, &Texts { ends: &ends, texts: &found }))
    }

    fn cash(&self, account: u32) -> Option<i64> {
        self.0.cash(account)
    }

    fn shares(&self, account: u32, instrument: u32) -> Option<i64> {
        self.0.shares(account, instrument)
    }

    fn finish(&mut self, py: Python<'_>) -> PyResult<()> {
        detached(py, || self.0.finish())
    }

    /// Orders accepted, done, and rejected.
    fn counts(&self) -> (u64, u64, u64) {
        (self.0.accepted, self.0.done, self.0.rejected)
    }

    fn count(&self, table: &str) -> PyResult<usize> {
        Ok(self.rows(table)?.count())
    }

    fn values<'py>(&self, py: Python<'py>, table: &str, start: usize, stop: usize) -> PyResult<Bound<'py, PyTuple>> {
        self.rows(table)?.values(py, start, stop)
    }
}

/// Add the rows to the module.
pub(crate) fn add_to(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<PyTableRows>()
}
