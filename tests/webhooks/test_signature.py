"""Only what the forge signed gets in, and nothing that a header holds makes verification fail in another way."""

from __future__ import annotations

import base64
import secrets
from collections.abc import Callable, Sequence
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from standardwebhooks import Webhook

from deployer.webhooks.headers import lower_case
from deployer.webhooks.refusal import Unverified
from deployer.webhooks.signature import signing_key, verify_github, verify_gitlab, verify_standard
from tests.webhooks.deliveries import NOW, github_proof, hmac_sha256, signing_secret, standard_proof

BODY = b'{"b": 1,  "a": "\xc3\xa4"}\n'
KEY = secrets.token_bytes(32)
TOKEN = secrets.token_hex(16).encode()
ANYTHING = st.text(st.characters(codec=None), max_size=60)


def check_github(headers: dict[str, str], body: bytes = BODY, *, keys: Sequence[bytes] = (TOKEN,)) -> None:
    verify_github(lower_case(headers), body, secrets=keys)


def check_standard(
    headers: dict[str, str], body: bytes = BODY, *, keys: Sequence[bytes] = (signing_secret(KEY),), now: float = 0
) -> None:
    verify_standard(lower_case(headers), body, secrets=keys, now=now or NOW.timestamp())


def check_gitlab(headers: dict[str, str], *, tokens: Sequence[bytes] = (), signing: Sequence[bytes] = ()) -> None:
    verify_gitlab(lower_case(headers), BODY, tokens=tokens, signing_secrets=signing, now=NOW.timestamp())


class TestGitHub:
    def test_accepts_the_example_of_githubs_documentation(self) -> None:
        documented = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
        check_github({"X-Hub-Signature-256": documented}, b"Hello, World!", keys=[b"It's a Secret to Everybody"])

    def test_accepts_any_of_several_secrets(self) -> None:
        old, new = (secrets.token_bytes(20) for _ in range(2))
        check_github(github_proof(old, BODY), keys=[old, new])
        check_github(github_proof(new, BODY), keys=[old, new])

    @pytest.mark.parametrize("body", [BODY.strip(), BODY.replace(b"  ", b" "), b"", BODY + b"\0"])
    def test_refuses_every_other_body(self, body: bytes) -> None:
        with pytest.raises(Unverified):
            check_github(github_proof(TOKEN, BODY), body)

    def test_refuses_another_forges_secret(self) -> None:
        with pytest.raises(Unverified, match="by any webhook secret"):
            check_github(github_proof(secrets.token_bytes(20), BODY))

    def test_refuses_sha1_alone(self) -> None:
        with pytest.raises(Unverified, match="SHA-1"):
            check_github({"X-Hub-Signature": "sha1=" + "0" * 40})

    @pytest.mark.parametrize(
        "forge",
        [
            lambda good: good.removeprefix("sha256="),
            lambda good: good.replace("sha256=", "sha1="),
            lambda good: good[:-1],
            lambda good: good.upper(),
            lambda good: f"{good}, {good}",
            lambda good: f"{good}\xe4",
            lambda good: f"{good}\u2713",
            lambda good: f"{good}\ud800",
            lambda _: "",
        ],
    )
    def test_refuses_a_signature_in_any_other_form(self, forge: Callable[[str], str]) -> None:
        good = github_proof(TOKEN, BODY)["X-Hub-Signature-256"]
        with pytest.raises(Unverified):
            check_github({"X-Hub-Signature-256": forge(good)})

    def test_refuses_a_second_signature_under_a_name_that_differs_in_case(self) -> None:
        good, bad = github_proof(TOKEN, BODY), {"x-hub-signature-256": "sha256=" + "0" * 64}
        for headers in ({**good, **bad}, {**bad, **good}):
            with pytest.raises(Unverified):
                check_github(headers)

    @pytest.mark.parametrize("keys", [[], [b""]])
    def test_an_empty_secret_or_none_verifies_nothing(self, keys: list[bytes]) -> None:
        with pytest.raises(Unverified):
            check_github(github_proof(b"", BODY), keys=keys)

    @settings(deadline=None)
    @given(ANYTHING)
    def test_any_header_is_refused_and_nothing_worse(self, value: str) -> None:
        with pytest.raises(Unverified):
            check_github({"X-Hub-Signature-256": value})

    def test_the_reason_holds_no_secret_and_no_right_signature(self) -> None:
        with pytest.raises(Unverified) as refused:
            check_github({"X-Hub-Signature-256": "sha256=" + "0" * 64})
        assert TOKEN.decode() not in str(refused.value)
        assert hmac_sha256(TOKEN, BODY).hex() not in str(refused.value)


