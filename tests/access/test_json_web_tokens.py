"""JSON Web Tokens: keys that verify them, claims that they need, and known attacks."""

import base64
import hashlib
import hmac
import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import jwt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.shared.json_web_keys import SECRET, key_set, private_key, private_pem, public_jwk, public_pem, signed
from wsecho.access.json_web_tokens import MAX_TOKEN, JsonWebTokens, Keys, parse_key_file, parse_key_set
from wsecho.access.policy import REFUSED, Verdict
from wsecho.options.config import OPTIONS, Config
from wsecho.options.values import SHARED_SECRET_ALGORITHMS

PUBLIC = Config().jwt_algorithms
# For tokens that are made while tests are collected: the names of tests must not depend on the time.
FAR_AWAY = {"exp": 1 << 40}


def tokens(keys: Keys | None = None, allowed: tuple[str, ...] = PUBLIC, **rules: Any) -> JsonWebTokens:
    """Return a verifier with the key `rsa`, unless other keys are given."""
    rules = {"audience": (), "issuer": (), "leeway": 0} | rules
    return JsonWebTokens(keys or parse_key_file(public_pem("rsa"), allowed), allowed, **rules)


def verdict(token: str, **settings: Any) -> Verdict:
    return tokens(**settings).verify(token.encode())


def encoded(part: Any) -> str:
    data = part if isinstance(part, bytes) else json.dumps(part).encode()
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def forged(header: Any, payload: Any = None, signature: bytes = b"") -> str:
    return f"{encoded(header)}.{encoded(payload or FAR_AWAY)}.{encoded(signature)}"


# Accepted tokens


@pytest.mark.parametrize(
    ("key", "algorithm"),
    [("rsa", "RS256"), ("rsa", "RS512"), ("rsa", "PS256"), ("ec256", "ES256"), ("ec384", "ES384"), ("ed", "EdDSA")],
)
def test_every_kind_of_key_verifies_its_algorithms(key: str, algorithm: str) -> None:
    keys = parse_key_file(public_pem(key), PUBLIC)
    assert verdict(signed(key, algorithm), keys=keys).accepted
    assert verdict(signed(key, algorithm, sub="someone", kid="of no importance"), keys=keys).accepted
    assert verdict(signed(key + "-another", algorithm), keys=keys) == REFUSED


def test_a_file_may_hold_several_keys() -> None:
    keys = parse_key_file(public_pem("rsa-old") + b"\n# a comment\n" + public_pem("rsa") + public_pem("ec256"), PUBLIC)
    for key, algorithm in (("rsa-old", "RS256"), ("rsa", "RS256"), ("ec256", "ES256")):
        assert verdict(signed(key, algorithm), keys=keys).accepted
    assert verdict(signed("rsa-other"), keys=keys) == REFUSED


def test_a_secret_verifies_if_its_algorithm_was_named() -> None:
    keys = parse_key_file(SECRET.encode() + b"\r\n", ("HS256",))
    assert verdict(signed(algorithm="HS256"), keys=keys, allowed=("HS256",)).accepted
    other = jwt.encode(FAR_AWAY, SECRET[::-1], "HS256")
    assert verdict(other, keys=keys, allowed=("HS256",)) == REFUSED


def test_a_key_set_finds_keys_by_their_names() -> None:
    keys = parse_key_set(key_set(public_jwk("rsa"), public_jwk("rsa-new"), public_jwk("ec256")), PUBLIC)
    assert verdict(signed("rsa", kid="rsa"), keys=keys).accepted
    assert verdict(signed("rsa-new", kid="rsa-new"), keys=keys).accepted
    # A token without a key name is accepted only if a single key fits.
    assert verdict(signed("ec256", "ES256"), keys=keys).accepted
    assert verdict(signed("rsa"), keys=keys) == REFUSED
    assert verdict(signed("rsa", kid="rsa-new"), keys=keys) == REFUSED
    assert verdict(signed("rsa", kid="unknown"), keys=keys) == REFUSED
    # Two keys may have the same name.
    twice = parse_key_set(key_set(public_jwk("rsa"), public_jwk("rsa-new", kid="rsa")), PUBLIC)
    assert verdict(signed("rsa", kid="rsa"), keys=twice).accepted
    assert verdict(signed("rsa-new", kid="rsa"), keys=twice).accepted


# Claims


