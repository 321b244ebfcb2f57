"""The network: MiniLM, its lower layers computed once and kept, its upper ones with a LoRA, and the heads.

Legend: `b` examples of a batch, `l` tokens, `d` width of the encoder. Imports torch: only for jobs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from finetune.cross_encoder.data import Example

DROPOUT = 0.1


@dataclass(frozen=True)
class Batch:
    hidden_bld: Tensor
    """After the lower layers."""
    type_ids_bl: Tensor
    mask_bl: Tensor


class Reader(nn.Module):  # type: ignore[misc]
    def __init__(self, base: Path, *, frozen_layers: int, rank: int, alpha: int) -> None:
        """:param frozen_layers: So many layers from below stay as they are."""
        from peft import LoraConfig, inject_adapter_in_model
        from transformers import AutoModel

        super().__init__()
        encoder = AutoModel.from_pretrained(base, attn_implementation="sdpa", local_files_only=True)
        encoder.requires_grad_(False)
        self._lower = [encoder.embeddings, *encoder.encoder.layer[:frozen_layers]]
        self.frozen_layers = frozen_layers
        self.upper = encoder.encoder.layer[frozen_layers:]
        for parameter in self.upper.parameters():
            if parameter.dim() == 2:  # layer norms want float32
                parameter.data = parameter.data.to(torch.bfloat16)
        targets = ["query", "key", "value", "dense"]
        inject_adapter_in_model(LoraConfig(r=rank, lora_alpha=alpha, target_modules=targets), self.upper)
        for parameter in self.upper.parameters():
            if parameter.requires_grad:
                parameter.data = parameter.data.float()
        d = encoder.config.hidden_size
        self.span, self.pair = nn.Linear(d, 2), nn.Linear(4 * d, 2)
        for head in (self.span, self.pair):
            nn.init.normal_(head.weight, std=0.02)
        self.dropout = nn.Dropout(DROPOUT)

    @torch.no_grad()  # type: ignore[untyped-decorator]
    def lower(self, examples: Sequence[Example]) -> list[Tensor]:
        """States after the lower layers, each of shape (l, d), in bfloat16. They never change, so they are kept."""
        states: list[Any] = [None] * len(examples)
        order = sorted(range(len(examples)), key=lambda i: len(examples[i].token_ids_l))
        for start in range(0, len(order), 32):
            chosen = order[start : start + 32]
            ids_bl = _padded([examples[i].token_ids_l for i in chosen])
            types_bl = _padded([examples[i].type_ids_l for i in chosen])
            mask_bl = _padded([[1] * len(examples[i].token_ids_l) for i in chosen])
            with torch.autocast("cpu", dtype=torch.bfloat16):
                hidden_bld = self._lower[0](input_ids=ids_bl, token_type_ids=types_bl)
                for layer in self._lower[1:]:
                    hidden_bld = _first(layer(hidden_bld, _additive(mask_bl)))
            for row, i in enumerate(chosen):
                states[i] = hidden_bld[row, : len(examples[i].token_ids_l)].to(torch.bfloat16).clone()
        return states

    def forward(self, batch: Batch) -> tuple[Tensor, Tensor, Tensor]:
        """Logits: start (b, l), end (b, l), and (answers, relevant) (b, 2). Position 0 of start and end is "none"."""
        hidden_bld = batch.hidden_bld
        with torch.autocast("cpu", dtype=torch.bfloat16):
            for layer in self.upper:
                hidden_bld = _first(layer(hidden_bld, _additive(batch.mask_bl)))
        hidden_bld = hidden_bld.float()
        passage_bl = batch.mask_bl * batch.type_ids_bl
        question_bd = _mean(hidden_bld, batch.mask_bl * (1 - batch.type_ids_bl))
        passage_bd = _mean(hidden_bld, passage_bl)
        pooled = torch.cat([hidden_bld[:, 0], question_bd, passage_bd, question_bd * passage_bd], dim=-1)
        allowed_bl = passage_bl.bool()
        allowed_bl[:, 0] = True
        spans = self.span(self.dropout(hidden_bld)).masked_fill(~allowed_bl.unsqueeze(-1), -1e4)
        return spans[..., 0], spans[..., 1], self.pair(self.dropout(pooled))

    def trained(self) -> dict[str, Tensor]:
        """What training changes: `NAME.lora_A` and `NAME.lora_B` of a module NAME of the base model, and the heads."""
        named: dict[str, Tensor] = {}
        for name, parameter in self.named_parameters():
            if not parameter.requires_grad:
                continue
            if name.startswith("upper."):
                _, layer, rest = name.split(".", 2)
                rest = rest.removesuffix(".default.weight")
                name = f"encoder.layer.{int(layer) + self.frozen_layers}.{rest}"
            named[name] = parameter.detach()
        return named


def batch_of(examples: Sequence[Example], states: Sequence[Tensor]) -> Batch:
    hidden_bld = nn.utils.rnn.pad_sequence(list(states), batch_first=True).float()
    types_bl = _padded([example.type_ids_l for example in examples])
    return Batch(hidden_bld, types_bl, _padded([[1] * len(example.token_ids_l) for example in examples]))


def _padded(rows: Sequence[Sequence[int]]) -> Tensor:
    longest = max(len(row) for row in rows)
    return torch.tensor([[*row, *[0] * (longest - len(row))] for row in rows])


def _additive(mask_bl: Tensor) -> Tensor:
    return (1 - mask_bl[:, None, None, :]).to(torch.bfloat16) * -1e4


def _mean(hidden_bld: Tensor, mask_bl: Tensor) -> Tensor:
    return (hidden_bld * mask_bl.unsqueeze(-1)).sum(dim=1) / mask_bl.sum(dim=1, keepdim=True)


def _first(output: Any) -> Tensor:
    """transformers' layers gave tuples before version 5."""
    return output[0] if isinstance(output, tuple) else output
