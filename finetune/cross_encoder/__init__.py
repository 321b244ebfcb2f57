"""Visible question sets -> the reader: a cross-encoder that says whether a passage answers a question.

MiniLM's lower layers stay as they are; its upper ones get a LoRA (Hu et al. 2022, arXiv 2106.09685); two heads stand on
the token states: start and end of the answer with a null span (Devlin et al. 2019, arXiv 1810.04805, section 4.3), and
two logits, "answers" and "is about it".
"""
