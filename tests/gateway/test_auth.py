"""Who is let in, and what a request may say of itself: each branch with its status, code and parameter."""

from datetime import timedelta

import openai
import pytest

from daybook.access.keys import Keys
from daybook.gateway.auth import Auth, read_project, read_run_id, read_tags
from daybook.gateway.http.errors import Refusal


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


# ── before there is a key ─────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def neighbourly(tmp_path, refused):
    """An endpoint on the loopback interface for which no key was made."""
    return Auth(Keys(tmp_path / "keys.json"), exposed=False, refused=lambda code, id_: refused.append((code, id_)))


@pytest.mark.parametrize(
    "host",
    ["localhost", "LocalHost", "localhost:8080", "127.0.0.1", "127.0.0.1:1", "[::1]", "[::1]:8080", "", ":8080", None],
)
def test_an_endpoint_without_keys_answers_to_its_own_names(neighbourly, refused, host):
    """With a port or without; nobody is counted as refused."""
    assert neighbourly.admit({} if host is None else {b"host": host.encode()}) is None
    assert refused == []


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:8080",
        "localhost.evil.example",
        "127.0.0.2",
        "[::2]",
        "[::1",
        "::1",
        "[fe80::1]:1",
        "evil.example:",
        "a:b:localhost",
    ],
)
def test_an_endpoint_without_keys_answers_to_no_other_name(neighbourly, refused, host):
    """A web page can send a browser to any address under a name of its own: 403, and counted."""
    with pytest.raises(Refusal) as caught:
        neighbourly.admit({b"host": host.encode()})
    assert (caught.value.status, caught.value.code) == (403, "host_not_allowed")
    assert refused == [("host_not_allowed", None)]


def test_the_first_key_shuts_the_open_door_for_good(neighbourly, refused, tmp_path):
    """From the next request on, also after the file went missing; with the key any name of the host will do."""
    assert neighbourly.admit({b"host": b"localhost"}) is None
    issued = Keys(tmp_path / "keys.json").create("ada", actor="t")
    assert neighbourly.admit(bearer(issued.secret) | {b"host": b"evil.example"}) == issued.key
    (tmp_path / "keys.json").unlink()
    with pytest.raises(Refusal) as caught:
        neighbourly.admit({b"host": b"localhost"})
    assert (caught.value.status, caught.value.code) == (401, "missing_api_key")
    assert refused == [("missing_api_key", None)]


def test_an_endpoint_that_others_can_reach_needs_a_key_from_the_start(auth, refused):
    """Even for whoever calls it localhost."""
    with pytest.raises(Refusal) as caught:
        auth.admit({b"host": b"localhost"})
    assert (caught.value.status, caught.value.code) == (401, "missing_api_key")


# ── what a request says of itself ─────────────────────────────────────────────────────────────────────


@pytest.fixture
def key_of(tmp_path):
    """A key of this project."""
    return lambda name: Keys(tmp_path / "keys.json").create("ada", name, actor="t").key


@pytest.mark.parametrize(
    ("of_the_key", "named", "booked"),
    [
        (None, b"", None),
        (None, b" help desk ", "help desk"),
        (None, b"a" * 64, "a" * 64),
        ("helpdesk", b"", "helpdesk"),
        ("helpdesk", b"helpdesk", "helpdesk"),
    ],
)
def test_a_call_is_booked_on_its_keys_project_or_on_the_one_it_names(key_of, of_the_key, named, booked):
    """White space around a name is nobody's; without a key, as with one of no project, the name holds."""
    assert read_project(key_of(of_the_key), {b"x-daybook-project": named}) == booked
    if of_the_key is None:
        assert read_project(None, {b"x-daybook-project": named}) == booked
        assert read_project(None, {}) is None


@pytest.mark.parametrize("of_the_key", [None, "helpdesk"])
@pytest.mark.parametrize("named", [b"a" * 65, b"-a", b"a/b", b"a\x00", b"\xe9"])
def test_what_is_no_projects_name_is_refused(key_of, of_the_key, named):
    """400, by the header's name, whatever the key's project is."""
    with pytest.raises(Refusal) as caught:
        read_project(key_of(of_the_key), {b"x-daybook-project": named})
    assert (caught.value.status, caught.value.param, caught.value.kind) == (400, "x-daybook-project", "bad_request")


@pytest.mark.parametrize("named", [b"sales", b"HELPDESK", b"helpdesk2"])
def test_a_key_books_on_no_other_project_than_its_own(key_of, named):
    """403: nobody pays for another team."""
    with pytest.raises(Refusal) as caught:
        read_project(key_of("helpdesk"), {b"x-daybook-project": named})
    assert (caught.value.status, caught.value.code, caught.value.param) == (403, "wrong_project", "x-daybook-project")


@pytest.mark.parametrize(("value", "kept"), [("", None), ("r1", "r1"), ("a" * 64, "a" * 64), (" r.1_2-3 ", "r.1_2-3")])
def test_a_run_is_named_by_its_id(value, kept):
    """Up to 64 characters; white space around them is nobody's."""
    assert read_run_id({b"x-daybook-run": value.encode()}) == kept


@pytest.mark.parametrize("value", ["a" * 65, "-a", "a b", "a/b", "\xe9"])
def test_what_is_no_runs_id_is_refused(value):
    """400, by the header's name."""
    with pytest.raises(Refusal) as caught:
        read_run_id({b"x-daybook-run": value.encode("latin-1")})
    assert (caught.value.status, caught.value.param, caught.value.kind) == (400, "x-daybook-run", "bad_request")


def test_tags_come_from_the_header_and_the_body():
    """The body wins; 16 are allowed, names of 64 and values of 512 characters."""
    assert read_tags({b"x-daybook-tags": b"a=1, b = 2 ,,"}, {"b": "3"}) == {"a": "1", "b": "3"}
    most = {f"{i:02}".ljust(64, "n"): "v" * 512 for i in range(16)}
    assert read_tags({}, most) == most


@pytest.mark.parametrize("header", [b"a", b"a=1,b", b"=1", b" =1"])
def test_what_is_no_list_of_tags_is_refused(header):
    """400, by the header's name."""
    with pytest.raises(Refusal) as caught:
        read_tags({b"x-daybook-tags": header}, None)
    assert (caught.value.status, caught.value.param) == (400, "x-daybook-tags")


@pytest.mark.parametrize(
    "metadata", [{str(i): "v" for i in range(17)}, {"n" * 65: "v"}, {"n": "v" * 513}, {"n": 5}, {"n": None}]
)
def test_too_many_or_too_long_tags_are_refused(metadata):
    """Just above each limit, and what is no text."""
    with pytest.raises(Refusal) as caught:
        read_tags({}, metadata)
    assert (caught.value.status, caught.value.param) == (400, "metadata")


def test_an_expired_key_is_turned_away_and_counted_as_that(fresh):
    """401; the event of the refusal names the key's id."""
    with fresh() as endpoint:
        moment = endpoint.parts.clock.now() + timedelta(milliseconds=1)
        late = endpoint.keys.create("late", expires_at=moment, actor="test")
        endpoint.until(lambda: endpoint.parts.clock.now() > moment)
        with pytest.raises(openai.AuthenticationError, match="has expired"):
            endpoint.client(late.secret).models.list()
        assert b'daybook_refused_requests_total{code="expired_api_key"} 1.0' in endpoint.parts.metrics.text()
