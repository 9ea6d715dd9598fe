"""From path and method to operation: one look-up for plain paths, a few patterns for paths with parameters."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from starlette.convertors import Convertor
from starlette.routing import compile_path

from onseju.gateway.operations import Operation

WEBSOCKET = "WS"

Methods = dict[str, Operation]


class RouteTable:
    """All operations by address."""

    def __init__(self, operations: Iterable[Operation]) -> None:
        self._plain: dict[str, Methods] = {}
        self._patterns: list[tuple[re.Pattern[str], dict[str, Convertor[Any]], Methods]] = []
        by_path: dict[str, Methods] = {}
        for operation in operations:
            methods = by_path.setdefault(operation.path, {})
            if operation.method in methods:
                raise ValueError(f"{operation.method} {operation.path} is declared twice")
            methods[operation.method] = operation
        for path, methods in by_path.items():
            pattern, _, convertors = compile_path(path)
            if convertors:
                self._patterns.append((pattern, convertors, methods))
            else:
                self._plain[path] = methods

    def find(self, path: str) -> tuple[Methods, dict[str, Any]] | None:
        """The methods of a path and the values of its parameters; None for an address that is not in the table."""
        methods = self._plain.get(path)
        if methods is not None:
            return methods, {}
        for pattern, convertors, candidates in self._patterns:
            match = pattern.match(path)
            if match is not None:
                values = match.groupdict()
                return candidates, {name: convertors[name].convert(text) for name, text in values.items()}
        return None


def allowed_methods(methods: Methods) -> str:
    """The `Allow` header."""
    names = {name for name in methods if name != WEBSOCKET}
    if "GET" in names:
        names.add("HEAD")
    return ", ".join(sorted(names))
