"""Sentences of a document that speak to the assistant instead of telling the reader something. Pure functions.

A document is a source, never a command: such a sentence is neither read by the model nor quoted as support. The
stored text stays as it is. The instructions of a business ("Submit the form by Friday") are facts to be answered from,
so what counts is whom a sentence addresses: a language model, its instructions, or the text of its reply. Kinds of
instructions: Greshake et al. 2023 (arXiv 2302.12173), BIPIA (arXiv 2312.14197). docs/experiments.md has the figures.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import replace

from ragvoice.datatypes import Passage
from ragvoice.sentences import split_sentences

_MODEL = (
    r"(?:(?:an?|the|this|any|every|all|my) (?:[\w-]+ )?)?"
    r"(?:(?:ai|virtual|voice|digital) (?:assistants?|agents?|models?)|(?:large )?language models?|llms?|chat ?bots?"
    r"|voice ?bots?|chatgpt|gpt-?\d+|ai(?![- ](?!(?:that|which|who|and|or|with|without|now|so)\b)\w))"
)
"""Not `AI engineer` and `AI systems`: a company has people and rules for those."""
_BEFORE = r"(?:previous|prior|above|earlier|preceding|foregoing|former|original|initial|system|your)"
_REPLY = r"your (?:\w+ ){0,2}(?:answer|response|reply|output|completion)"
"""The plural belongs to forms: `Write your answers in block capitals.`"""
_CHANGE = (
    r"(?:adapt|add|alter|anagram|append|augment|begin|capitali[sz]e|combine|compose|conclude|convert|craft|embed|encode"
    r"|encrypt|end|enhance|enrich|express|extend|finish|format|generate|give|group|include|incorporate|insert"
    r"|integrate|introduce|jumble|limit|misspell|mix|modify|obfuscate|omit|output|phrase|place|prefix|prepend|produce"
    r"|provide|put|randomi[sz]e|rearrange|remove|render|repeat|rephrase|replace|reverse|rewrite|scramble|shuffle|slip"
    r"|spell|sprinkle|start|substitute|supplement|swap|transform|translate|turn|use|weave|write)"
)
_BUSINESS = (
    r"(?:your|the|this|an?|any|his|her|their) (?:[\w-]+ ){0,3}"
    r"(?:numbers?|references?|ids?|names?|codes?|dates?|invoices?|details|cop(?:y|ies)|address(?:es)?|amounts?)\b"
)
"""What people are asked to put into a reply: `Include your order number in your reply.`"""
_ON = r"(?:[^.!?]|[.!?](?=\S))*"
"""To the end of the sentence, over the full stops in `www.example.com`."""
_POLITE = r"(?:(?:please|now|also|instead|then|always|and|but|you (?:must|should|will))[, ]+)*"
_FORMS = (
    r"(?:in|with|as) (?:\"|'|“|‘|an? |the )?(?:english|french|german|spanish|italian|russian|chinese|japanese|latin"
    r"|json|html|base64|emojis?|capitals|capital letters|upper ?case|lower ?case|rhymes?|riddles?|one word)"
)

_SIGNS = tuple(
    re.compile(pattern)
    for pattern in (
        # What the model was told before no longer counts, or should be told on.
        rf"\b(?:ignore|disregard|forget|override|bypass)\b(?: \w+){{0,5}}? {_BEFORE}\b(?: \w+){{0,4}}? "
        r"(?:instructions?|prompts?|directives|guardrails|programming|training data|system rules)\b",
        r"\b(?:reveal|print|repeat|show|output|disclose|leak)\b(?: \w+){0,4}? (?:system|initial|hidden) prompt\b",
        # Who reads is a model, or should be another one.
        rf"\b(?:you are|you're|act as|pretend (?:to be|you are)|behave (?:as|like)) (?:now )?{_MODEL}\b",
        r"\b(?:you are|you're) (?:now )?(?:jailbroken|unrestricted|in (?:developer|debug|dan) mode)\b",
        rf"^\W*(?:dear|hey|attention|note to|message (?:to|for)|(?:new )?instructions? (?:to|for)) {_MODEL}\s*[:,!–—-]",
        rf"\b{_MODEL} (?:that |which |who )?(?:reads?|reading|summari[sz](?:es|ing)) this\b",
        # A turn of a conversation, or its label.
        r"^\W*(?:system|assistant|ai) (?:prompt|message|override|instructions?|command) ?:",
        r"<[|｜] ?\w+ ?[|｜]>|\[/?inst\]|<</?sys>>|<(?:start|end)_of_turn>",
        r"^\W*#{2,} ?(?:system|instruction|response) ?:",
        # How the reply should look, or what else it should say.
        rf"^\W*{_POLITE}{_CHANGE}\b(?! {_BUSINESS}){_ON}\b{_REPLY}\b",
        rf"^\W*{_POLITE}(?:anagram|jumble|misspell|render|reverse|scramble)\b{_ON}\byour (?:message|words)\b",
        rf"^\W*(?:in|at the (?:end|start|beginning) of|throughout|within) {_REPLY}, ",
        rf"\b(?:answer|reply|respond|speak) (?:only |always |exclusively |just |instead ){_FORMS}\b",
        r"\brespond with (?:the (?:word|phrase|text|sentence) )?[\"'“‘]",
    )
)
_TAGS = {code: chr(code - 0xE0000) for code in range(0xE0020, 0xE007F)}
"""Invisible copies of ASCII, a known way to hide a text (Unicode, block Tags)."""


def speaks_to_the_assistant(sentence: str) -> bool:
    """Whether a sentence addresses the model that reads it rather than a person."""
    plain = unicodedata.normalize("NFKC", sentence.translate(_TAGS))
    visible = "".join(character for character in plain if unicodedata.category(character) != "Cf")
    words = " ".join(visible.lower().replace("’", "'").split())
    return any(sign.search(words) for sign in _SIGNS)


def blank_instructions(text: str) -> str:
    """The text with line breaks in the place of each sentence that speaks to the assistant: offsets stay right.

    Line breaks, because a sentence never goes on after an empty line. Where a line alone gives a sentence away (an
    e-mail's lines often have no full stop), the rest of the sentence stays.
    """
    for start, end in split_sentences(text):
        lines = [(start + line.start(), start + line.end()) for line in re.finditer(r"[^\n]+", text[start:end])]
        guilty = [(a, b) for a, b in lines if speaks_to_the_assistant(text[a:b])]
        if not guilty and len(lines) > 1 and speaks_to_the_assistant(text[start:end]):
            guilty = [(start, end)]
        for a, b in guilty:
            text = text[:a] + "\n" * (b - a) + text[b:]
    return text


def without_instructions(passage: Passage) -> Passage:
    """What may be read and quoted of a passage; the same object when nothing in it speaks to the assistant.

    The length of the text and the place of every other sentence stay, so quotes are verbatim in the stored text.
    """
    title, section, table_header = (
        "" if speaks_to_the_assistant(text) else text for text in (passage.title, passage.section, passage.table_header)
    )
    kept = replace(
        passage, title=title, section=section, table_header=table_header, text=blank_instructions(passage.text)
    )
    return passage if kept == passage else kept
