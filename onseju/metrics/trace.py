"""The id of the request that is being worked on, for every log line on its way."""

from __future__ import annotations

from contextvars import ContextVar

REQUEST_ID: ContextVar[str] = ContextVar("onseju_request_id", default="")
"""Set by the gateway for a request's own task, and so for the tasks that it starts."""
