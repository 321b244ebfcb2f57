"""Passages and a question -> sentences that the passages support, as the model writes them, or an abstention."""

from __future__ import annotations

import math
import re
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import ClassVar, Protocol, runtime_checkable

from langchain_core.language_models import LanguageModelInput
from langchain_core.language_models.chat_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.runnables import Runnable

from ragvoice.datatypes import Citation, Draft, Message, Outcome, Passage, Style
from ragvoice.generation.clarify import which_one
from ragvoice.generation.confidence import ConfidenceModel, gather
from ragvoice.generation.grounding import Support, column_names, speaks_of_another, support
from ragvoice.generation.injection import without_instructions
from ragvoice.generation.negation import contradicts
from ragvoice.generation.prompts import fit_prompt, is_refusal, prompt_hash, quoted
from ragvoice.sentences import SentenceStream

ABSTENTION = "That is not in the documents."
"""What is said when nothing that was found answers the question."""

_MARKS = re.compile(r"[ \t]*\[(?:\d+(?:,\s*\d+)*\]|[\d,\s]*\Z)|\*\*|`|^\s*(?:#{1,6}|[-*+])[ \t]+", re.MULTILINE)

RUNNERS_UP = 2
"""Passages after the best, or apart after those of the prompt, that are read ahead: benchmarks/prefix_cache.py says how
often that helps."""

_MAX_SENTENCES = 2
"""A listener remembers about two; the rest is in the citations."""


@runtime_checkable
class ReadsAhead(Protocol):
    """A chat model that can read what stands before the question (`prompts.front_of`) before it is asked."""

    gives_up: ClassVar[bool]
    """Whether it can stop while it reads, so that reading what may turn out useless keeps nobody waiting."""

    def prepare(self, messages: list[BaseMessage], wanted: Callable[[], bool]) -> bool:
        """Returns whether all of it was read.

        :param wanted: Asked meanwhile by a model that gives up.
        """


@runtime_checkable
class KeepsPassages(ReadsAhead, Protocol):
    """One that may read passages apart (`generation.apart`), so that what it has read of one is of use beside any."""

    passages_apart: bool
    kept_tokens: int
    """Of the passages that it keeps as read."""


@runtime_checkable
class AvoidsWords(Protocol):
    """A chat model that can be kept from beginning with certain words."""

    def avoiding(self, words: str) -> Runnable[LanguageModelInput, AIMessage]:
        """Itself, never beginning an answer with the first token of `words`."""


@dataclass(frozen=True)
class Statement:
    """One finished sentence that may be said."""

    text: str
    citation: Citation | None


@dataclass(frozen=True)
class Verdict:
    outcome: Outcome
    answer: str
    confidence: float
    citations: tuple[Citation, ...] = ()
    draft: str = ""
    """The sentences as the model wrote them, up to the one that decided."""
    evidence: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class _Written:
    """A sentence of the model's."""

    text: str
    logprobs: list[float]
    """Of its tokens."""
    refusal: float = 0.0
    """See `Evidence.refusal`."""


class AnswerStream:
    """Iterate to get statements as soon as each is written and found supported; then `verdict` is there.

    Before each statement come drafts of it, word by word. Only a statement may be said.

    Rule for saying a sentence: it is no refusal and no question, it says more than the question did, a passage
    supports it, all its numbers and names stand in that passage, which does not contradict it, and for the first one
    the estimated P(right) reaches the threshold. A first sentence that fails makes the whole answer an abstention; a
    later one is dropped.
    """

    def __init__(self, steps: Iterator[Draft | Statement | Verdict]):
        self._steps = steps
        self.verdict: Verdict = Verdict("abstained", ABSTENTION, 0.0)
        self.first_token_at: float | None = None
        """`time.perf_counter()` when the model's first token came."""
        self.prompt_hash = ""
        """Of what the model was sent; empty when it was not asked."""

    def __iter__(self) -> Iterator[Draft | Statement]:
        for step in self._steps:
            if isinstance(step, Verdict):
                self.verdict = step
            else:
                yield step


