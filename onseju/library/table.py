"""Reads the columns of any table: polars, pandas, PyArrow and whatever else speaks the Arrow C stream; NumPy; dicts.

Nothing here looks at single rows in Python. Text becomes codes into a short list of its distinct words.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from importlib import import_module
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]


class TableError(ValueError):
    """A table of orders cannot be read. Nothing of it was applied. `row` counts from 0; None: the whole column."""

    def __init__(self, column: str, row: int | None, words: str) -> None:
        super().__init__(f"column {column}: {words}" if row is None else f"column {column}, row {row}: {words}")
        self.column = column
        self.row = row


def meant(given: object, known: Iterable[str], most: int = 8) -> str:
    """The end of a complaint about a name: the known one that is nearest, and what there is; no more than `most`."""
    names = list(known)
    near = get_close_matches(given.lower(), names, 1, 0.75) if isinstance(given, str) else []
    ask = f"; did you mean {near[0]!r}?" if near else ""
    more = f" and {len(names) - most:,} more" if len(names) > most else ""
    return f"{ask or ';'} there {'is' if len(names) == 1 else 'are'} {', '.join(names[:most]) or 'none yet'}{more}"


class Column(NamedTuple):
    """A column as NumPy has it. `values` are int64, uint64 or float64; where `words` is given they are codes into it.

    `missing` marks nulls, NaN and NaT; None where there are none.
    """

    name: str
    values: npt.NDArray[Any]
    words: list[str] | None = None
    missing: Mask | None = None

    def at(self, row: int) -> object:
        """The value of a row, for messages."""
        if self.missing is not None and self.missing[row]:
            return None
        value = self.values[row]
        return self.words[int(value)] if self.words is not None else value.item()


def read(table: object) -> tuple[dict[str, Column], int]:
    """The columns of a table by name, and how many rows it has. Raises `TableError`, and `TypeError` for no table."""
    columns = {name: _column(name, values) for name, values in _series(table).items()}
    lengths = {name: len(column.values) for name, column in columns.items()}
    count = next(iter(lengths.values()), 0)
    for name, length in lengths.items():
        if length != count:
            raise TableError(name, None, f"{length} rows, where {next(iter(lengths))} has {count}")
    return columns, count


def _series(table: object) -> dict[str, Any]:
    """What stands under each name, as it is."""
    if isinstance(table, Mapping):
        return {str(name): values for name, values in table.items()}
    if isinstance(table, np.ndarray):
        if table.dtype.names is None or table.ndim != 1:
            raise TypeError(f"a table of orders must be a structured array of one dimension, not {table.dtype}")
        return {name: table[name] for name in table.dtype.names}
    arrow = _arrow()
    if arrow is not None and hasattr(table, "__arrow_c_stream__"):
        found = arrow.table(table)
        return {str(name): found.column(place) for place, name in enumerate(found.column_names)}
    if hasattr(table, "collect"):
        raise TypeError(f"{type(table).__name__} is no table yet: run(table.collect())")
    if hasattr(table, "columns") and hasattr(table, "__getitem__"):
        return {str(name): table[name] for name in table.columns}
    raise TypeError(
        f"{type(table).__name__} is no table of orders: give a DataFrame, an Arrow table or columns by name"
    )


def _column(name: str, series: Any) -> Column:
    arrow = _arrow()
    if arrow is not None and isinstance(series, arrow.ChunkedArray | arrow.Array):
        return _from_arrow(name, series, arrow)
    values = np.asarray(series)
    if values.ndim != 1:
        what = "a single value; lists or arrays make columns, a keyword stands for all rows: run(…, {0}={1!r})"
        raise TableError(
            name,
            None,
            f"one value a row is needed, here are {values.ndim} dimensions"
            if values.ndim
            else what.format(name, values.item()),
        )
    if values.dtype.kind in "OUT":
        if arrow is not None:
            return _from_arrow(name, _to_arrow(name, values, arrow), arrow)
        if values.dtype.kind == "U":
            words, codes = np.unique(values, return_inverse=True)
            return Column(name, codes.astype(np.int64), words.tolist())
        raise TableError(
            name, None, f"dtype {values.dtype} cannot be read without PyArrow: pip install 'onseju[research]'"
        )
    if values.dtype.kind == "S":
        words, codes = np.unique(values, return_inverse=True)
        return Column(name, codes.astype(np.int64), [word.decode("utf-8", "replace") for word in words.tolist()])
    return _from_numbers(name, values)


def _to_arrow(name: str, values: npt.NDArray[Any], arrow: Any) -> Any:
    try:
        return arrow.array(values, from_pandas=True)
    except (arrow.ArrowInvalid, arrow.ArrowTypeError) as error:
        raise TableError(name, None, f"dtype {values.dtype} holds values of different kinds: {error}") from None


def _from_arrow(name: str, series: Any, arrow: Any) -> Column:
    types, kind = arrow.types, series.type
    missing = np.asarray(series.is_null()) if series.null_count else None
    if types.is_string(kind) or types.is_large_string(kind) or types.is_string_view(kind):
        series = series.cast(arrow.large_string()).dictionary_encode()
    if types.is_dictionary(series.type):
        return _from_codes(name, series.chunks if isinstance(series, arrow.ChunkedArray) else [series], missing)
    if types.is_null(kind):
        return Column(name, np.zeros(len(series), np.int64), None, np.ones(len(series), np.bool_))
    if types.is_timestamp(kind):
        series = series.cast(arrow.timestamp("us", tz=kind.tz)).cast(arrow.int64())
    elif not (types.is_integer(kind) or types.is_floating(kind)):
        raise TableError(name, None, f"{kind} is neither text nor numbers")
    if missing is not None:
        series = series.fill_null(0)
    found = _from_numbers(name, np.asarray(series))
    return found if missing is None else found._replace(missing=_either(found.missing, missing))


def _from_codes(name: str, chunks: list[Any], missing: Mask | None) -> Column:
    """A column of words: each chunk has codes into words of its own."""
    words: list[str] = []
    codes = [np.empty(0, np.int64)]
    for chunk in chunks:
        codes.append(np.asarray(chunk.indices.fill_null(0)).astype(np.int64) + len(words))
        words += chunk.dictionary.to_pylist() or [""]
    return Column(name, np.concatenate(codes), words, missing)


def _from_numbers(name: str, values: npt.NDArray[Any]) -> Column:
    match values.dtype.kind:
        case "i":
            return Column(name, values.astype(np.int64, copy=False))
        case "u":
            return Column(name, values.astype(np.int64 if values.dtype.itemsize < 8 else np.uint64, copy=False))
        case "f":
            floats = values.astype(np.float64, copy=False)
            missing = np.isnan(floats)
            return Column(name, floats, None, missing if missing.any() else None)
        case "M":
            missing = np.isnat(values)
            ts = values.astype("datetime64[us]").astype(np.int64)
            return Column(name, ts, None, missing if missing.any() else None)
    raise TableError(name, None, f"{values.dtype} is neither text nor numbers")


def _either(one: Mask | None, other: Mask) -> Mask:
    return other if one is None else one | other


def _arrow() -> Any:
    """PyArrow, where it is installed."""
    try:
        return import_module("pyarrow")
    except ModuleNotFoundError:
        return None
