"""The prices of tokens, from a file that the user can edit."""

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
    """The price of a million tokens of one model."""

    currency: str
    input: float
    cached: float
    """Prompt tokens that the endpoint found in its cache."""
    output: float

    def of(
        self, *, prompt_tokens: float, completion_tokens: float, cached_tokens: float = 0
    ) -> float:
        """Return the cost of tokens. The cached tokens are part of the prompt tokens."""
        fresh = prompt_tokens - cached_tokens
        return (
            fresh * self.input + cached_tokens * self.cached + completion_tokens * self.output
        ) / 1e6


def price_of(teacher: str, file: Path | None = None, *, batch: bool = False) -> Price | None:
    """Return the first price whose pattern fits a teacher, or None if there is none.

    Args:
        teacher: the spec of the teacher.
        file: a price file that is searched before the one that ships with the package.
        batch: whether the Batch API is used.

    Raises:
        UserError: a file is missing or is no price file.
    """
    # the user's file comes first, so that its prices win over the shipped ones
    for source in [file, SHIPPED] if file else [SHIPPED]:
        for pattern, price in price_entries(source, batch=batch):
            if fnmatchcase(teacher, pattern):
                return price
    return None


def price_entries(file: Path, *, batch: bool) -> Iterator[tuple[str, Price]]:
    """Yield the patterns of a price file with their prices."""
    read = load_yaml(file)
    currency = read.get("currency", "usd")
    models = read.get("models") or {}
    if not isinstance(currency, str) or not isinstance(models, dict):
        raise UserError(f"{file}: needs `currency: usd` and `models:` with a line for each model")
    for pattern, value in models.items():
        yield (
            str(pattern),
            parse_price(value, currency.lower(), f"{file}: models: {pattern}", batch=batch),
        )


def load_yaml(file: Path) -> dict[str, Any]:
    """Return the mapping in a price file.

    Raises:
        UserError: the file is missing or holds no mapping.
    """
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


def parse_price(value: Any, currency: str, where: str, *, batch: bool) -> Price:
    """Return the price that an entry states, with the discount for batches if `batch` is set.

    Raises:
        UserError: the entry has a wrong key or value. The message names the key.
    """
    if not isinstance(value, dict) or not {"input", "output"} <= set(value):
        raise UserError(f"{where}: needs input and output, the price of a million tokens each")
    if unknown := set(value) - KEYS:
        raise UserError(
            f"{where}: no key {sorted(map(str, unknown))[0]!r}; there are {', '.join(sorted(KEYS))}"
        )
    for key, number in value.items():
        # True is an int to Python, and YAML reads `.inf` and `.nan` as floats
        if (
            isinstance(number, bool)
            or not isinstance(number, int | float)
            or not 0 <= number < float("inf")
        ):
            raise UserError(f"{where}: {key}: {number!r} is no price")
    price: dict[str, float] = value
    factor = price.get("batch", 1.0) if batch else 1.0
    return Price(
        currency=currency,
        input=price["input"] * factor,
        cached=price.get("cached", price["input"]) * factor,
        output=price["output"] * factor,
    )
