"""Hostile bodies: each is a 400 that points at what is wrong, and none reaches the database."""

import orjson
import pytest
from django.test import Client

from tests.rest.client import Api

DEEP = b"[" * 33 + b"]" * 33
BODIES = [
    (b'{"name": "a\\u0000b"}', "null_character", "/name"),
    (b'{"traits": {"a": {"b\\u0000": 1}}}', "null_character", "/traits/a"),
    (b'{"name": "\\ud800"}', "invalid_json", ""),
    (b'{"name": "\xed\xa0\x80"}', "invalid_json", ""),
    (b'{"name": "\xff"}', "invalid_json", ""),
    (b'{"mrr_cents": NaN}', "invalid_json", ""),
    (b'{"mrr_cents": Infinity}', "invalid_json", ""),
    (b'{"mrr_cents": 1e400}', "invalid_json", ""),
    (b'{"mrr_cents": ' + b"1" * 5000 + b"}", "invalid_json", ""),
    (b'{"mrr_cents": 9007199254740993}', "number_too_large", "/mrr_cents"),
    (b'{"mrr_cents": 18446744073709551616}', "number_too_large", "/mrr_cents"),
    (b'{"traits": {"a~/b": [0, -9007199254740993]}}', "number_too_large", "/traits/a~0~1b/1"),
    (b'{"traits": ' + DEEP + b"}", "too_deep", "/traits" + "/0" * 31),
    (b"[" * 100_000 + b"]" * 100_000, "invalid_json", ""),
    (orjson.dumps({"traits": {str(n): n for n in range(501)}}), "too_many_keys", "/traits"),
    (orjson.dumps({"name": "x" * 300_000}), "too_large", ""),
    (b"{", "invalid_json", ""),
    (b"null", "null", ""),
    (b"[]", "invalid", ""),
    (b'"text"', "invalid", ""),
    (b"7", "invalid", ""),
    (b"{'name': 'x'}", "invalid_json", ""),
    (b'\xef\xbb\xbf{"name": "x"}', "invalid_json", ""),
    (b'{"name": ["x"]}', "invalid", "/name"),
    (b'{"name": {"a": 1}}', "invalid", "/name"),
    (b'{"surname": "x"}', "unknown_field", "/surname"),
    (b'{"tenant": 1}', "unknown_field", "/tenant"),
]


@pytest.mark.parametrize(("body", "code", "pointer"), BODIES, ids=[str(at) for at in range(len(BODIES))])
def test_a_hostile_body_is_refused_with_a_pointer(api: Api, body: bytes, code: str, pointer: str) -> None:
    answer = api.put("/accounts/by-external-id/acme/", body)

    assert answer.status == 400
    assert answer["Content-Type"] == "application/problem+json"
    assert answer.errors == {pointer: code}


def test_what_is_only_unusual_is_taken(api: Api) -> None:
    body = {"name": "Zoë \u2028 🦊", "mrr_cents": 2**53, "health": -0.5}

    assert api.put("/accounts/by-external-id/acme/", body).json["name"] == "Zoë \u2028 🦊"


def test_another_kind_of_body_is_no_crash(api: Api) -> None:
    headers = {"Authorization": f"Bearer {api.token}"}
    response = Client().put("/api/v1/accounts/by-external-id/acme/", b"<a/>", "application/xml", headers=headers)

    assert (response.status_code, response.json()["code"]) == (415, "unsupported_media_type")


@pytest.mark.parametrize("query", ["?name=%00", "?rule=%00", "?cursor=%00", "?fields=%00", "?name=%FF", "?limit=٣"])
def test_a_hostile_query_is_no_crash(api: Api, query: str) -> None:
    assert api.get(f"/accounts/{query}").status in (200, 400)


@pytest.mark.parametrize("id", ["٣", "0x1", "1e3", "-1", "+1", "9" * 40, "1%00", "%20", "null"])
def test_an_id_is_ascii_digits_only(api: Api, id: str) -> None:
    assert api.get(f"/accounts/{id}/").status in (400, 404)
