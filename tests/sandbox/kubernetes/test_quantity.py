"""Quantities; that the forms are the real ones is in test_defaults."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deployer.sandbox.kubernetes.quantity import as_number, canonical

_QUANTITIES = st.builds(
    "{}{}".format,
    st.one_of(st.integers(-(10**6), 10**6), st.decimals(0, 1000, places=3)),
    st.sampled_from(["", "m", "k", "M", "G", "Ki", "Mi", "Gi", "e3", "E-2", "u"]),
)


@given(_QUANTITIES)
def test_the_canonical_form_is_the_same_amount(text: str) -> None:
    assert as_number(canonical(text)) == as_number(text)


@given(_QUANTITIES)
def test_the_canonical_form_of_the_canonical_form_is_itself(text: str) -> None:
    assert canonical(canonical(text)) == canonical(text)


@pytest.mark.parametrize("text", ["", "x", "1 ", "1kk", "--1", "1Ki1", "e3", ".", "1e", "٣", "9" * 100])
def test_other_text_is_no_quantity(text: str) -> None:
    with pytest.raises(ValueError, match="quantities must match"):
        canonical(text)


def test_what_is_too_small_is_rounded_up() -> None:
    assert canonical("0.0000000001") == "1n"