class Answering:
    def __init__(
        self,
        chat: BaseChatModel,
        confidence: ConfidenceModel,
        *,
        prompt_passages: int = 3,
        relative_score: float = 0.85,
        prompt_tokens: int = 900,
        context_tokens: int = 4000,
        min_confidence: float | None = None,
        adapter: str | None = None,
    ):
        """
        :param prompt_passages: How many of the passages the model reads, at most.
        :param relative_score: It reads those whose score is at least this share of the best one's. A clear winner is
            read alone: a small model answers better from one passage than from three, and sooner.
        :param prompt_tokens: What they may take together, in tokens of the model.
        :param context_tokens: What the whole prompt may take: the model's context without room for the answer.
        :param min_confidence: Below this P(right) the outcome is `abstained`; None is the confidence model's threshold.
        :param adapter: What the model's adapter is called in answers. A model with one may have learned to refuse;
            where it does, it is asked again for an answer, and the confidence decides.
        """
        self.chat = chat
        self.adapter = adapter
        self._confidence = confidence
        self._prompt_passages = prompt_passages
        self._relative_score = relative_score
        self._prompt_tokens = prompt_tokens
        self._context_tokens = context_tokens
        self._min_confidence = confidence.threshold if min_confidence is None else min_confidence

    def current(self) -> Answering:
        """Itself: one adapter, for who needs no newer one (see `LiveAnswering`)."""
        return self

    def stream(
        self,
        question: str,
        passages: Sequence[Passage],
        history: Sequence[Message] = (),
        style: Style = "spoken",
        heard: float = 1.0,
    ) -> AnswerStream:
        """:param heard: Confidence of the recogniser, 0 to 1; 1 for a typed question.
        :raises GenerationError: while iterating, when the model or its server fails.
        """
        stream = AnswerStream(iter(()))
        stream._steps = self._run(stream, question, passages, history, style, heard)
        return stream

    def prepare(
        self,
        question: str,
        passages: Sequence[Passage],
        history: Sequence[Message] = (),
        style: Style = "spoken",
        wanted: Callable[[], bool] = lambda: True,
    ) -> bool:
        """Let the model read the passages while the question is still being asked; the answer is the same without.

        Takes as long as reading them. A model that cannot, or is answering somebody, does nothing. One that can stop at
        any time reads the runners-up, too, each as if it were the best.

        :param question: As far as it is known.
        :param wanted: Asked meanwhile; at a no the model may stop, and go on from there another time.
        :returns: Whether nothing is left to read.
        :raises GenerationError: when the model fails.
        """
        if not isinstance(self.chat, ReadsAhead):
            return False
        prompt, read = self.prompt(question, passages, history, style)
        if not read or not self.chat.prepare(prompt, wanted):
            return False
        if not self.chat.gives_up:
            return True
        # With its last words a question often finds one of the next passages best.
        start = len(read) if self.kept_tokens else 1
        return all(self.read_ahead(passage, style, wanted) for passage in passages[start : start + RUNNERS_UP])

    def read_ahead(self, passage: Passage, style: Style = "spoken", wanted: Callable[[], bool] = lambda: True) -> bool:
        """Let the model read a passage that somebody may ask about. Returns whether nothing is left to read of it.

        :raises GenerationError: when the model fails.
        """
        if not isinstance(self.chat, ReadsAhead):
            return True
        prompt, read = self.prompt("", [passage], (), style)
        return not read or self.chat.prepare(prompt, wanted)

    @property
    def kept_tokens(self) -> int:
        """Of passages that the model keeps as read, whatever stands beside them; 0 where it does not."""
        return self.chat.kept_tokens if isinstance(self.chat, KeepsPassages) and self.chat.passages_apart else 0

    def tokens(self, passage: Passage) -> int:
        """That the model reads of it."""
        return self.chat.get_num_tokens(quoted(passage))

    def _run(
        self,
        stream: AnswerStream,
        question: str,
        passages: Sequence[Passage],
        history: Sequence[Message],
        style: Style,
        heard: float,
    ) -> Iterator[Draft | Statement | Verdict]:
        if not passages:
            yield Verdict("abstained", ABSTENTION, 0.0)
            return
        back = which_one(question, history, passages)
        if back:
            yield Verdict("clarify", back, 0.0)
            return
        prompt, read = self.prompt(question, passages, history, style)
        if not read:
            yield Verdict("abstained", ABSTENTION, 0.0)
            return
        # Only what the person said counts as given: an earlier answer of ours is no evidence for the next one.
        asked = " ".join([question, *(line.text for line in history[-2:] if line.speaker == "user")])
        said: list[Statement] = []
        drafted: list[str] = []
        confidence, evidence = 0.0, dict[str, float]()
        for step in self._insisted(stream, prompt, style):
            if isinstance(step, Draft):
                yield step
                continue
            sentence = _without_marks(step.text)
            if not sentence:
                continue
            drafted.append(sentence)
            found, may_be_said = checked(sentence, asked, read)
            # A small model that knows no answer sometimes repeats the question.
            refuses = is_refusal(sentence) or sentence.endswith("?")
            if not said:
                gathered = gather(
                    question, sentence, passages, read, found, step.logprobs, refuses=refuses, style=style, heard=heard,
                    refusal=step.refusal,
                )  # fmt: skip
                refuses = refuses or (step.refusal > 0 and not self._confidence.weighs_refusals)
                confidence, evidence = self._confidence.probability(gathered), asdict(gathered)
            if refuses or (not said and (confidence < self._min_confidence or not may_be_said)):
                break
            if not may_be_said:
                yield Draft(sentence, refused=True)
                continue
            said.append(Statement(sentence, found.citation))
            yield said[-1]
            if style == "short" or len(said) == _MAX_SENTENCES:
                break
        draft = " ".join(drafted)
        if not said:
            yield Verdict("abstained", ABSTENTION, confidence, (), draft, evidence)
            return
        citations = tuple(dict.fromkeys(statement.citation for statement in said if statement.citation))
        answer = " ".join(statement.text for statement in said)
        yield Verdict("answered", answer, confidence, citations, draft, evidence)

    def prompt(
        self, question: str, passages: Sequence[Passage], history: Sequence[Message], style: Style
    ) -> tuple[list[BaseMessage], list[Passage]]:
        """What the model is sent, and the passages in it; both empty when no passage may be quoted."""
        near = [p for p in passages[: self._prompt_passages] if p.score >= self._relative_score * passages[0].score]
        quotable = [kept for kept in map(without_instructions, near) if kept.text.strip()]
        if not quotable:
            return [], []
        return fit_prompt(
            question,
            quotable,
            history,
            style,
            self.chat.get_num_tokens,
            passage_tokens=self._prompt_tokens,
            context_tokens=self._context_tokens,
        )

    def _insisted(self, stream: AnswerStream, prompt: list[BaseMessage], style: Style) -> Iterator[Draft | _Written]:
        """The model's sentences; where the first is the refusal, those that it writes without it.

        Greedy decoding refuses too often: the refusal is one token, and the answers share the rest among many.
        """
        steps = self._sentences(stream, self.chat, prompt, style)
        if self.adapter is None or not isinstance(self.chat, AvoidsWords):
            yield from steps
            return
        for step in steps:
            if isinstance(step, _Written):
                break
            yield step
        else:
            return
        if not step.text.startswith(ABSTENTION):
            yield step
            yield from steps
            return
        steps.close()
        known = [logprob for logprob in step.logprobs[:1] if not math.isnan(logprob)]
        refusal = math.exp(known[0]) if known else 1.0
        for step in self._sentences(stream, self.chat.avoiding(ABSTENTION), prompt, style):
            yield replace(step, refusal=refusal) if isinstance(step, _Written) else step

    def _sentences(
        self,
        stream: AnswerStream,
        chat: Runnable[LanguageModelInput, AIMessage],
        prompt: list[BaseMessage],
        style: Style,
    ) -> Generator[Draft | _Written]:
        """Each sentence while it is written and as it is finished; a bare fact is one, whatever its full stops.

        What may become the refusal is no draft of an answer.
        """
        sentences, logprobs = SentenceStream(), list[float]()
        fact = ""
        stream.prompt_hash = prompt_hash(prompt)
        for chunk in chat.stream(prompt):
            if stream.first_token_at is None:
                stream.first_token_at = time.perf_counter()
            logprobs += chunk.response_metadata.get("logprobs", [])
            if style == "short":
                fact += chunk.text
            else:
                for sentence in sentences.feed(chunk.text):
                    yield _Written(sentence, logprobs)
                    logprobs = []
            draft = _without_marks(fact or sentences.pending)
            if not ABSTENTION.startswith(draft):
                yield Draft(draft)
        rest = [fact.strip()] if style == "short" else sentences.flush()
        yield from (_Written(sentence, logprobs) for sentence in rest if sentence)


def _without_marks(text: str) -> str:
    """What would be said: models copy the passages' `[1]`, or half of it so far, and write Markdown unasked."""
    return _MARKS.sub("", text).strip()


def checked(sentence: str, asked: str, read: Sequence[Passage]) -> tuple[Support, bool]:
    """What supports a sentence, and whether that is enough to say it.

    :param asked: The question, with what the person said before it.
    """
    found = support(sentence, asked, read)
    quote = found.citation
    if quote is None or not (found.numbers_found and found.names_found and found.adds):
        return found, False
    sources = [p for p in read if p.doc_id == quote.doc_id and quote.quote in p.text]
    columns = " ".join(f"{p.table_header} {column_names(p, p.text.index(quote.quote))}" for p in sources)
    if speaks_of_another(sentence, f"{quote.quote}. {quote.title}. {quote.section}. {columns}"):
        return found, False
    return found, not contradicts(sentence, asked, [p.text for p in sources])
