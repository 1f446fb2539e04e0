"""What a plain YAML scalar means to Go: string, number, boolean or null. Pure.

The rules are those of Go's yaml.v2 (`resolve`), strconv and encoding/json, as sigs.k8s.io/yaml puts them together.
"""

from __future__ import annotations

import math
import re
import struct
from decimal import Decimal
from typing import Final

Scalar = str | int | float | bool | None

_INT64: Final = range(-(2**63), 2**63)
_UINT64: Final = range(2**64)

_WORDS: Final[dict[str, Scalar]] = {
    **dict.fromkeys(("y", "Y", "yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON"), True),
    **dict.fromkeys(("n", "N", "no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF"), False),
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **dict.fromkeys((".nan", ".NaN", ".NAN"), math.nan),
    **dict.fromkeys((".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF"), math.inf),
    **dict.fromkeys(("-.inf", "-.Inf", "-.INF"), -math.inf),
}
_NUMERIC_START: Final = frozenset("+-.0123456789")
_INTEGER: Final = re.compile(
    r"(?P<sign>[-+]?)(?:0[xX](?P<hex>[0-9a-fA-F]+)|0[bB](?P<bin>[01]+)|0[oO]?(?P<oct>[0-7]+)|(?P<dec>0|[1-9][0-9]*))"
    r"|0b(?P<late>[-+][01]+)"  # a sign after the prefix: yaml.v2 hands what follows 0b to strconv, which takes it
)
_MOST_DIGITS: Final = 64
"""Of a number in any base that fits into 64 bits. Python refuses to read thousands of them."""
_BASES: Final = {"hex": 16, "bin": 2, "oct": 8, "dec": 10, "late": 2}
_FLOAT: Final = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_POINT_FLOAT: Final = re.compile(r"\.[0-9]+(_[0-9]+)*([eE][-+]?[0-9]+(_[0-9]+)*)?")
"""A float that starts with its point is read by Go's own rule: underscores only between digits."""


def resolve(text: str) -> Scalar:
    """The value of a plain scalar. Dates, base 60 and everything out of range are strings."""
    if text in _WORDS:
        return _WORDS[text]
    if text[0] not in _NUMERIC_START:
        return text
    if text[0] == ".":
        value: Scalar = _float(text, _POINT_FLOAT)
    else:
        plain = text.replace("_", "")
        value = _integer(plain)
        if value is None:
            value = _float(plain, _FLOAT)
    return text if value is None else value


def _integer(text: str) -> int | None:
    match = _INTEGER.fullmatch(text)
    if match is None or match.lastgroup is None:
        return None
    digits = match[match.lastgroup]
    if len(digits.lstrip("-+0")) > _MOST_DIGITS:
        return None
    value = int(digits, _BASES[match.lastgroup])
    value = -value if match["sign"] == "-" else value
    return value if value in (_INT64 if match["sign"] or match["late"] else _UINT64) else None


def _float(text: str, spelling: re.Pattern[str]) -> float | None:
    if spelling.fullmatch(text) is None:
        return None
    value = float(text)
    return value if math.isfinite(value) else None


def json_number(value: Scalar) -> Scalar:
    """The value after Go has written it as JSON and read it again.

    A float without a fraction becomes an integer and an integer beyond 64 signed bits a float.

    Raises:
        ValueError: JSON has no such number (infinity, not-a-number).
    """
    if isinstance(value, float):
        if not math.isfinite(value):
            raise ValueError("infinity and not-a-number cannot be sent to a cluster")
        if not value.is_integer():
            return value
        whole = int(Decimal(repr(value)))  # the shortest digits that mean this float, then zeros: what Go writes
        return whole if whole in _INT64 else value
    if isinstance(value, int) and value not in _INT64:
        return float(value)
    return value


def key(value: Scalar) -> str:
    """The value as a key of a JSON object.

    Raises:
        ValueError: sigs.k8s.io/yaml has no spelling for it (null, an integer beyond 64 signed bits).
    """
    match value:
        case str():
            return value
        case bool():
            return "true" if value else "false"
        case int() if value in _INT64:
            return str(value)
        case float():
            return _float_key(value)
    raise ValueError("null and integers beyond 64 bits cannot be keys")


def _float_key(value: float) -> str:
    """Go's FormatFloat(value, 'g', -1, 32): the fewest digits that tell this float from others of 32 bits."""
    single = _single(value)
    if not math.isfinite(single):
        return ".nan" if math.isnan(single) else ".inf" if single > 0 else "-.inf"
    digits = next(text for size in range(17) if _single(float(text := f"{single:.{size}e}")) == single)
    if -4 <= int(digits.partition("e")[2]) < 6:
        return format(Decimal(digits), "f")
    return digits


def _single(value: float) -> float:
    try:
        single: float = struct.unpack("f", struct.pack("f", value))[0]
    except OverflowError:
        return math.copysign(math.inf, value)
    return single