@pytest.mark.parametrize(
    ("claims", "reason"),
    [
        ({"exp": timedelta(seconds=-1)}, "the token has expired"),
        ({"exp": 0}, "the token has expired"),
        ({"exp": None}, "the token lacks the claim exp"),
        ({"nbf": timedelta(hours=1)}, "the token is not valid yet"),
        ({"iat": timedelta(hours=1)}, "the token is not valid yet"),
        ({"aud": "somebody-else", "iss": "us"}, "the token is for another audience"),
        ({"aud": ["somebody-else"], "iss": "us"}, "the token is for another audience"),
        ({"iss": "us"}, "the token lacks the claim aud"),
        ({"aud": "wsecho", "iss": "them"}, "the token is of another issuer"),
        ({"aud": "wsecho"}, "the token lacks the claim iss"),
    ],
)
def test_what_is_wrong_with_a_token_of_ours_is_said(claims: dict[str, Any], reason: str) -> None:
    found = verdict(signed(**claims), audience=("wsecho",), issuer=("us",))
    assert (found.accepted, found.reason) == (False, reason)
    # The reason is given only for tokens with a valid signature.
    assert verdict(signed("rsa-other", **claims), audience=("wsecho",), issuer=("us",)) == REFUSED


@pytest.mark.parametrize("claims", [{"exp": "soon"}, {"exp": []}, {"nbf": "x"}, {"sub": 1}, {"jti": 1}])
def test_claims_of_a_wrong_kind_are_no_claims(claims: dict[str, Any]) -> None:
    assert verdict(signed(**claims)) == REFUSED


def test_one_of_several_audiences_and_issuers_is_enough() -> None:
    rules = {"audience": ("a", "b"), "issuer": ("x", "y")}
    assert verdict(signed(aud=["z", "b"], iss="y"), **rules).accepted
    assert verdict(signed(aud="a", iss="x"), **rules).accepted


def test_a_token_for_an_audience_is_not_for_a_server_that_is_none() -> None:
    assert verdict(signed(aud="somebody")).reason == "the token is for another audience"
    assert verdict(signed(iss="anybody")).accepted


def test_clocks_may_differ_by_the_leeway() -> None:
    past, future = timedelta(minutes=-5), timedelta(minutes=5)
    for claims in ({"exp": past}, {"nbf": future}, {"iat": future}):
        assert not verdict(signed(**claims)).accepted
        assert verdict(signed(**claims), leeway=600).accepted


# Attacks


def by_hmac(key: bytes, header: dict[str, Any]) -> str:
    token = forged(header).rpartition(".")[0]
    return f"{token}.{encoded(hmac.digest(key, token.encode(), hashlib.sha256))}"


@pytest.mark.parametrize(
    "token",
    [
        # The algorithm `none`, as in CVE-2015-9235.
        forged({"alg": "none"}),
        forged({"alg": "None"}),
        forged({"alg": ""}),
        forged({}),
        forged({"alg": None}),
        forged({"alg": ["RS256"]}),
        forged({"alg": {}}),
        # A key at a URL that the token names.
        forged({"alg": "RS256", "jku": "http://127.0.0.1:1/", "x5u": "http://127.0.0.1:1/"}, signature=b"x" * 256),
        # Header parameters that the server must understand but does not.
        forged({"alg": "RS256", "crit": ["exp"]}),
        forged({"alg": "RS256", "b64": False, "crit": ["b64"]}),
        forged({"alg": "RS256", "kid": 1}),
        forged({"alg": "RS256", "zip": "DEF", "enc": "A256GCM"}) + ".x.y",
        forged(b"[" * 3000),
        forged(b"\xff"),
        forged([]),
        "",
        ".",
        "..",
        "a.b.c",
        "a.b.c.d.e",
    ],
)
def test_forgeries(token: str) -> None:
    assert verdict(token) == REFUSED
    assert verdict(token, keys=parse_key_set(key_set(public_jwk("rsa")), PUBLIC)) == REFUSED


def test_a_key_that_comes_along_is_no_key() -> None:
    key = private_key("rsa-other")
    token = jwt.encode(FAR_AWAY, key, "RS256", headers={"jwk": public_jwk("rsa-other")})
    assert verdict(token) == REFUSED
    assert verdict(token, keys=parse_key_set(key_set(public_jwk("rsa")), PUBLIC)) == REFUSED


def test_a_public_key_is_no_secret() -> None:
    """CVE-2017-11424, CVE-2022-29217: a public key must not be used as the secret of an HMAC."""
    for secret in (public_pem("rsa"), public_pem("rsa").strip(), b""):
        token = by_hmac(secret, {"alg": "HS256", "typ": "JWT"})
        assert verdict(token) == REFUSED
        assert verdict(token, allowed=(*PUBLIC, "HS256")) == REFUSED


def test_a_signature_covers_all_of_a_token() -> None:
    head, payload, signature = signed().split(".")
    other_head, other_payload, _ = signed(sub="admin").split(".")
    assert head == other_head
    assert verdict(f"{head}.{other_payload}.{signature}") == REFUSED
    assert verdict(f"{head}.{payload}.{signature[:-4]}") == REFUSED
    assert verdict(f"{head}.{payload}.") == REFUSED


