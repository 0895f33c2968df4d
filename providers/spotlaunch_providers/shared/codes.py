"""A row of the table in which a cloud's adapter has every way of that cloud to say no."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeVar

from spotlaunch.errors import ProviderError

R = TypeVar("R", bound=str)


@dataclass(frozen=True, slots=True)
class Row(Generic[R]):
    """``reach``: how far the refusal reaches, in the cloud's own steps. The words are for a person."""

    error: type[ProviderError]
    reach: R
    message: str
    hint: str = ""
