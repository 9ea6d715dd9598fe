"""Settings: `onseju.toml`, `ONSEJU_…` in the environment, or options on the command line. Every bound has its unit in its name."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Literal, Self

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict, TomlConfigSettingsSource

ADMIN_KEY = re.compile(r"[^\s.]+\.\S{16,}", re.ASCII)
"""What a bootstrap admin key looks like: an empty one would be a key that everybody has."""


class Settings(BaseSettings):
    """What a host may set. The defaults are a demo on this machine alone."""

    model_config = SettingsConfigDict(env_prefix="ONSEJU_", toml_file="onseju.toml", extra="forbid")

    host: str = "127.0.0.1"
    port: int = Field(8000, ge=0, le=65535)
    data_dir: Path = Path("data")
    venue: int = 1
    rules: str = "krx"
    """Rules of a new venue: `krx`, `plain`, or the path of a TOML file with a host's own pack."""
    market_hours: Literal["krx", "always", "fast"] = "always"
    """When the market is open: Korea's hours, day and night, or Korea's hours in fast time."""
    sessions: Literal["krx", "nxt"] = "krx"
    """Whose hours: those of KRX or of Nextrade."""
    clock_speed: float = Field(570.0, ge=1, le=3600)
    """Seconds of the exchange's time in a real second, with `market_hours = "fast"`: 08:30 to 18:00 in a minute."""
    engine: Literal["native", "reference"] | None = None
    """The matching engine. Default: the native one, or the reference where its core is not compiled."""
    bots: bool = True
    seed: int | None = None
    """Fixes the bots' draws and the random ends of auctions. Without one those ends can be foretold by nobody."""
    sign_up: Literal["open", "closed"] = "open"
    allow_plain_http: bool = False
    allowed_hosts: list[str] = ["localhost", "127.0.0.1", "[::1]"]
    admin_key: SecretStr | None = None
    """The bootstrap admin key, `KEY.SECRET`. Default: made at the first start, kept in `DATA_DIR/admin.key`."""

    metrics_key: SecretStr | None = None
    """A bearer key that opens `/metrics` and nothing else. Without one, scraping needs the scope admin."""
    ready_free_mib: int = Field(256, ge=0)
    """With less free space on the data folder's disk, `/readyz` says no."""
    ready_lag_s: float = Field(5.0, gt=0)
    """When the tables are further behind the exchange, `/readyz` says no."""
    log_format: Literal["auto", "json", "text"] = "auto"
    """The log's form: a JSON object a line, or text for people. `auto`: text on a terminal, else JSON."""
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    log_requests: bool = False
    """Whether each HTTP request gets a line in the log: its id, operation, status, time and account."""

    starting_cash: int = Field(100_000_000, ge=0)
    """Play money of a new account, in the venue's smallest unit."""
    starting_shares: int = Field(10, ge=0)
    """Shares of each demo instrument that a new account gets, at the base price."""

    fsync: bool = True
    journal_segment_mib: int = Field(16, ge=1, le=1024)
    """Size of the journal's files; the disk's blocks of each are reserved when it begins."""
    journal_reserve_mib: int = Field(4, ge=1, le=1024)
    """Of the disk, for each of journal and event log: for cancels, halts and phases when it is full."""
    snapshot_every_commands: int = Field(250_000, ge=0)
    """A snapshot is taken after so many commands: a start replays no more than about that. 0 = none is taken."""
    journal_retention: Literal["keep", "archive", "drop"] = "keep"
    """What becomes of segments that no start, repeat or table needs any more."""
    journal_archive_dir: Path | None = None
    """Where `archive` moves them. Default: `DATA_DIR/archive`."""
    bus_capacity: int = Field(20_000, ge=1)
    """Commands that may wait for the exchange; more are refused with 503."""
    ring_events: int = Field(200_000, ge=1_000)
    """Account events kept in memory for streams; older ones come from the event log."""
    stream_buffer_bytes: int = Field(256 * 1024, ge=4096)
    """Bytes that a stream's client may leave unread before it is cut off."""
    stream_stall_s: float = Field(30.0, gt=0)
    """How long a stream's client may take nothing while something waits for it, before it is cut off."""
    stream_in_flight_messages: int = Field(128, ge=1, le=10_000)
    """Messages of one WebSocket that may wait for their answers; then no more are read from it."""
    stream_in_flight_records: int = Field(2_000, ge=600)
    """Commands in records of one WebSocket that may wait for their answers; then no more are read from it."""
    max_streams: int = Field(12_000, ge=1)
    max_streams_per_account: int = Field(20, ge=1)
    order_rate_per_s: int = Field(200, ge=1)
    """New orders and corrections a second and account, with a burst of five seconds' worth. Batches count each order."""
    cancel_rate_per_s: int = Field(1000, ge=1)
    query_rate_per_s: int = Field(100, ge=1)
    stream_rate_per_s: int = Field(50, ge=1)
    """Openings of streams, and messages on them that are no orders, a second and account."""
    wrong_credentials_per_s: int = Field(10, ge=1)
    """Wrong keys, signatures and cookies a second and address; beyond them none is even looked up."""
    max_connections_per_address: int = Field(16_384, ge=1)
    """Connections of one address at a time, a quarter of the files that the server asks the system for."""
    max_head_bytes: int = Field(64 * 1024, ge=4096)
    """A request's address and headers together, or a body's trailers."""
    head_timeout_s: float = Field(15.0, gt=0)
    """How long a request's head may take to arrive, however steadily its bytes drip."""
    body_timeout_s: float = Field(15.0, gt=0)
    """The same for its body."""
    max_pipelined_requests: int = Field(1000, ge=1)
    """Requests of one connection that may wait for the answer to the one before."""
    max_message_fragments: int = Field(1024, ge=1)
    """Fragments of one WebSocket message. Their bytes are bounded by themselves, but fragments may be empty."""
    login_rate_per_min: int = Field(20, ge=1)
    """Sign-ups and log-ins a minute and address."""
    wrong_passwords_per_hour: int = Field(60, ge=1)
    """Wrong passwords an hour for one name, from all addresses together; then its log-ins wait."""
    signing_key: SecretStr | None = None
    """What the secrets of signed API keys are derived from, 64 hex digits. Default: `DATA_DIR/signing.key`, made at the first
    start. All gateways of a venue need the same."""
    identity_cache_s: float = Field(2.0, gt=0, le=60)
    """How long a gateway that cannot hear what others change trusts a key or a session that it has read."""
    min_seq_wait_s: float = Field(2.0, ge=0)
    min_seq_waiters: int = Field(1000, ge=1)
    projector_nice: int = Field(10, ge=0, le=19)
    """How much lower the priority of the tables' process is: where the processors are busy, orders go first."""
    session_hours: int = Field(24 * 7, ge=1)

    database_url: SecretStr | None = None
    """PostgreSQL of a venue on many machines, `postgresql://user:password@host:port/database`: journal, tables and users."""
    rocketmq_endpoints: str | None = None
    """RocketMQ's proxy, `host:port`: the bus of a venue on many machines."""
    gateway_id: int = Field(1, ge=1, le=9999)
    """This gateway's number: no two gateways of a venue that run at the same time have the same."""
    status_host: str = "127.0.0.1"
    """Where an exchange and a projector answer `/healthz`, `/readyz` and `/metrics`. They ask nobody who they are."""
    status_port: int = Field(8100, ge=0, le=65535)
    """The port of it; 0 takes a free one."""
    topology: list[str] = []
    """The addresses, `http://host:port`, of exchanges, gateways and projectors that the topology page shows."""

    kis: Literal["simulator", "mock", "live"] = "simulator"
    """Whose prices the page shows: this exchange's own in KIS's format, or Korea Investment's."""
    kis_app_key: SecretStr | None = None
    kis_app_secret: SecretStr | None = None
    kis_share_with_loopback: bool = False
    """With the real KIS: let pages on this machine have the host's approval key, not only the admin's."""
    kis_layout: Literal["auto", "old", "mid", "new"] = "auto"
    """Record widths of KIS frames: by the date (they changed in June and on 2026-09-14), or always the same."""

    @field_validator("rules")
    @classmethod
    def _rules_ship_or_stand_in_a_file(cls, rules: str) -> str:
        if rules not in ("krx", "plain") and not rules.endswith(".toml"):
            raise ValueError("krx, plain, or the path of a TOML file (its name ends in .toml)")
        return rules

    @field_validator("admin_key", "metrics_key")
    @classmethod
    def _a_key_is_hard_to_guess(cls, key: SecretStr | None) -> SecretStr | None:
        if key is not None and not ADMIN_KEY.fullmatch(key.get_secret_value()):
            raise ValueError("a key looks like KEY.SECRET, its secret at least 16 characters long")
        return key

    @model_validator(mode="after")
    def _kis_needs_its_keys(self) -> Self:
        if self.kis != "simulator" and (self.kis_app_key is None or self.kis_app_secret is None):
            raise ValueError(f"kis={self.kis} needs kis_app_key and kis_app_secret")
        return self

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Options first, then the environment, then the file."""
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls)