class TestStandardWebhooks:
    def test_accepts_what_the_reference_implementation_signs(self) -> None:
        secret = signing_secret(KEY)
        signature = Webhook(secret.decode()).sign("msg_2", NOW, BODY.decode())
        timestamp = str(int(NOW.timestamp()))
        headers = {"Webhook-Id": "msg_2", "Webhook-Timestamp": timestamp, "Webhook-Signature": signature}
        check_standard(headers, keys=[secret])

    def test_the_reference_implementation_agrees_with_the_signer_of_these_tests(self) -> None:
        signature = Webhook(signing_secret(KEY).decode()).sign("msg_1", NOW, BODY.decode())
        assert standard_proof(KEY, BODY)["webhook-signature"] == signature

    def test_accepts_a_body_that_is_not_text(self) -> None:
        check_standard(standard_proof(KEY, b"\xff\x00"), b"\xff\x00")

    def test_accepts_one_right_signature_among_several_in_any_place(self) -> None:
        headers = standard_proof(KEY, BODY)
        good, wrong = headers["webhook-signature"], standard_proof(TOKEN, BODY)["webhook-signature"]
        for several in (f"{good} {wrong}", f"{wrong} v1a,{wrong[3:]} {good}", f"nonsense  {good}"):
            check_standard({**headers, "webhook-signature": several})

    def test_accepts_any_of_several_secrets(self) -> None:
        old = secrets.token_bytes(24)
        for key in (old, KEY):
            check_standard(standard_proof(key, BODY), keys=[signing_secret(old), signing_secret(KEY)])

    def test_accepts_a_secret_without_padding(self) -> None:
        check_standard(standard_proof(KEY, BODY), keys=[signing_secret(KEY).rstrip(b"=")])

    @pytest.mark.parametrize("seconds", [-300, 0, 300])
    def test_accepts_a_clock_that_is_up_to_five_minutes_off(self, seconds: int) -> None:
        check_standard(standard_proof(KEY, BODY, at=NOW + timedelta(seconds=seconds)))

    @pytest.mark.parametrize("seconds", [-301, 301, -86_400])
    def test_refuses_a_right_signature_of_another_time(self, seconds: int) -> None:
        with pytest.raises(Unverified, match="away from this server's clock"):
            check_standard(standard_proof(KEY, BODY, at=NOW + timedelta(seconds=seconds)))

    @pytest.mark.parametrize("timestamp", ["nan", "inf", "-1", "1e9", "1.5", " 1", "9" * 5000, "١٢٣", "²", "\ud800"])
    def test_refuses_a_time_that_is_no_whole_number(self, timestamp: str) -> None:
        with pytest.raises(Unverified, match="not a whole number"):
            check_standard({**standard_proof(KEY, BODY), "webhook-timestamp": timestamp})

    @pytest.mark.parametrize("name", ["webhook-id", "webhook-timestamp", "webhook-signature"])
    @pytest.mark.parametrize("absent", [True, False])
    def test_refuses_a_missing_or_empty_header(self, name: str, *, absent: bool) -> None:
        headers = {**standard_proof(KEY, BODY), name: ""}
        if absent:
            del headers[name]
        with pytest.raises(Unverified, match="comes with the headers"):
            check_standard(headers)

    @pytest.mark.parametrize(
        "change", [{"webhook-id": "msg_9"}, {"webhook-timestamp": str(int(NOW.timestamp()) + 1)}, {"webhook-id": "ä✓"}]
    )
    def test_refuses_another_id_or_time_than_was_signed(self, change: dict[str, str]) -> None:
        with pytest.raises(Unverified, match="no signature of this body"):
            check_standard({**standard_proof(KEY, BODY), **change})

    @pytest.mark.parametrize("version", ["v2", "v1a", "", "v1 "])
    def test_refuses_a_signature_of_another_version(self, version: str) -> None:
        headers = standard_proof(KEY, BODY)
        signature = headers["webhook-signature"].removeprefix("v1")
        with pytest.raises(Unverified):
            check_standard({**headers, "webhook-signature": version + signature})

    @pytest.mark.parametrize("secret", [b"", b"whsec_", b"whsec_====", b"whsec_not base64!", b"whsec_\xff", b"plain"])
    def test_a_secret_that_is_none_verifies_nothing_and_says_so(self, secret: bytes) -> None:
        for key in (b"", secret, secret.removeprefix(b"whsec_")):
            with pytest.raises(Unverified):
                check_standard(standard_proof(key, BODY), keys=[secret])
        with pytest.raises(ValueError, match="a signing secret"):
            signing_key(secret)

    def test_a_secret_is_the_base64_after_its_prefix(self) -> None:
        assert signing_key(b"whsec_" + base64.b64encode(KEY)) == KEY

    @settings(deadline=None)
    @given(ANYTHING, ANYTHING, ANYTHING)
    def test_any_headers_are_refused_and_nothing_worse(self, identity: str, timestamp: str, signature: str) -> None:
        now = str(int(NOW.timestamp()))
        for time in (timestamp, now):
            headers = {"webhook-id": identity, "webhook-timestamp": time, "webhook-signature": signature}
            with pytest.raises(Unverified):
                check_standard(headers)


