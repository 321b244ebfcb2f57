"""The retriever's embedder, trained on a company's own questions and proven on documents that it never saw."""
