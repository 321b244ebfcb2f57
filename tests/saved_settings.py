"""What RAGVOICE_HOME/config.toml says, read as any program would."""

from __future__ import annotations

import tomllib
from typing import Any

from ragvoice.settings import HOME_FILE, home


def settings_in_file() -> dict[str, Any]:
    """Nothing where there is no file."""
    file = home() / HOME_FILE
    return tomllib.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
