"""Settings -> objects. The only place that maps a configured name to a class."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from ragvoice.build_adapter import (
    CPU_FORMATS,
    confidence_file,
    follows_promotions,
    pinned,
    promoted_adapters,
    resolve_adapter,
)
from ragvoice.datatypes import ModelNames
from ragvoice.errors import ModelError, UsageError, VectorIndexError
from ragvoice.models import ModelStore
from ragvoice.settings import Settings, home

_log = logging.getLogger(__name__)

if TYPE_CHECKING:
    from langchain_core.cross_encoders import BaseCrossEncoder
    from langchain_core.embeddings import Embeddings
    from langchain_core.language_models.chat_models import BaseChatModel

    from ragvoice.generation.answering import Answering
    from ragvoice.generation.live import LiveAnswering
    from ragvoice.models.adapters import AdapterInService
    from ragvoice.retrieval.generations import EmbedderIdentity
    from ragvoice.retrieval.index import DocumentIndex
    from ragvoice.retrieval.live import LiveIndex
    from ragvoice.retrieval.retriever import HybridRetriever, IndexSource
    from ragvoice.retrieval.scope import Scope
    from ragvoice.retrieval.vector_store import VectorStore
    from ragvoice.speech.protocols import SpeechToText, TextToSpeech
    from ragvoice.voicebot import VoiceBot


def build_store() -> ModelStore:
    return ModelStore.open(home())


def build_embeddings(settings: Settings) -> Embeddings:
    """:raises ModelError: when the model is not installed or cannot be loaded."""
    store = build_store()
    if settings.embedder_runtime == "sentence-transformers":
        try:
            from langchain_huggingface import HuggingFaceEmbeddings
        except ImportError as error:
            raise ModelError("langchain-huggingface is missing. Install: pip install 'ragvoice[hf]'") from error
        folder = store.path(settings.embedder)
        try:
            wrapped: Embeddings = HuggingFaceEmbeddings(
                model_name=str(folder), encode_kwargs={"normalize_embeddings": True}
            )
        except Exception as error:  # transformers raises whatever its loaders meet
            raise ModelError(f"{folder.name} cannot be loaded by sentence-transformers ({error}).") from error
        return wrapped
    from ragvoice.retrieval.embeddings import CTranslate2Embeddings

    folder = store.converted(settings.embedder, "ctranslate2-int8")
    return CTranslate2Embeddings(folder, max_tokens=embedder_max_tokens(settings), cpu_threads=settings.threads)


def embedder_identity(settings: Settings) -> EmbedderIdentity:
    from ragvoice.retrieval.generations import EmbedderIdentity

    precision = "int8" if settings.embedder_runtime == "ctranslate2" else "float32"
    return EmbedderIdentity(
        f"{settings.embedder} ({settings.embedder_runtime}, {precision})",
        build_store().fingerprint(settings.embedder),
        settings.chunk_tokens,
        settings.overlap_tokens,
    )


def embedder_max_tokens(settings: Settings) -> int:
    """That the embedder reads of a text; the rest is cut off."""
    from ragvoice.retrieval.embeddings import tokens_of

    return tokens_of(build_store().path(settings.embedder))


def token_offsets(settings: Settings) -> Callable[[str], Sequence[tuple[int, int]]]:
    """Text -> (start, end) characters of each token of the embedder.

    :raises ModelError: when the model is not installed, or has no such tokenizer.
    """
    from tokenizers import Tokenizer

    folder = build_store().path(settings.embedder)
    try:
        tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    except Exception as error:  # tokenizers raises bare Exception
        raise ModelError(f"{folder.name} has no readable tokenizer.json ({error}).") from error
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return lambda text: tokenizer.encode(text, add_special_tokens=False).offsets


def build_vector_store(settings: Settings) -> VectorStore:
    """:raises UsageError: for a store that there is not, or whose packages are not installed."""
    from ragvoice.retrieval.vector_store import FaissStore

    if settings.vector_store == "faiss":
        return FaissStore()
    if not settings.vector_store.startswith(("postgresql://", "postgres://")):
        raise UsageError(f"The vector_store is faiss or postgresql://user@host/db, not {settings.vector_store!r}.")
    try:
        from ragvoice.retrieval.pgvector import PgVectorStore
    except ImportError as error:
        raise UsageError("psycopg or pgvector is missing. Install: pip install 'ragvoice[pgvector]'") from error
    return PgVectorStore(settings.vector_store)


def open_index(settings: Settings) -> DocumentIndex:
    """:raises VectorIndexError: when there is none, it is damaged, or was made with another embedder."""
    from ragvoice.retrieval.generations import rebuild_hint
    from ragvoice.retrieval.index import DocumentIndex

    index = DocumentIndex.open(settings.index_path, build_vector_store(settings))
    made_with, configured = index.manifest.embedder, embedder_identity(settings)
    if (made_with.name, made_with.fingerprint) != (configured.name, configured.fingerprint):
        raise VectorIndexError(
            f"The index in {settings.index_path} was made with the embedder {made_with.name} "
            f"({made_with.fingerprint[:8]}), not with {configured.name} ({configured.fingerprint[:8]}). "
            f"Set the embedder back, or rebuild the index. {rebuild_hint(settings.index_path)}"
        )
    return index


def open_live_index(settings: Settings) -> LiveIndex:
    """The same, following the generations that other processes publish."""
    from ragvoice.retrieval.live import LiveIndex

    return LiveIndex(settings.index_path, lambda: open_index(settings))


def build_retriever(settings: Settings, index: IndexSource, scope: Scope | None = None) -> HybridRetriever:
    """:param scope: What is searched; None is everything."""
    from ragvoice.retrieval.retriever import HybridRetriever
    from ragvoice.retrieval.scope import EVERYTHING

    return HybridRetriever(
        index=index,
        embeddings=build_embeddings(settings),
        dense_weight=settings.dense_weight,
        scope=scope or EVERYTHING,
        reranker=build_reranker(settings),
    )


def build_reranker(settings: Settings) -> BaseCrossEncoder | None:
    """:raises ModelError: when the model is not installed or is no cross-encoder."""
    if settings.reranker is None:
        return None
    from ragvoice.retrieval.reranking import SentenceTransformersCrossEncoder

    return SentenceTransformersCrossEncoder(build_store().path(settings.reranker))


def build_chat_model(settings: Settings) -> BaseChatModel:
    """:raises ModelError: not installed, or cannot be loaded. :raises UsageError: settings that do not go together."""
    adapter = resolve_adapter(settings)
    if settings.llm_runtime == "openai":
        if not settings.llm_url:
            raise UsageError("llm_runtime 'openai' needs llm_url, for example http://localhost:8000/v1")
        try:
            from ragvoice.generation.openai_chat import open_served_chat
        except ImportError as error:
            raise ModelError("langchain-openai is missing. Install: pip install 'ragvoice[openai]'") from error
        served = adapter.name if adapter else settings.llm
        return open_served_chat(settings.llm_url, served, max_new_tokens=settings.max_new_tokens)
    store = build_store()
    if settings.llm_runtime == "transformers":
        from ragvoice.generation.transformers_chat import TransformersChatModel

        return TransformersChatModel(
            model_path=store.converted(settings.llm, "transformers"),
            adapter_path=adapter.folder if adapter else None,
            passages_apart=_reads_apart(adapter, bare=False),
            quantisation=settings.llm_quantisation,
            max_new_tokens=settings.max_new_tokens,
            context_tokens=settings.context_tokens,
        )
    merged = str(adapter.folder) if adapter else None
    converted = store.converted(settings.llm, CPU_FORMATS[settings.llm_runtime], merged)
    if settings.llm_runtime == "torch":
        _say_where_a_gpu_is_idle()
        from ragvoice.generation.torch_chat import TorchChatModel

        return TorchChatModel(
            model_path=converted,
            max_new_tokens=settings.max_new_tokens,
            context_tokens=settings.context_tokens,
            cpu_threads=settings.threads,
            passages_apart=_reads_apart(adapter, bare=settings.passages_apart),
            kept_tokens=settings.kept_tokens,
        )
    from ragvoice.generation.ctranslate2_chat import CTranslate2ChatModel

    return CTranslate2ChatModel(
        model_path=converted,
        max_new_tokens=settings.max_new_tokens,
        context_tokens=settings.context_tokens,
        cpu_threads=settings.threads,
    )


def _reads_apart(adapter: AdapterInService | None, *, bare: bool) -> bool:
    """An adapter is served as it was trained. :param bare: How the model reads without one of known training."""
    return adapter.provenance.passages == "apart" if adapter and adapter.provenance else bare


def _say_where_a_gpu_is_idle() -> None:
    import ctranslate2

    if ctranslate2.get_cuda_device_count():
        _log.warning(
            "The language model runs on the processor. On the GPU of this machine: llm_runtime = 'ctranslate2'."
        )


def build_answering(settings: Settings, before: Answering | None = None) -> Answering:
    """:param before: One with another adapter, whose language model stays in memory where the runtime can switch.
    :raises ModelError, UsageError: as `build_chat_model`.
    """
    from ragvoice.generation.answering import Answering
    from ragvoice.generation.confidence import ConfidenceModel

    adapter = resolve_adapter(settings)
    settings = pinned(settings, adapter)
    made_by = answered_by(settings)
    if adapter and adapter.provenance and adapter.provenance.prompt not in ("", made_by["prompt"]):
        _log.warning(
            "The adapter %s was trained with another wording of the prompt, so its answers may be worse. Train it "
            "again with this version of ragvoice.",
            adapter.label,
        )
    confidence = ConfidenceModel.load(confidence_file(settings, adapter))
    stale = [part for part, value in made_by.items() if (confidence.made_for or {}).get(part) != value]
    if stale:
        _log.warning(
            "The confidence was fitted for another %s, so its threshold may be off. Fit it on your own questions: "
            "ragvoice evaluate DATASET --fit-abstention",
            " and ".join(stale),
        )
    return Answering(
        _switched(before.chat, adapter) if before else build_chat_model(settings),
        confidence,
        prompt_passages=settings.prompt_passages,
        relative_score=settings.relative_score,
        prompt_tokens=settings.prompt_tokens,
        context_tokens=settings.context_tokens - settings.max_new_tokens,
        min_confidence=settings.min_confidence,
        adapter=adapter.label if adapter else None,
    )


def build_live_answering(settings: Settings) -> LiveAnswering:
    """The same, following the adapters that other processes promote for this language model."""
    from ragvoice.generation.live import LiveAnswering

    switches = settings.llm_runtime == "transformers"
    return LiveAnswering(
        promoted_adapters(settings).pointer, lambda before: build_answering(settings, before if switches else None)
    )


def _switched(chat: BaseChatModel, adapter: AdapterInService | None) -> BaseChatModel:
    from ragvoice.generation.transformers_chat import TransformersChatModel

    assert isinstance(chat, TransformersChatModel)
    return chat.with_adapter(adapter.folder if adapter else None, passages_apart=_reads_apart(adapter, bare=False))


def answered_by(settings: Settings) -> dict[str, str]:
    """What the fitted confidence depends on."""
    from ragvoice.generation.prompts import prompt_fingerprint

    reranker = {"reranker": settings.reranker} if settings.reranker else {}
    adapter = resolve_adapter(settings)
    label = adapter.label if adapter else ""
    return {"prompt": prompt_fingerprint(), "llm": settings.llm, "adapter": label, **reranker}


def build_vocabulary(settings: Settings, index: IndexSource) -> Callable[[], Sequence[str]]:
    """The corpus' own words, for the recogniser; follows the index."""
    from ragvoice.retrieval.vocabulary import LiveVocabulary

    offsets = token_offsets(settings)
    return LiveVocabulary(index.current, lambda word: len(offsets(word)), settings.vocabulary_words).words


