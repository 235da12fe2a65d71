"""Signatures of webhooks: the published vectors, and what the published libraries make of ours and we of theirs."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
import standardwebhooks
import svix.webhooks
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.domain.webhooks.signature import PrivateKey, SharedSecret, sign, signing_key, verify, verifying_key
from hub.errors import Invalid
from tests.data import find_data

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
# Those of the reference implementation of v1a, Svix's server (`test_asymmetric_key_signing`).
PRIVATE = "whsk_6Xb/dCcHpPea21PS1N9VY/NZW723CEc77N4rJCubMbfVKIDij2HKpMKkioLlX0dRqSKJp4AJ6p9lMicMFs6Kvg=="
PUBLIC = "whpk_1SiA4o9hyqTCpIqC5V9HUakiiaeACeqfZTInDBbOir4="
ID, AT, BODY = "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}'
BY_SECRET = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
BY_PRIVATE = "v1a,hnO3f9T8Ytu9HwrXslvumlUpqtNVqkhqw/enGzPCXe5BdqzCInXqYXFymVJaA7AZdpXwVLPo3mNl8EM+m7TBAg=="
SIGNED = {"webhook-id": ID, "webhook-timestamp": str(AT), "webhook-signature": BY_SECRET}


def test_the_standards_own_vectors_are_judged_as_it_says():
    for vector in json.loads(find_data("vectors/standard-webhooks.json").read_text())["vectors"]:
        headers = {
            "Webhook-Id": vector["msg_id"], "Webhook-Timestamp": str(vector["timestamp"]), "Webhook-Signature": vector["signature"],
        }  # fmt: skip
        key = verifying_key("whsec_" + vector["secret"].removeprefix("whsec_"))
        if vector["expect"] == "valid":
            assert verify([key], headers, vector["payload"].encode(), now_s=vector["timestamp"]) == vector["msg_id"]
        else:
            with pytest.raises(Invalid, match="no signature by a key"):
                verify([key], headers, vector["payload"].encode(), now_s=vector["timestamp"])


@pytest.mark.parametrize(("key", "signature"), [(SECRET, BY_SECRET), (PRIVATE, BY_PRIVATE)])
def test_a_signature_is_the_one_that_the_references_make(key: str, signature: str):
    assert sign([signing_key(key)], ID, AT, BODY) == SIGNED | {"webhook-signature": signature}


def test_keys_are_written_as_they_were_read_and_a_receiver_gets_the_public_half():
    assert signing_key(SECRET).text() == signing_key(SECRET).receiver_text() == SECRET
    assert signing_key(PRIVATE).text() == PRIVATE
    assert signing_key(PRIVATE).receiver_text() == verifying_key(PUBLIC).text() == PUBLIC
    assert [repr(signing_key(key)) for key in (SECRET, PRIVATE)] == ["SharedSecret(scheme='v1')", "PrivateKey(scheme='v1a')"]


@pytest.mark.parametrize("make", [standardwebhooks.Webhook, svix.webhooks.Webhook])
@settings(max_examples=40)
@given(secret=st.binary(min_size=24, max_size=64), message_id=st.uuids().map(str), body=st.text(max_size=200))
def test_the_published_libraries_take_what_we_sign_and_we_what_they_do(make: Any, secret: bytes, message_id: str, body: str):
    key = SharedSecret(secret)
    now = datetime.now(UTC)
    now_s = int(now.timestamp())
    library = make(key.text())
    spare = PrivateKey(Ed25519PrivateKey.generate())  # both kinds of signature, as while keys rotate

    headers = sign([spare, key], message_id, now_s, body.encode())
    if make is standardwebhooks.Webhook:
        library.verify(body, headers, json_parse=False)
    else:
        library.verify(body, headers)  # either raises where it does not like it

    theirs = SIGNED | {"webhook-id": message_id, "webhook-timestamp": str(now_s), "webhook-signature": library.sign(message_id, now, body)}
    assert verify([key], theirs, body.encode(), now_s=now_s) == message_id
    assert verify([spare.public], headers, body.encode(), now_s=now_s) == message_id


@pytest.mark.parametrize("off_s", [-300, 300])
def test_a_timestamp_five_minutes_off_is_taken_and_one_a_second_more_is_not(off_s: int):
    keys = [verifying_key(SECRET)]
    assert verify(keys, SIGNED, BODY, now_s=AT + off_s) == ID
    with pytest.raises(Invalid, match="away from now"):
        verify(keys, SIGNED, BODY, now_s=AT + off_s + (1 if off_s > 0 else -1))


@pytest.mark.parametrize(
    "change",
    [
        {"webhook-id": "msg_other"},
        {"webhook-timestamp": str(AT + 1)},
        {"webhook-timestamp": f"0{AT}"},  # what is signed is the text
        {"webhook-id": f"{ID}\udcff"},
        {"webhook-signature": BY_SECRET.replace("v1,", "v2,")},
        {"webhook-signature": BY_SECRET.replace("v1,", "v1a,")},
        {"webhook-signature": "v1 v1, ,v1 v1,* v1a,AA=="},
        {"webhook-signature": "v1,\xe4"},
        {"webhook-signature": " ".join(["v1,AAAA"] * 16 + [BY_SECRET])},  # only so many are looked at
    ],
    ids=str,
)
def test_nothing_but_the_message_that_was_signed_is_taken(change: dict[str, str]):
    with pytest.raises(Invalid, match="no signature by a key"):
        verify([verifying_key(SECRET), verifying_key(PUBLIC)], SIGNED | change, BODY, now_s=AT)


@pytest.mark.parametrize(
    "change",
    [
        {"webhook-id": ""}, {"webhook-timestamp": ""}, {"webhook-signature": ""}, {"webhook-timestamp": f"{AT}.5"},
        {"webhook-timestamp": f"-{AT}"}, {"webhook-timestamp": "٣"}, {"webhook-timestamp": "9" * 5_000},
    ],
    ids=lambda change: str(change)[:50],
)  # fmt: skip
def test_a_header_that_is_missing_or_malformed_is_named(change: dict[str, str]):
    with pytest.raises(Invalid, match="webhook-"):
        verify([verifying_key(SECRET)], SIGNED | change, BODY, now_s=AT)


def test_a_key_gives_away_nothing_to_a_receiver_that_mixes_schemes():
    headers = sign([signing_key(PRIVATE)], ID, AT, BODY)
    with pytest.raises(Invalid, match="no signature by a key"):
        verify([verifying_key(SECRET)], headers, BODY, now_s=AT)
    with pytest.raises(Invalid, match="no signature by a key"):
        verify([verifying_key(PUBLIC)], headers, BODY + b" ", now_s=AT)


@pytest.mark.parametrize(
    "text",
    [
        "", "whsec_", SECRET.removeprefix("whsec_"), "whsec_AAAA", "whsec_" + "A" * 88, "whsec_%%%", "whsk_" + "A" * 44,
        PRIVATE.replace("VKID", "VKIE"), PUBLIC, "whsec_\xe4", "WHSEC_" + SECRET.removeprefix("whsec_"),
    ],
)  # fmt: skip
def test_what_is_no_key_to_sign_with_is_refused(text: str):
    with pytest.raises(Invalid):
        signing_key(text)


@pytest.mark.parametrize("text", [PRIVATE, "whpk_AAAA", "whpk_", "whsec_AAAA", "x"])
def test_what_is_no_key_to_check_with_is_refused(text: str):
    with pytest.raises(Invalid):
        verifying_key(text)
