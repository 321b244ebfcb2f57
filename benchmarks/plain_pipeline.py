"""The pipeline that a person would write in an afternoon, from the same libraries and models: the baseline.

faster-whisper with its defaults, LangChain's splitter, embeddings and vector store with theirs, transformers'
`generate`, and the whole answer given to the voice at once.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

PROMPT = (
    "Use the following pieces of context to answer the question at the end. If you don't know the answer, just say "
    "that you don't know.\n\n{context}\n\nQuestion: {question}"
)


class PlainPipeline:
    """:param documents: text of each document. Models are folders."""

    def __init__(self, documents: list[str], *, embedder: Path, llm: Path, stt: Path, voice: Path):
        import torch
        from faster_whisper import WhisperModel
        from langchain_core.vectorstores import InMemoryVectorStore
        from langchain_huggingface import HuggingFaceEmbeddings
        from langchain_text_splitters import RecursiveCharacterTextSplitter
        from transformers import AutoModelForCausalLM, AutoTokenizer

        from ragvoice.speech.piper import PiperTextToSpeech

        self._whisper = WhisperModel(str(stt), device="cpu")
        splitter = RecursiveCharacterTextSplitter(chunk_size=1000, chunk_overlap=200)
        self._store = InMemoryVectorStore(HuggingFaceEmbeddings(model_name=str(embedder)))
        self._store.add_documents(splitter.create_documents(documents))
        self._tokenizer = AutoTokenizer.from_pretrained(llm)
        self._model: Any = AutoModelForCausalLM.from_pretrained(llm, dtype=torch.float32)
        self._voice = PiperTextToSpeech(voice)

    def turn(self, recording: Path) -> dict[str, Any]:
        """Seconds of each stage, what was heard and answered, and the `AudioChunk` of it."""
        started = time.perf_counter()
        segments, _ = self._whisper.transcribe(str(recording))
        question = " ".join(segment.text for segment in segments).strip()
        heard = time.perf_counter()
        found = self._store.similarity_search(question)
        searched = time.perf_counter()
        context = "\n\n".join(document.page_content for document in found)
        message = {"role": "user", "content": PROMPT.format(context=context, question=question)}
        inputs = self._tokenizer.apply_chat_template(
            [message], add_generation_prompt=True, return_tensors="pt", return_dict=True
        )
        written = self._model.generate(**inputs, max_new_tokens=128, do_sample=False)
        answer = self._tokenizer.decode(written[0, inputs["input_ids"].shape[1] :], skip_special_tokens=True)
        generated = time.perf_counter()
        audio = self._voice.synthesise(answer)
        spoken = time.perf_counter()
        return {
            "question": question,
            "answer": answer,
            "outcome": "answered",
            "transcribe": heard - started,
            "retrieve": searched - heard,
            "generate": generated - searched,
            "speak": spoken - generated,
            "first_audio": spoken - started,
            "audio": audio,
        }
