"""What every process settles before it opens anything: the rules, the data folder, the host's own key."""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Callable
from pathlib import Path

from pydantic import SecretStr

from onseju.journal.files import Files
from onseju.rules import pack_file, packs
from onseju.rules.pack import RulePack
from onseju.settings import ADMIN_KEY, Settings

Progress = Callable[[str, int, int], None]
"""Told while starting: what is being done, how much of it is done, how much there is. What it raises ends the start."""


class CannotStartError(Exception):
    """The exchange cannot start; the text says why and what to do."""


def rule_pack(rules: str) -> RulePack:
    """The pack that the setting names: one that ships, or a host's own file. Raises `CannotStartError`."""
    if rules in packs.RULES_NAMES:
        return packs.PACKS[packs.rules_name(rules)]
    try:
        return pack_file.read(Path(rules))
    except pack_file.PackFileError as error:
        raise CannotStartError(f"The rules cannot be used. {error}") from error
    except OSError as error:
        raise CannotStartError(f"The rules cannot be read: {rules} ({error.strerror}).") from error


def with_data_folder(settings: Settings) -> Settings:
    """The settings with the bootstrap admin key in them, after the data folder was made. Raises `CannotStartError`."""
    try:
        Files().make_directory(settings.data_dir)
        key = admin_key(settings)
    except OSError as error:
        where = error.filename or settings.data_dir
        raise CannotStartError(
            f"{where} cannot be used ({error.strerror}). Choose a data folder that this user may write: --data-dir DIR"
        ) from error
    return settings.model_copy(update={"admin_key": SecretStr(key)})


def admin_key(settings: Settings) -> str:
    """The bootstrap admin key: the setting, or `DATA_DIR/admin.key`, made at the first start (mode 0600)."""
    if settings.admin_key is not None:
        return settings.admin_key.get_secret_value()
    path = settings.data_dir / "admin.key"
    with contextlib.suppress(FileNotFoundError):
        key = path.read_text("utf-8", "replace").strip()
        if not ADMIN_KEY.fullmatch(key):
            raise CannotStartError(f"{path} holds no key (KEY.SECRET). Delete it, and the next start makes a new one.")
        return key
    key = f"ADMIN{secrets.token_hex(6).upper()}.{secrets.token_urlsafe(32)}"
    _write_private(path, key + "\n")
    return key


def _write_private(path: Path, text: str) -> None:
    """Make the file whole or not at all: an empty key file would be a key that everybody has."""
    draft = path.with_name(path.name + ".new")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
    Files().sync_directory(path.parent)
