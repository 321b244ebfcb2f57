"""What a recording says about itself."""

from __future__ import annotations

from pathlib import Path

from ragvoice.speech.audio import FORMATS

_TAGS = {"title": "title", "artist": "author", "author": "author", "creation_time": "created", "date": "created"}
"""FFmpeg's names, which are those of no one format; the first that is there counts."""


def tags(path: Path) -> dict[str, str]:
    """`title`, `author` and `created` as far as it states them; nothing for what is no recording."""
    import av

    try:
        with path.open("rb") as file, av.open(file, options={"format_whitelist": FORMATS}) as container:
            tracks = [track.metadata for track in container.streams.audio]  # where Ogg has them
            stated = {name.lower(): value for held in (*tracks, container.metadata) for name, value in held.items()}
    except (av.FFmpegError, OSError, ValueError, OverflowError):
        return {}
    found: dict[str, str] = {}
    for name, key in _TAGS.items():
        if stated.get(name, "").strip():
            found.setdefault(key, stated[name].strip())
    return found
