"""Limits that a change must not break, from TOML; see `evaluation.toml` beside this module."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from importlib import resources
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from ragvoice.datatypes import Style
from ragvoice.errors import UsageError
from ragvoice.evaluation.comparison import Comparison
from ragvoice.evaluation.scores import BY_NAME, Figure

FILE = "evaluation.toml"


class Gate(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    figure: str
    sets: tuple[str, ...] = ()
    """Empty: every set."""
    except_sets: tuple[str, ...] = ()
    styles: tuple[Style, ...] = ()
    max_fall: float | None = Field(None, ge=0)
    max_rise: float | None = Field(None, ge=0)
    minimum: float | None = None
    maximum: float | None = None

    @model_validator(mode="after")
    def _usable(self) -> Gate:
        if self.figure not in BY_NAME:
            raise ValueError(f"there is no measure {self.figure!r}; the measures are {', '.join(BY_NAME)}")
        if self.max_fall is None and self.max_rise is None and self.minimum is None and self.maximum is None:
            raise ValueError("it needs max_fall, max_rise, minimum or maximum")
        return self

    def concerns(self, name: str, style: str) -> bool:
        named = (not self.sets or name in self.sets) and name not in self.except_sets
        return named and (not self.styles or style in self.styles)


class _Gates(BaseModel):
    model_config = ConfigDict(extra="forbid")

    gate: tuple[Gate, ...] = ()


def read_gates(file: Path | None = None) -> tuple[Gate, ...]:
    """:param file: None: `evaluation.toml` in the working folder, else the built-in one.
    :raises UsageError: naming the file, the gate and what is wrong with it.
    """
    chosen = file or (Path(FILE) if Path(FILE).is_file() else None)
    try:
        if chosen is None:
            text = resources.files("ragvoice.evaluation").joinpath(FILE).read_text(encoding="utf-8")
        else:
            text = chosen.read_text(encoding="utf-8")
        return _Gates.model_validate(tomllib.loads(text)).gate
    except OSError as error:
        raise UsageError(f"The gates in {chosen} cannot be read: {error.strerror or error}.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{chosen or FILE} is not valid TOML: {error}") from error
    except ValidationError as error:
        first = error.errors()[0]
        where = f"gate {int(first['loc'][1]) + 1}" if len(first["loc"]) > 1 else "the file"
        field = f", {first['loc'][2]}" if len(first["loc"]) > 2 else ""
        raise UsageError(f"{chosen or FILE}, {where}{field}: {first['msg']}.") from error


def broken_limits(gates: Sequence[Gate], name: str, style: str, figures: Mapping[str, Figure]) -> list[str]:
    """One sentence for each `minimum` or `maximum` that these figures of a set break."""
    broken = []
    for gate in gates:
        value = figures[gate.figure].value if gate.figure in figures else None
        if value is None or not gate.concerns(name, style):
            continue
        if gate.minimum is not None and value < gate.minimum:
            broken.append(f"{name}, {style}: {gate.figure} is {value:.3f}, below the minimum {gate.minimum:g}")
        if gate.maximum is not None and value > gate.maximum:
            broken.append(f"{name}, {style}: {gate.figure} is {value:.3f}, above the maximum {gate.maximum:g}")
    return broken


def broken_changes(gates: Sequence[Gate], comparison: Comparison) -> list[str]:
    """One sentence for each `max_fall` or `max_rise` that the change since the baseline breaks."""
    broken = []
    changes = {difference.measure.name: difference for difference in comparison.differences}
    for gate in gates:
        found = changes.get(gate.figure)
        if found is None or not gate.concerns(comparison.name, comparison.style):
            continue
        change = round(found.after - found.before, 4)
        said = (
            f"{comparison.name}, {comparison.style}: {gate.figure} went from {found.before:.3f} to {found.after:.3f} "
            f"over {found.change.n} questions"
        )
        if gate.max_fall is not None and -change > gate.max_fall:
            broken.append(f"{said}; it may fall by {gate.max_fall:g}")
        if gate.max_rise is not None and change > gate.max_rise:
            broken.append(f"{said}; it may rise by {gate.max_rise:g}")
    return broken
