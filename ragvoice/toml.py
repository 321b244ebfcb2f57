"""Values as TOML writes them; `tomllib` reads them back."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any


def toml_value(value: Any) -> str:
    """:param value: A text, a path (as its text), a number, a truth value, or a sequence of these."""
    if isinstance(value, Path):
        value = str(value)
    if isinstance(value, (tuple, list)):
        return f"[{', '.join(map(toml_value, value))}]"
    # A basic string escapes as JSON does, and DEL besides.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
