"""Which `Host` the server answers for (a foreign one is a rebinding attack), and whether an `Origin` is our own."""

from __future__ import annotations

from collections.abc import Iterable

_DEFAULT_PORTS = {"http": ":80", "https": ":443"}


def host_name(host: str) -> str:
    """A `Host` header's name without its port, lower case. An IPv6 address keeps its brackets."""
    host = host.strip().lower()
    if host.startswith("["):
        return host[: host.find("]") + 1]
    return host.partition(":")[0].rstrip(".")


class AllowedHosts:
    """The names that the server answers for, with any port. `*` allows every name."""

    def __init__(self, names: Iterable[str]) -> None:
        self._names = {name.lower() for name in names}
        self._any = "*" in self._names

    def allows(self, host: bytes) -> bool:
        """Whether a `Host` header's value is one of ours."""
        return self._any or host_name(host.decode("latin-1")) in self._names


def same_origin(origin: str, scheme: str, host: str) -> bool:
    """Whether a browser's `Origin` is the page that this very address serves (`ws` counts as `http`)."""
    web = {"ws": "http", "wss": "https"}.get(scheme, scheme)
    return _without_default_port(origin.lower(), web) == _without_default_port(f"{web}://{host.lower()}", web)


def _without_default_port(origin: str, scheme: str) -> str:
    return origin.removesuffix(_DEFAULT_PORTS.get(scheme, ""))
