"""Bodies whose members go on byte for byte."""

import json

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from daybook.providers.bodies.verbatim import Verbatim, changed, dump, members

SPACED = b'{ "model" : "m", "tools" :[ {"b": 1.0,\t"a": "\\u00e9,}]"} ] , "n":1e5 }'


def test_members_are_the_bytes_between_name_and_comma():
    """White space around them is nobody's; what stands in a text is no mark."""
    assert members(SPACED, orjson.loads(SPACED)) == {
        "model": b'"m"',
        "tools": b'[ {"b": 1.0,\t"a": "\\u00e9,}]"} ]',
        "n": b"1e5",
    }


@pytest.mark.parametrize(
    "body",
    [
        b'{"model":"m","messages":[]}',
        b'{"temperature":0.123456789012}',
        b'{"seed":123456789012345}',
        b'{"note":"----------------"}',
        b'{"note":"eeeeeeeeeeeeeeeeeeee"}',
        b'{"note":"tools"}',
        b"{}",
    ],
)
def test_a_body_with_nothing_at_risk_is_not_looked_through(body):
    """What is written as it was read needs no second look."""
    assert members(body, orjson.loads(body)) is None


@pytest.mark.parametrize(
    "body",
    [
        b'{"seed":1234567890123456}',
        b'{"temperature":0.12345678901234}',
        b'{"x":{"y":[1e-0000000000002]}}',
        b'{"tools":[]}',
        b'{"functions":[]}',
        b'{"response_format":{}}',
        b'{"text":{"format": {"b":1, "a":2}}}',
    ],
)
def test_a_number_of_sixteen_characters_and_every_schema_is_at_risk(body):
    """Wherever the number stands, with its point, sign and exponent; schemas by their names."""
    assert dump(Verbatim(orjson.loads(body), members(body, orjson.loads(body)))) == body


def test_what_is_nested_too_deeply_to_be_kept_is_written_as_it_was_read():
    """No bytes of its own are known; what cannot be written either raises RecursionError."""
    for depth in (300, 1_000):
        body = b'{"tools":' + b"[" * depth + b"]" * depth + b"}"
        given = orjson.loads(body)
        raw = members(body, given)
        if depth == 300:
            assert dump(Verbatim(given, raw)) == body
        else:
            assert raw is None
            with pytest.raises(RecursionError):
                dump(given)


def test_what_is_changed_is_written_anew_and_the_rest_as_it_came():
    """A changed member loses its bytes, an added one has none, and a removed one is gone."""
    body = Verbatim({"model": "m", "tools": [1], "n": 1}, {"model": b'"x"', "tools": b"[1 ]", "gone": b"1"})
    assert dump(changed(body, model="y", more=2)) == b'{"model":"y","tools":[1 ],"n":1,"more":2}'
    assert changed({"a": 1}, b=2) == {"a": 1, "b": 2}


def test_integers_of_any_length_are_written():
    """With bytes of their own or without."""
    long = 10**40
    assert dump({"seed": long}) == b'{"seed":%d}' % long
    assert dump({"seed": long, "user": "Zoë"}) == '{"seed":%d,"user":"Zoë"}'.encode() % long
    data = b'{"seed":%d,"n":1}' % long
    assert dump(Verbatim(json.loads(data), members(data, json.loads(data)))) == data


@given(
    st.dictionaries(
        st.text(st.characters(codec="utf-8"), max_size=5),
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.text(st.characters(codec="utf-8"), max_size=8),
            lambda inner: (
                st.lists(inner, max_size=3) | st.dictionaries(st.text('ab\\"', max_size=3), inner, max_size=3)
            ),
            max_leaves=8,
        ),
        max_size=4,
    )
)
def test_members_put_together_are_the_body(body):
    """Whatever the body: each member's bytes mean its value."""
    data = json.dumps({**body, "tools": 1}, indent=1).encode()
    found = members(data, json.loads(data))
    assert {name: json.loads(raw) for name, raw in found.items()} == {**body, "tools": 1}
    assert orjson.loads(data).keys() == found.keys()
