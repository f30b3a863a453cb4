"""What tokens cost, by a file that the user can edit."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from datagen.errors import UserError

SHIPPED = Path(__file__).with_name("prices.yaml")
KEYS = {"input", "output", "cached", "batch"}


@dataclass(frozen=True, kw_only=True)
class Price:
    """What a million tokens of one model cost."""

    currency: str
    input: float
    cached: float
    """Prompt tokens that the endpoint found in its cache."""
    output: float

    def of(
        self, *, prompt_tokens: float, completion_tokens: float, cached_tokens: float = 0
    ) -> float:
        """The cost; cached tokens are among the prompt's."""
        fresh = prompt_tokens - cached_tokens
        return (
            fresh * self.input + cached_tokens * self.cached + completion_tokens * self.output
        ) / 1e6


def price_of(teacher: str, file: Path | None = None, *, batch: bool = False) -> Price | None:
    """The first price whose pattern fits, in `file` and then in the shipped one; None for a model
    in neither.

    Raises UserError for a file that is missing or is no price file.
    """
    for source in [file, SHIPPED] if file else [SHIPPED]:
        for pattern, price in entries(source, batch=batch):
            if fnmatchcase(teacher, pattern):
                return price
    return None


def entries(file: Path, *, batch: bool) -> Iterator[tuple[str, Price]]:
    read = load(file)
    currency = read.get("currency", "usd")
    models = read.get("models") or {}
    if not isinstance(currency, str) or not isinstance(models, dict):
        raise UserError(f"{file}: needs `currency: usd` and `models:` with a line for each model")
    for pattern, value in models.items():
        yield (
            str(pattern),
            entry(value, currency.lower(), f"{file}: models: {pattern}", batch=batch),
        )


def load(file: Path) -> dict[str, Any]:
    import yaml

    try:
        read = yaml.safe_load(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(f"--prices {file}: {error.strerror}") from None
    except (ValueError, yaml.YAMLError) as error:
        raise UserError(f"--prices {file}: no YAML ({' '.join(str(error).split())})") from None
    if not isinstance(read, dict):
        raise UserError(
            f"--prices {file}: needs `currency: usd` and `models:` with a line for each model"
        )
    return read


def entry(value: Any, currency: str, where: str, *, batch: bool) -> Price:
    """A price, times what `batch` leaves of it. Raises UserError, naming the key that is wrong."""
    if not isinstance(value, dict) or not {"input", "output"} <= set(value):
        raise UserError(f"{where}: needs input and output, the price of a million tokens each")
    if unknown := set(value) - KEYS:
        raise UserError(
            f"{where}: no key {sorted(map(str, unknown))[0]!r}; there are {', '.join(sorted(KEYS))}"
        )
    for key, number in value.items():
        if (
            isinstance(number, bool)
            or not isinstance(number, int | float)
            or not 0 <= number < float("inf")
        ):
            raise UserError(f"{where}: {key}: {number!r} is no price")
    price: dict[str, float] = value
    left = price.get("batch", 1.0) if batch else 1.0
    return Price(
        currency=currency,
        input=price["input"] * left,
        cached=price.get("cached", price["input"]) * left,
        output=price["output"] * left,
    )
