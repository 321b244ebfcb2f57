"""Settings: built-in defaults < ragvoice.toml or RAGVOICE_HOME/config.toml < environment (RAGVOICE_...) < flags.

Read once, at an entry point. Components take plain parameters and do not import this module (docs/architecture.md).
"""

from __future__ import annotations

import os
import platform
import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal

from platformdirs import user_data_path
from pydantic import Field, ValidationError, field_validator, model_validator
from pydantic_settings import (
    BaseSettings,
    InitSettingsSource,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
)

from ragvoice.errors import UsageError

WORKING_FOLDER_FILE = "ragvoice.toml"
HOME_FILE = "config.toml"
PEOPLE_FILE = "people.toml"
CONFIDENCE_FILE = "confidence.json"
PRONUNCIATIONS_FILE = "pronunciations.toml"
AUTO_ADAPTER = "auto"
NO_ADAPTER = "none"
CPU_RUNTIME: Literal["torch", "ctranslate2"] = (
    "torch" if platform.machine().lower() in ("x86_64", "amd64") else "ctranslate2"
)
"""Of the language model; torch has its quickest int8 kernels for x86 only."""
_LEAST_PROMPT_TOKENS = 256
"""With fewer, no question could be asked."""


def home() -> Path:
    """RAGVOICE_HOME, else the platform's folder for application data: models and indexes live below it."""
    named = os.environ.get("RAGVOICE_HOME")
    return Path(named).expanduser() if named else user_data_path("ragvoice", appauthor=False)


def _evaluation_folders() -> tuple[Path, ...]:
    public = os.environ.get("RAGVOICE_EVAL_DATA")
    return (Path("data"), *([Path(public)] if public else []))


