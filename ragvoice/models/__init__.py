"""The model store: fetch, check, convert and find model files. Light to import: no torch, no network client.

store = ModelStore.open(home)
store.pull(None, None)                                            every default model, resumable
store.path("whisper-base")                                        folder of the files
store.converted("qwen2.5-coder-0.5b-instruct", "ctranslate2-int8")  folder of a conversion
"""

from ragvoice.models.catalogue import Catalogue, CatalogueEntry
from ragvoice.models.progress import PullEvent, PullProgress
from ragvoice.models.results import ModelStatus, PulledModel, VerifyResult
from ragvoice.models.store import ModelStore

__all__ = [
    "Catalogue",
    "CatalogueEntry",
    "ModelStatus",
    "ModelStore",
    "PullEvent",
    "PullProgress",
    "PulledModel",
    "VerifyResult",
]
