"""Quantities such as `1500m` and `64Mi` in the form in which the API server writes them. Pure.

https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/
"""

from __future__ import annotations

import re
from fractions import Fraction
from functools import lru_cache

from deployer.model import JSON

_FORM = re.compile(r"(-?)(0|[1-9][0-9]*|(?:0|[1-9][0-9]*)?\.[0-9]+)([numkMGTPE]?|[KMGTPE]i|[eE]-?[0-9]{1,2})")
_LONGEST = 24
_DECIMAL = {"n": -9, "u": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
_BINARY = {"": 0, "Ki": 1, "Mi": 2, "Gi": 3, "Ti": 4, "Pi": 5, "Ei": 6}
_LIMIT = 2**63 - 1
"""From here on the API server no longer counts exactly."""


def canonical(value: JSON) -> JSON:
    """The text that the API server keeps for a quantity: `1000m` is kept as `1`, `1024Mi` as `1Gi`.

    Two that are worth the same can be kept differently (`1Gi` and `1073741824`); those are not the same here either.
    What is no quantity, and what the API server would round or keep as it was written, is returned unchanged.
    """
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return value
    written = _canonical(str(value))
    return value if written is None else written


@lru_cache(maxsize=4096)
def _canonical(text: str) -> str | None:
    match = _FORM.fullmatch(text) if len(text) <= _LONGEST else None
    if match is None:
        return None
    amount, suffix = Fraction(match[1] + match[2]), match[3]
    if suffix.endswith("i"):
        return _binary(amount * 1024 ** _BINARY[suffix])
    if suffix in _DECIMAL:
        return _scaled(amount * Fraction(10) ** _DECIMAL[suffix], _DECIMAL)
    exponents = {f"e{power}" if power else "": power for power in _DECIMAL.values()}
    return _scaled(amount * Fraction(10) ** int(suffix[1:]), exponents)


def _binary(amount: Fraction) -> str | None:
    """Fractions and what is under 1024 are written with decimal suffixes."""
    if amount.denominator != 1 or abs(amount) < 1024:
        return _scaled(amount, _DECIMAL)
    power, suffix = max((power, suffix) for suffix, power in _BINARY.items() if amount % 1024**power == 0)
    return _written(amount / 1024**power, suffix, amount)


def _scaled(amount: Fraction, suffixes: dict[str, int]) -> str | None:
    """With the largest suffix that leaves an integer; None when even the smallest leaves a fraction."""
    if amount == 0:
        return "0"
    for suffix, power in sorted(suffixes.items(), key=lambda pair: -pair[1]):
        scaled = amount / Fraction(10) ** power
        if scaled.denominator == 1:
            return _written(scaled, suffix, amount)
    return None


def _written(scaled: Fraction, suffix: str, amount: Fraction) -> str | None:
    return None if abs(amount) >= _LIMIT else f"{scaled}{suffix}"
