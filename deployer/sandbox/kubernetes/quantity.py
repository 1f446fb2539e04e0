"""Quantities in their canonical form: `1000m` is `1`, `0.5` is `500m`, `1024Mi` is `1Gi`.

https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/
"""

from __future__ import annotations

import re
from decimal import ROUND_CEILING, Decimal

_FORM = re.compile(r"([+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+))(|[numkMGTPE]|[KMGTPE]i|[eE][+-]?[0-9]{1,3})")
_DECIMAL = {"n": -9, "u": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
_BINARY = {"Ki": 1, "Mi": 2, "Gi": 3, "Ti": 4, "Pi": 5, "Ei": 6}
_NANO = Decimal("1e-9")
PATTERN = "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"
"""What the API says about anything else."""


def canonical(text: str) -> str:
    """The canonical form of a quantity.

    Raises:
        ValueError: it is not a quantity.
    """
    match = _FORM.fullmatch(text)
    if match is None or len(text) > 64:
        raise ValueError(PATTERN)
    number, suffix = Decimal(match[1]), match[2]
    if suffix in _BINARY:
        return _binary(number * 1024 ** _BINARY[suffix])
    if suffix in _DECIMAL:
        return _decimal(number.scaleb(_DECIMAL[suffix]))
    return _exponent(number.scaleb(int(suffix[1:])))


def _rounded(value: Decimal) -> Decimal:
    """Nothing is smaller than a billionth; what is gets rounded away from zero."""
    steps = (abs(value) / _NANO).to_integral_value(rounding=ROUND_CEILING)
    return (steps * _NANO).copy_sign(value)


def _decimal(value: Decimal) -> str:
    value = _rounded(value)
    for suffix, exponent in reversed(_DECIMAL.items()):
        scaled = value.scaleb(-exponent)
        if value and scaled == scaled.to_integral_value():
            return f"{scaled:.0f}{suffix}"
    return "0"


def _binary(value: Decimal) -> str:
    if value != value.to_integral_value():
        return _decimal(value)
    for suffix, power in reversed(_BINARY.items()):
        if value and value % 1024**power == 0:
            return f"{value / 1024**power:.0f}{suffix}"
    return f"{value:.0f}"


def _exponent(value: Decimal) -> str:
    value = _rounded(value)
    for exponent in range(18, -10, -3):
        scaled = value.scaleb(-exponent)
        if value and scaled == scaled.to_integral_value():
            return f"{scaled:.0f}e{exponent}" if exponent else f"{scaled:.0f}"
    return "0"


def as_number(text: str) -> Decimal:
    """The value of a quantity, for comparing two.

    Raises:
        ValueError: it is not a quantity.
    """
    match = _FORM.fullmatch(text)
    if match is None:
        raise ValueError(PATTERN)
    number, suffix = Decimal(match[1]), match[2]
    if suffix in _BINARY:
        return number * Decimal(1024) ** _BINARY[suffix]
    exponent = _DECIMAL[suffix] if suffix in _DECIMAL else int(suffix[1:])
    return number.scaleb(exponent)