def build_speech_to_text(settings: Settings, vocabulary: Callable[[], Sequence[str]] | None = None) -> SpeechToText:
    """:param vocabulary: Gives words that the recogniser is biased to; only faster-whisper takes them."""
    store = build_store()
    language = None if settings.language == "auto" else settings.language
    if settings.stt_runtime == "openai-whisper":
        from ragvoice.speech.openai_whisper import OpenAIWhisperSpeechToText

        return OpenAIWhisperSpeechToText(store.converted(settings.stt, "openai-whisper"), language=language)
    if settings.stt_runtime == "transformers":
        from ragvoice.speech.transformers_whisper import TransformersWhisperSpeechToText

        return TransformersWhisperSpeechToText(store.converted(settings.stt, "transformers"), language=language)
    from ragvoice.speech.faster_whisper import FasterWhisperSpeechToText

    folder = store.converted(settings.stt, "ctranslate2-float16")
    return FasterWhisperSpeechToText(folder, language=language, cpu_threads=settings.threads, vocabulary=vocabulary)


def build_text_to_speech(settings: Settings) -> TextToSpeech:
    """:raises ModelError: not installed. :raises UsageError: pronunciations or settings that cannot be used."""
    from ragvoice.speech.pronunciations import Pronunciations, Respelling

    file = settings.pronunciations_path
    pronunciations = Pronunciations.read(file) if file else Pronunciations()
    voice = _build_voice(settings, pronunciations.ipa)
    return Respelling(voice, pronunciations) if pronunciations.respelt else voice