class Settings(BaseSettings):
    """A model setting takes a catalogue name, a hub id (`org/name`) or a local folder."""

    model_config = SettingsConfigDict(env_prefix="RAGVOICE_", frozen=True, extra="forbid")

    index: Path | None = None
    """Folder of the index; None is RAGVOICE_HOME/index."""
    document_folders: Annotated[tuple[Path, ...], NoDecode] = ()
    """Folders that an owner may ingest from the page, with what lies below, besides the uploads and what the index
    knows already; an admin may name any. Separated by commas in the environment."""
    evaluation_folders: Annotated[tuple[Path, ...], NoDecode] = Field(default_factory=_evaluation_folders)
    """Folders whose sets of questions an owner may evaluate from the page, with what lies below; an admin may name any.
    `data`, the sample company, and RAGVOICE_EVAL_DATA if it is set. Separated by commas in the environment."""
    groups: Annotated[tuple[str, ...], NoDecode] = ()
    """Who asks, besides `everyone`; RAGVOICE_GROUPS=A,B in the environment."""

    embedder: str = "all-minilm-l6-v2"
    embedder_runtime: Literal["ctranslate2", "sentence-transformers"] = "ctranslate2"
    """`ctranslate2`: int8, models that take the mean of their tokens; `sentence-transformers`: any."""
    chunk_tokens: int = Field(220, ge=32, le=8192)
    """Longest chunk in tokens of the embedder; shorter where the headings embedded with it leave less room."""
    overlap_tokens: int = Field(0, ge=0)
    """Shared by neighbouring chunks, at most half of `chunk_tokens`."""
    ocr: bool = True
    """Read scanned pages and pictures while ingesting; some seconds a page."""
    recordings: bool = True
    """Transcribe recordings, and the sound of videos, while ingesting; about a tenth of their length."""
    captioner: str | None = None
    """Folder or hub id of a transformers model that describes images, such as BLIP; None: pictures have no captions."""
    max_file_mib: int = Field(1024, ge=1)
    """Files that are larger are reported and skipped; an hour of uncompressed stereo has 600 MiB."""
    parse_timeout_s: float = Field(120, gt=0)
    """Longest time that the parser of one file may take without finishing a page."""
    parse_memory_gib: float = Field(4, ge=0.25)
    """Memory of the process that parses one file."""
    parse_workers: int = Field(default_factory=lambda: max(1, len(os.sched_getaffinity(0))), ge=1)
    """Files that are read at the same time, each in a process of its own."""
    engine: Literal["local", "ray"] = "local"
    """What embeds while ingesting: this process, or Ray; RAY_ADDRESS names a cluster. docs/scaling.md"""
    ray_actor_cpus: int = Field(1, ge=1)
    """CPUs of each process that embeds on Ray."""
    ray_actor_gpus: float = Field(0, ge=0)
    """GPUs of each; 0.25 lets four share one."""
    ray_actors: int | None = Field(None, ge=1)
    """How many there are at most; None is as many as Ray has room for."""
    vector_store: str = "faiss"
    """Where the vectors of an index are: `faiss` is in its folder; `postgresql://user@host/db` a server with pgvector,
    whose password is read from PGPASSWORD or ~/.pgpass. docs/decisions/0006-shared-vector-server.md."""
    dense_weight: float = Field(0.7, ge=0, le=1)
    """Share of the embedding similarity in the fused score; the rest is BM25. docs/experiments.md has the sweep."""
    reranker: str | None = None
    """Folder or hub id of a cross-encoder that reads the best passages together with the question; None: no reranking.
    With one, fit the confidence again."""
    prompt_passages: int = Field(3, ge=1, le=20)
    """Passages that the model reads, at most."""
    relative_score: float = Field(0.85, ge=0, le=1)
    """It reads those whose score is at least this share of the best one's."""
    prompt_tokens: int = Field(900, ge=100)
    """Upper limit for the passages in tokens of the LLM."""
    context_tokens: int = Field(4096, ge=512)
    """Of the LLM: prompt and answer together."""
    min_confidence: float | None = Field(None, ge=0, le=1)
    """Below this estimated P(right) the answer is an abstention; None is the threshold that was fitted with it."""
    confidence: Path | None = None
    """What estimates it, from `ragvoice evaluate --fit-abstention`; None is RAGVOICE_HOME/confidence.json if there is
    one, else what comes with the package. An adapter may bring its own."""
    unclear_speech: float = Field(0.5, ge=0, le=1)
    """Below this confidence of the recogniser the question is asked back: did you mean ...? 0 never asks."""

    llm: str = "qwen2.5-coder-0.5b-instruct"
    """With the runtime `openai`: the model name that the server knows."""
    llm_runtime: Literal["torch", "ctranslate2", "transformers", "openai"] = CPU_RUNTIME
    """`torch`: int8 on an x86 processor, Llama and Qwen2, the quickest; `ctranslate2`: int8 anywhere, more families;
    `transformers`: with adapters beside the base, or on a GPU; `openai`: behind a server."""
    llm_url: str | None = None
    """Base URL of an OpenAI-compatible server, `http://host:port/v1`; its key is read from OPENAI_API_KEY."""
    llm_quantisation: Literal["none", "int8", "4bit"] = "none"
    """For the runtime `transformers`, through bitsandbytes; CTranslate2 and torch are int8 always."""
    passages_apart: bool = False
    """With the runtime `torch`: no passage sees another one, so each is read once, whatever stands beside it. Quicker,
    and worse with a model that was not trained so (docs/decisions/0009-passages-apart.md). An adapter is served as it
    was trained, whatever is set here."""
    kept_tokens: int = Field(40_000, ge=0)
    """With the runtime `torch`: of passages that stay in memory as read, 12 kB each with the default model. Where
    passages are read apart, documents that fit are read while nobody asks."""
    adapter: str = Field(AUTO_ADAPTER, min_length=1)
    """LoRA adapter on the LLM: `auto` is the one promoted for it, else the packaged one for it; `none` the bare model;
    else a folder or hub id in PEFT's format. With the runtime `openai`: the name under which the server has it."""
    max_new_tokens: int = Field(64, ge=1)

    stt: str = "whisper-base"
    stt_runtime: Literal["faster-whisper", "openai-whisper", "transformers"] = "faster-whisper"
    vocabulary_words: int = Field(0, ge=0, le=200)
    """Of the corpus' own words that the recogniser is told, as many as its prompt holds; 0 tells none."""
    language: str = "en"
    """ISO 639-1 code of the speech, or `auto` to detect it."""
    tts: str = "piper-en-us-joe-medium"
    """A Piper voice; with the runtime `openai` the model's name, with `system` not used."""
    tts_runtime: Literal["piper", "system", "openai"] = "piper"
    """`system` is `say` on macOS, else espeak-ng; `openai` a server with the route /v1/audio/speech."""
    tts_voice: str = ""
    """With `system` and `openai` the voice's name there; with `piper` a speaker's number, where there are several."""
    tts_url: str | None = None
    """Base URL of that server, `http://host:port/v1`; its key is read from OPENAI_API_KEY."""
    spoken_sources: bool = True
    """Name the documents of an answer aloud: "According to the travel policy, section 4.2."."""
    pronunciations: Path | None = None
    """TOML, `"word" = "say it so"` or IPA in slashes; None is RAGVOICE_HOME/pronunciations.toml if there is one."""
    speed: float = Field(1.0, gt=0.3, lt=3)
    """Speaking rate; 1 is the voice's own, Piper takes 0.5 to 2."""

    show_drafts: bool = True
    """The page shows a sentence while it is written, paler, before it is known whether the documents support it."""
    examples: tuple[str, ...] = ()
    """Questions that the page suggests to a first visitor; none: such as its documents' headings ask. A list in JSON
    in the environment."""

    threads: int = Field(default_factory=lambda: max(1, len(os.sched_getaffinity(0))), ge=1)
    """CPU threads of each model; they run one after another."""

    person: str = ""
    """Who asks, as logged turns and stored conversations name them; a pseudonym will do."""
    turn_log: bool = True
    """Keep a record of every question and its answer. docs/turns.md"""
    turn_log_days: int = Field(90, ge=1)
    """After so many days a logged turn is deleted."""
    turns: Path | None = None
    """File of the logged turns; None is RAGVOICE_HOME/turns.sqlite."""

    oidc_name: str = "email"
    """Claim of the company's sign-in that names people; not one that they can choose themselves. docs/people.md"""
    oidc_groups: str = "groups"
    """Claim with the groups that they are in; dots lead into it: realm_access.roles."""
    oidc_owners: Annotated[tuple[str, ...], NoDecode] = ()
    """Who has the role owner: names, and groups as group:NAME; everybody else is an asker."""
    oidc_admins: Annotated[tuple[str, ...], NoDecode] = ()
    """Who has the role admin, in the same way."""
    oidc_sends_verified: bool = True
    """Whether the company's sign-in sends `email_verified`: without it an address names nobody. Entra ID sends none."""
    connections_per_person: int = Field(4, ge=1)
    """Pages and programs of one person that are connected to the live voice at a time."""
    sign_in_hours: int = Field(12, ge=1)
    """After so many hours people sign in to the page again."""

    @field_validator("document_folders", "evaluation_folders", "groups", "oidc_owners", "oidc_admins", mode="before")
    @classmethod
    def _split_at_commas(cls, value: object) -> object:
        return [name.strip() for name in value.split(",") if name.strip()] if isinstance(value, str) else value

    @model_validator(mode="after")
    def _overlap_fits(self) -> Settings:
        if self.overlap_tokens > self.chunk_tokens // 2:
            raise ValueError(f"overlap_tokens is at most half of chunk_tokens ({self.chunk_tokens})")
        return self

    @model_validator(mode="after")
    def _prompt_fits(self) -> Settings:
        if self.max_new_tokens > self.context_tokens - _LEAST_PROMPT_TOKENS:
            raise ValueError(
                f"max_new_tokens ({self.max_new_tokens}) leaves fewer than {_LEAST_PROMPT_TOKENS} of context_tokens "
                f"({self.context_tokens}) for the passages and the question"
            )
        return self

    @property
    def index_path(self) -> Path:
        return (self.index or home() / "index").expanduser()

    @property
    def confidence_path(self) -> Path | None:
        own = home() / CONFIDENCE_FILE
        return self.confidence.expanduser() if self.confidence else own if own.is_file() else None

    @property
    def tts_name(self) -> str:
        """Of the voice that speaks, as turns name it."""
        return f"system voice {self.tts_voice}".strip() if self.tts_runtime == "system" else self.tts

    @property
    def pronunciations_path(self) -> Path | None:
        own = home() / PRONUNCIATIONS_FILE
        return self.pronunciations.expanduser() if self.pronunciations else own if own.is_file() else None

    @property
    def turns_path(self) -> Path:
        return (self.turns or home() / "turns.sqlite").expanduser()

    @property
    def people_path(self) -> Path:
        """The password file of a small installation; where it is, people sign in. Not a setting, so that nobody is let
        in by a flag."""
        return home() / PEOPLE_FILE

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        working = Path(WORKING_FOLDER_FILE)
        file = working if working.is_file() else home() / HOME_FILE
        return init_settings, env_settings, InitSettingsSource(settings_cls, _values(file))


def _values(file: Path) -> dict[str, Any]:
    """None where there is no file."""
    return tomllib.loads(file.read_text(encoding="utf-8-sig")) if file.is_file() else {}


def read_settings(**flags: Any) -> Settings:
    """Settings of this process; a flag that is None was not given.

    :raises UsageError: naming the field and what it takes.
    """
    try:
        return Settings(**{name: value for name, value in flags.items() if value is not None})
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(str(part) for part in first["loc"])
        if not name:
            raise UsageError(f"The settings do not go together: {first['msg']}.") from error
        raise UsageError(
            f"The setting {name!r} cannot be {first.get('input')!r}: {first['msg']}. It may come from a flag, "
            f"from RAGVOICE_{name.upper()}, from {WORKING_FOLDER_FILE} or from {HOME_FILE} in RAGVOICE_HOME."
        ) from error
    except SettingsError as error:  # of a list that is no JSON
        raise UsageError(
            f"The environment is not understood: {error}. A list is written as JSON there: "
            "RAGVOICE_EXAMPLES='[\"How many holidays do I get?\"]'"
        ) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{WORKING_FOLDER_FILE} or {HOME_FILE} is not valid TOML: {error}") from error
