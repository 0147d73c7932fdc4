"""Who is let in, and what a request may say of itself: each branch with its status, code and parameter."""

import pytest

from daybook.access.keys import Keys
from daybook.gateway.auth import Auth, run_id, tags
from daybook.gateway.http import Refusal


@pytest.fixture
def refused():
    return []


@pytest.fixture
def auth(tmp_path, refused):
    """An endpoint that others can reach; `refused` hears of each one turned away."""
    return Auth(Keys(tmp_path / "keys.json"), exposed=True, refused=lambda code, id_: refused.append((code, id_)))


def bearer(secret):
    return {b"authorization": b"Bearer " + secret.encode()}


def test_keys_that_cannot_be_read_let_nobody_in(auth, tmp_path):
    """503, so that clients come back: it is not their key that is wrong. The path is not told."""
    secret = Keys(tmp_path / "keys.json").create("ada", actor="t").secret
    (tmp_path / "keys.json").write_text("{")
    with pytest.raises(Refusal) as caught:
        auth.admit(bearer(secret))
    assert (caught.value.status, caught.value.code) == (503, "keys_unreadable")
    assert str(tmp_path) not in str(caught.value)


@pytest.mark.parametrize("value", ["", "Bearer", "Bearer ", "Basic db-x", "db-x"])
def test_no_key_is_a_401_and_counted(auth, refused, value):
    """With the challenge that HTTP asks for."""
    with pytest.raises(Refusal) as caught:
        auth.admit({b"authorization": value.encode()})
    assert (caught.value.status, caught.value.code) == (401, "missing_api_key")
    assert caught.value.headers == [(b"www-authenticate", b"Bearer")]
    assert refused == [("missing_api_key", None)]


def test_a_revoked_key_is_counted_by_its_id(auth, refused, tmp_path):
    """The client cannot tell it from an unknown one; the trail can."""
    keys = Keys(tmp_path / "keys.json")
    issued = keys.create("ada", actor="t")
    assert auth.admit(bearer(issued.secret)) == issued.key
    keys.revoke(issued.key.id, actor="t")
    for secret in (issued.secret, "db-unknown"):
        with pytest.raises(Refusal) as caught:
            auth.admit(bearer(secret))
        assert (caught.value.status, caught.value.code) == (401, "invalid_api_key")
    assert refused == [("revoked_api_key", issued.key.id), ("invalid_api_key", None)]


@pytest.mark.parametrize(("value", "kept"), [("", None), ("r1", "r1"), ("a" * 64, "a" * 64), (" r.1_2-3 ", "r.1_2-3")])
def test_a_run_is_named_by_its_id(value, kept):
    """Up to 64 characters; white space around them is nobody's."""
    assert run_id({b"x-daybook-run": value.encode()}) == kept


@pytest.mark.parametrize("value", ["a" * 65, "-a", "a b", "a/b", "\xe9"])
def test_what_is_no_runs_id_is_refused(value):
    """400, by the header's name."""
    with pytest.raises(Refusal) as caught:
        run_id({b"x-daybook-run": value.encode("latin-1")})
    assert (caught.value.status, caught.value.param, caught.value.kind) == (400, "x-daybook-run", "bad_request")


def test_tags_come_from_the_header_and_the_body():
    """The body wins; 16 are allowed, names of 64 and values of 512 characters."""
    assert tags({b"x-daybook-tags": b"a=1, b = 2 ,,"}, {"b": "3"}) == {"a": "1", "b": "3"}
    most = {f"{i:02}".ljust(64, "n"): "v" * 512 for i in range(16)}
    assert tags({}, most) == most


@pytest.mark.parametrize("header", [b"a", b"a=1,b", b"=1", b" =1"])
def test_what_is_no_list_of_tags_is_refused(header):
    """400, by the header's name."""
    with pytest.raises(Refusal) as caught:
        tags({b"x-daybook-tags": header}, None)
    assert (caught.value.status, caught.value.param) == (400, "x-daybook-tags")


@pytest.mark.parametrize(
    "metadata", [{str(i): "v" for i in range(17)}, {"n" * 65: "v"}, {"n": "v" * 513}, {"n": 5}, {"n": None}]
)
def test_too_many_or_too_long_tags_are_refused(metadata):
    """Just above each limit, and what is no text."""
    with pytest.raises(Refusal) as caught:
        tags({}, metadata)
    assert (caught.value.status, caught.value.param) == (400, "metadata")