def _build_voice(settings: Settings, ipa: Mapping[str, str]) -> TextToSpeech:
    if settings.tts_runtime != "piper" and ipa:
        raise UsageError(
            f"Pronunciations in IPA need the tts_runtime piper, not {settings.tts_runtime}. Respell: {', '.join(ipa)}."
        )
    if settings.tts_runtime == "system":
        from ragvoice.speech.system_voice import SystemTextToSpeech

        return SystemTextToSpeech(settings.tts_voice, speed=settings.speed)
    if settings.tts_runtime == "openai":
        if not settings.tts_url:
            raise UsageError("tts_runtime 'openai' needs tts_url, for example http://localhost:8880/v1")
        from ragvoice.speech.openai_voice import OpenAITextToSpeech

        key = os.environ.get("OPENAI_API_KEY", "").strip()
        voice = settings.tts_voice or "alloy"
        return OpenAITextToSpeech(settings.tts_url, settings.tts, voice, key=key, speed=settings.speed)
    from ragvoice.speech.piper import PiperTextToSpeech

    if settings.tts_voice and not settings.tts_voice.isdecimal():
        raise UsageError(f"With the tts_runtime piper, tts_voice is a speaker's number, not {settings.tts_voice!r}.")
    return PiperTextToSpeech(
        build_store().path(settings.tts),
        speed=settings.speed,
        threads=settings.threads,
        speaker=int(settings.tts_voice or 0),
        ipa=ipa,
    )


def build_voicebot(
    settings: Settings,
    *,
    listens: bool,
    speaks: bool,
    retriever: HybridRetriever | None = None,
    follows: bool | None = None,
) -> VoiceBot:
    """:param listens: Load the recogniser.
    :param speaks: Load the voice.
    :param retriever: One that is open already, to be answered from as it is; None opens the configured index, and
        follows its generations.
    :param follows: Whether to follow the adapters that are promoted; None does so without a given retriever.
    """
    from ragvoice.voicebot import VoiceBot

    follows = (retriever is None if follows is None else follows) and follows_promotions(settings)
    retriever = retriever or build_retriever(settings, open_live_index(settings))
    vocabulary = build_vocabulary(settings, retriever.index) if listens and settings.vocabulary_words else None
    return VoiceBot(
        retriever,
        build_live_answering(settings) if follows else build_answering(settings),
        stt=build_speech_to_text(settings, vocabulary) if listens else None,
        tts=build_text_to_speech(settings) if speaks else None,
        names=ModelNames(settings.embedder, settings.llm, None, settings.stt, settings.tts_name),
        unclear_speech=settings.unclear_speech,
        spoken_sources=settings.spoken_sources,
        drafts=settings.show_drafts,
    )