def test_a_key_is_bound_to_its_algorithm() -> None:
    assert verdict(signed(algorithm="RS512"), allowed=("RS256",)) == REFUSED
    bound = parse_key_set(key_set(public_jwk("rsa", alg="RS512")), PUBLIC)
    assert verdict(signed(kid="rsa"), keys=bound) == REFUSED
    assert verdict(signed(algorithm="RS512", kid="rsa"), keys=bound).accepted


def test_a_token_of_a_length_that_none_has_is_not_looked_into() -> None:
    fits = signed(padding="x" * (MAX_TOKEN // 2))
    too_long = signed(padding="x" * MAX_TOKEN)
    assert len(fits) < MAX_TOKEN < len(too_long)
    assert verdict(fits).accepted
    assert verdict(too_long) == REFUSED


@given(st.binary(max_size=300) | st.from_regex(rb"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+", fullmatch=True))
def test_nothing_is_too_strange(token: bytes) -> None:
    assert tokens().verify(token) == REFUSED


json_values = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=5) | st.integers(),
    lambda inner: st.lists(inner, max_size=2),
)


@given(st.dictionaries(st.sampled_from(["exp", "nbf", "iat", "aud", "iss", "sub", "jti"]), json_values))
def test_no_claim_of_a_signed_token_is_too_strange(claims: dict[str, Any]) -> None:
    head, payload = encoded({"alg": "HS256"}), encoded(claims)
    signature = encoded(hmac.digest(SECRET.encode(), f"{head}.{payload}".encode(), hashlib.sha256))
    keys = parse_key_file(SECRET.encode(), ("HS256",))
    found = verdict(f"{head}.{payload}.{signature}", keys=keys, allowed=("HS256",), audience=("a",), issuer=("b",))
    assert not found.accepted


# Files. Keys are random, so a file with a key is made by the test and not while tests are collected.


@pytest.mark.parametrize(
    ("data", "allowed", "words"),
    [
        (lambda: b"", PUBLIC, "no public key in PEM format"),
        (lambda: SECRET.encode(), PUBLIC, "it contains no public key in PEM format"),
        (
            lambda: b"-----BEGIN PUBLIC KEY-----\nx\n-----END PUBLIC KEY-----\n",
            PUBLIC,
            "something other than public keys",
        ),
        (lambda: private_pem("rsa"), PUBLIC, "something other than public keys"),
        (lambda: public_pem("rsa") + private_pem("rsa"), PUBLIC, "something other than public keys"),
        (lambda: public_pem("rsa-short"), PUBLIC, "too short or that fits none of --jwt-algorithms"),
        (lambda: public_pem("rsa"), ("ES256",), "fits none of --jwt-algorithms"),
        (lambda: public_pem("rsa"), ("HS256",), "needs a shared secret"),
        (lambda: b"short", ("HS256",), "has 5 bytes, but HS256 needs at least 32"),
        (lambda: b"x" * 63, ("HS256", "HS512"), "has 63 bytes, but HS256, HS512 needs at least 64"),
    ],
)
def test_key_files_that_are_no_good(data: Callable[[], bytes], allowed: tuple[str, ...], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        parse_key_file(data(), allowed)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (lambda: b"", "not a JSON Web Key Set"),
        (lambda: b"[]", "not a JSON Web Key Set"),
        (lambda: b"{}", "not a JSON Web Key Set"),
        (lambda: b'{"keys": 1}', "not a JSON Web Key Set"),
        (lambda: b"[" * 100_000, "not a JSON Web Key Set"),
        (lambda: key_set(), "it contains no usable public key"),
        (lambda: b'{"keys": ["x", 1, null, {}]}', "it contains no usable public key"),
        (
            lambda: key_set({"kty": "oct", "kid": "a", "k": encoded(SECRET.encode())}),
            "it contains no usable public key",
        ),
        (lambda: key_set({"kty": "oct", "alg": "none", "k": ""}), "it contains no usable public key"),
        (lambda: key_set(public_jwk("rsa", use="enc")), "it contains no usable public key"),
        (lambda: key_set(public_jwk("rsa", alg="ES256")), "it contains no usable public key"),
        (lambda: key_set(public_jwk("rsa", alg=["RS256"])), "it contains no usable public key"),
        (lambda: key_set(public_jwk("rsa-short")), "it contains no usable public key"),
        (lambda: key_set(public_jwk("ec256", crv="P-1")), "it contains no usable public key"),
    ],
)
def test_key_sets_that_are_no_good(data: Callable[[], bytes], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        parse_key_set(data(), (*PUBLIC, *SHARED_SECRET_ALGORITHMS))


def test_no_algorithm_without_a_key_is_on_offer() -> None:
    assert not SHARED_SECRET_ALGORITHMS & set(PUBLIC)
    (option,) = [option for option in OPTIONS if option.name == "jwt_algorithms"]
    for name in ("none", "None", "HS1", "RS1", ""):
        with pytest.raises(ValueError, match=r"is not one of|is empty"):
            option.value(name)