class TestGitLab:
    def token(self, value: bytes = TOKEN) -> dict[str, str]:
        return {"X-Gitlab-Token": value.decode("latin-1")}

    def test_accepts_any_of_several_tokens(self) -> None:
        other = secrets.token_hex(16).encode()
        for token in (TOKEN, other):
            check_gitlab(self.token(token), tokens=[TOKEN, other])

    def test_accepts_a_token_that_is_not_ascii(self) -> None:
        token = "schlüssel".encode()
        check_gitlab(self.token(token), tokens=[token])

    @pytest.mark.parametrize("value", ["", "x", "ä", "\u2713", "\ud800", f"{TOKEN.decode()} ", TOKEN.decode()[:-1]])
    def test_refuses_any_other_token(self, value: str) -> None:
        with pytest.raises(Unverified, match="none of the webhook secrets"):
            check_gitlab({"X-Gitlab-Token": value}, tokens=[TOKEN])

    def test_an_empty_token_verifies_nothing(self) -> None:
        with pytest.raises(Unverified):
            check_gitlab({"X-Gitlab-Token": ""}, tokens=[b""])

    def test_with_both_configured_either_one_is_enough(self) -> None:
        both = {"tokens": [TOKEN], "signing": [signing_secret(KEY)]}
        check_gitlab(self.token(), **both)
        check_gitlab(standard_proof(KEY, BODY), **both)
        check_gitlab({**self.token(), **standard_proof(KEY, BODY)}, **both)

    def test_an_id_and_a_time_without_a_signature_are_no_signature(self) -> None:
        unsigned = {**self.token(), "webhook-id": "1", "webhook-timestamp": "1"}
        check_gitlab(unsigned, tokens=[TOKEN], signing=[signing_secret(KEY)])

    @pytest.mark.parametrize("late", [timedelta(minutes=6), timedelta(days=1)])
    def test_a_token_does_not_save_a_stale_signature(self, late: timedelta) -> None:
        with pytest.raises(Unverified, match="clock"):
            check_gitlab(
                {**self.token(), **standard_proof(KEY, BODY, at=NOW - late)},
                tokens=[TOKEN],
                signing=[signing_secret(KEY)],
            )

    def test_a_token_does_not_save_a_wrong_or_empty_signature(self) -> None:
        for wrong in (standard_proof(KEY, b"another body"), {"webhook-signature": ""}):
            with pytest.raises(Unverified):
                check_gitlab({**self.token(), **wrong}, tokens=[TOKEN], signing=[signing_secret(KEY)])

    def test_a_signature_does_not_save_a_wrong_token(self) -> None:
        headers = {**self.token(b"wrong"), **standard_proof(KEY, BODY)}
        with pytest.raises(Unverified, match="none of the webhook secrets"):
            check_gitlab(headers, tokens=[TOKEN], signing=[signing_secret(KEY)])

    def test_with_signing_secrets_alone_a_token_counts_for_nothing(self) -> None:
        signing = [signing_secret(KEY)]
        check_gitlab({**self.token(b"wrong"), **standard_proof(KEY, BODY)}, signing=signing)
        with pytest.raises(Unverified, match="no webhook-signature"):
            check_gitlab(self.token(), signing=signing)

    def test_with_tokens_alone_a_signature_counts_for_nothing(self) -> None:
        check_gitlab({**self.token(), **standard_proof(b"unknown", BODY)}, tokens=[TOKEN])
        with pytest.raises(Unverified, match="no X-Gitlab-Token"):
            check_gitlab(standard_proof(KEY, BODY), tokens=[TOKEN])

    def test_with_nothing_configured_nothing_is_authentic(self) -> None:
        with pytest.raises(Unverified, match="no secret is configured"):
            check_gitlab({**self.token(b""), **standard_proof(b"", BODY)})
