"""The forms of quantities; the table was read off an API server."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deployer.cluster.quantity import canonical
from deployer.sandbox.kubernetes.quantity import as_number


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("1000m", "1"), ("1024Mi", "1Gi"), ("1.5Gi", "1536Mi"), ("0.5", "500m"), (".5", "500m"), ("1.10", "1100m"),
        ("1000Ki", "1000Ki"), ("0.9765625Ki", "1k"), ("0.5Ki", "512"), ("0.1Ki", "102400m"), ("1023.5Ki", "1048064"),
        ("0.1Gi", "107374182400m"), ("1000", "1k"), ("1000000e0", "1e6"), ("10e2", "1e3"), ("1e10", "10e9"),
        ("1e-1", "100e-3"), ("12e5", "1200e3"), ("0.5e0", "500e-3"), ("0Ki", "0"), ("0.00", "0"), ("0e3", "0"),
        ("1E", "1E"), ("7E", "7E"), ("1234567k", "1234567k"), ("100n", "100n"), ("-0.5", "-500m"),
        (2, "2"), (0.5, "500m"),
    ],
)  # fmt: skip
def test_a_quantity_is_written_as_the_api_server_keeps_it(written: str | float, kept: str) -> None:
    assert canonical(written) == kept


@pytest.mark.parametrize(
    "text",
    ["+1", "010", "5.", "0.0000000001", "8E", "99999999999999999999", "1e30", "", "m", "1 Gi", "1gi", "१", "9" * 5000],
)
def test_what_the_api_server_keeps_as_written_or_rounds_is_left_alone(text: str) -> None:
    assert canonical(text) == text


@pytest.mark.parametrize("value", [True, None, [], {}, float("inf"), float("nan")])
def test_what_is_no_quantity_comes_back_as_it_is(value: object) -> None:
    assert canonical(value) is value  # type: ignore[arg-type]


def test_the_same_amount_in_another_form_is_kept_differently() -> None:
    assert canonical("1073741824") != canonical("1Gi")


@given(st.from_regex(r"-?(0|[1-9][0-9]{0,9})(\.[0-9]{1,6})?(|[numkMG]|[KMG]i|e-?[0-9])", fullmatch=True))
def test_the_kept_form_is_worth_the_same_and_stays(text: str) -> None:
    kept = canonical(text)

    assert isinstance(kept, str)
    assert as_number(kept) == as_number(text)
    assert canonical(kept) == kept
