"""Reviewers' comments of Office files, in one form for all of them."""

from __future__ import annotations


def comment_line(text: str, author: str = "", initials: str = "", time: str = "", place: str = "") -> str:
    """:param place: What it is about, such as the cell; :param time: ISO 8601."""
    who = f"author: {author or 'unknown'}" + (f" ({initials})" if initials and initials != author else "")
    stated = [who, *([f"time: {time}"] if time else []), *([f"on {place}"] if place else [])]
    return f"[{', '.join(stated)}]: {' '.join(text.split())}"
