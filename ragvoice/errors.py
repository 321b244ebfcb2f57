"""Every error that this project raises on purpose.

    RagVoiceError
    +-- UsageError            the call itself is wrong: flag, empty question, unreadable settings   (exit code 2)
    +-- ModelError            a model cannot be fetched, verified, converted or loaded
    |   +-- SourceUnreachable one source of a model does not answer; the next one is tried
    +-- DocumentError         one document cannot be read; the rest of the job goes on
    +-- VectorIndexError      an index is missing, damaged, locked or made with other settings
    |   +-- VectorServerError the server that holds its vectors cannot be reached, or refuses; the index may be whole
    +-- AudioError            bytes that are not audio, or audio that cannot be used
    +-- SpeechError           recognition or synthesis failed
    +-- GenerationError       the language model failed or its server does not answer
    +-- TrainingError         a fine-tuning run cannot begin or go on; its last checkpoint is kept
    +-- TurnLogError          the file of the logged turns cannot be read or written
    +-- AccessError           this person may not do that, or is not who they say they are
    +-- BusyError             too many people wait already; the same call may succeed in a moment

A message says what was got, what was expected and what to do next. `code` is stable and goes into JSON output.
"""


class RagVoiceError(Exception):
    """Root of the tree. Catch this at an entry point and show `str(error)`."""

    code = "error"


class UsageError(RagVoiceError):
    code = "usage"


class ModelError(RagVoiceError):
    code = "model"


class SourceUnreachable(ModelError):
    code = "source_unreachable"


class DocumentError(RagVoiceError):
    code = "document"


class VectorIndexError(RagVoiceError):
    code = "index"


class VectorServerError(VectorIndexError):
    """The index itself need not be damaged: rebuilding it would not help."""


class AudioError(RagVoiceError):
    code = "audio"


class SpeechError(RagVoiceError):
    code = "speech"


class GenerationError(RagVoiceError):
    code = "generation"


class TurnLogError(RagVoiceError):
    code = "turn_log"


class TrainingError(RagVoiceError):
    code = "training"


class AccessError(RagVoiceError):
    code = "access"


class BusyError(RagVoiceError):
    code = "busy"
