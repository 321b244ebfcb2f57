"""What a caller may choose about reading files, and the limits within which one file stays."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ragvoice.speech.protocols import SpeechToText


@dataclass(frozen=True)
class LoadOptions:
    """Picklable as long as the two factories are: they are called in the process that parses, and only when needed."""

    ocr: bool = True
    """Pages and pictures without a text layer are recognised."""
    transcriber: Callable[[], SpeechToText] | None = None
    """None: recordings are refused with a reason."""
    captioner: Callable[[], Callable[[bytes], str]] | None = None
    """Makes the function from the bytes of an image to its caption; None: no captions."""
    max_file_bytes: int = 2**30
    """The setting `max_file_mib`. What is read into memory at once is limited by that of the process."""
    max_unpacked_bytes: int = 2**30
    """Of everything that one file unpacks to, archives in archives included; counted while it is unpacked."""
    max_members: int = 10_000
    """Members of an archive, attachments of a mail, messages of a mailbox; nested ones included."""
    max_nesting: int = 4
    """Archives (or mails) within one another."""
    max_characters: int = 50_000_000
    """Text of one file."""


DEFAULT_OPTIONS = LoadOptions()
