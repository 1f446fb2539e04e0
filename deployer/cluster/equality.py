"""Whether two JSON values are the same one. Pure.

Python alone would take `True` for 1, and with it a change of a custom resource for none.
"""

from __future__ import annotations

from deployer.model import JSON


def same(one: JSON, other: JSON) -> bool:
    """Whether two values are the same; an empty value, null and no value are three things."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(value, other[key]) for key, value in one.items())
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    return one == other and isinstance(one, bool) is isinstance(other, bool)
