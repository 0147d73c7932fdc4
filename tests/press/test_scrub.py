"""Secrets leave the text before the text reaches a disk; ordinary words stay."""

import base64
import html
import json
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st
from papermill.translators import PythonTranslator

from daybook.press.scrub import REMOVED, Scrubber, secret_name, secrets_of


@pytest.mark.parametrize(
    ("name", "secret"),
    [
        ("OPENAI_API_KEY", True),
        ("api_key", True),
        ("apikey", True),
        ("KEY", True),
        ("db_password", True),
        ("GITHUB_TOKEN", True),
        ("CLIENT_SECRET_FILE", True),
        ("private_note", True),
        ("AWS_CREDENTIALS", True),
        ("max_tokens", False),
        ("keyboard", False),
        ("monkey", False),
        ("days", False),
        ("PASSENGERS", False),
    ],
)
def test_a_name_says_whether_its_value_is_a_secret(name, secret):
    """Keys, tokens, passwords and whatever is called secret or private; `max_tokens` and `monkey` are not."""
    assert secret_name(name) is secret


def test_secrets_are_told_from_settings(tmp_path):
    """Values under a secret's name and passwords in any URL are secrets; what is short, plain, a small number or a
    file that exists is not: to take `true` out of a report destroys it and protects nothing."""
    file = tmp_path / "key.pem"
    file.touch()
    assert secrets_of(
        {
            "API_KEY": "correct horse",
            "OTHER": "correct horse battery",
            "DATABASE": "postgresql://me:pass-w0rd@db:5432/x",
            "A_TOKEN": "true",
            "B_TOKEN": "short",
            "C_TOKEN": "12345678",
            "D_TOKEN": "1234567890",
            "KEY_SECRET": str(file),
            "E_SECRET": "/no/such/file",
            "F_SECRET": 7,
            "WEAK": "https://me:abc@host/",
            "options": {"api_key": "nested once", "more": [{"token": "nested twice"}], "keys": "abc defg"},
            "KEY": ["in a list"],
        }
    ) == {"correct horse", "pass-w0rd", "1234567890", "/no/such/file", "nested once", "nested twice", "in a list"}


@pytest.mark.parametrize(
    "spelt",
    [
        str,
        repr,
        json.dumps,
        html.escape,
        lambda text: html.escape(text, quote=False),
        lambda text: quote(text, safe=""),
        quote,
        lambda text: base64.b64encode(text.encode()).decode(),
        lambda text: base64.urlsafe_b64encode(text.encode()).decode(),
        lambda text: json.dumps(text, ensure_ascii=False),
        ascii,
        PythonTranslator.translate,
    ],
)
def test_a_known_secret_goes_in_every_spelling(spelt):
    """As Python, JSON, HTML, a URL and base64 write it, with quotes, signs and letters that each writes otherwise."""
    secret = 'pä"s\\s <&> w/o\nrd?'
    shown = spelt(secret)
    said = Scrubber([secret]).text(f"before {shown} after")
    assert said.startswith("before ")
    assert said.endswith(" after")
    assert REMOVED in said
    assert shown.strip("'\"") not in said


@pytest.mark.parametrize(
    "secret",
    [
        "sk-proj-0123456789abcdefABCDEF",
        "sk-ant-api03-abcdefghij0123456789",
        "rk_live_0123456789abcdefgh",
        "sk-0123456789abcdef",
        "pk-0123456789abcdef",
        "xai-0123456789abcdef",
        "hf_abcdefghijABCDEFGHIJ",
        "gsk_abcdefghijABCDEFGHIJ",
        "ghp_" + "a1" * 18,
        "github_pat_" + "a1" * 20,
        "glpat-abcdefghij0123456789",
        "AKIA" + "ABCDEFGH12345678",
        "AIza" + "b" * 35,
        "xoxb-1234567890-abcdef",
        "eyJhbGciOiJIUzI1.eyJzdWIiOiIx.SflKxwRJSMeKKF2Q",
        "-----BEGIN RSA PRIVATE KEY-----\nMIIE\nabc\n-----END RSA PRIVATE KEY-----",
        "-----BEGIN PRIVATE KEY-----\nMIIE and the rest was cut off",
    ],
)
def test_what_looks_like_a_secret_goes_whoever_knows_it(secret):
    """Keys of the usual makers, tokens of three parts, and private keys, even one without its end."""
    assert Scrubber().text(f"the key is {secret}") == f"the key is {REMOVED}"


@pytest.mark.parametrize("before", ["\\n", "\\t", '\\"', "\\\\n"])
def test_a_secret_in_an_escaped_text_goes_too(before):
    """A JSON text that is shown as text: the escape before it is none of its letters."""
    secret = "sk-proj-0123456789abcdefABCDEF"
    assert Scrubber().text(f'key{before}{secret}\\n"') == f'key{before}{REMOVED}\\n"'


def test_headers_and_urls_keep_what_is_no_secret():
    """The word Bearer, the user, the host and the path stay; only the credential goes."""
    clean = Scrubber().text
    assert clean("Authorization: Bearer abcdef0123456789.zyx") == f"Authorization: Bearer {REMOVED}"
    assert clean("authorization: basic dXNlcjpwYXNzd29yZA==") == f"authorization: basic {REMOVED}"
    assert clean("at https://me:hunter2@example.org/x?y=1") == f"at https://me:{REMOVED}@example.org/x?y=1"


@pytest.mark.parametrize(
    "text",
    [
        "risk-free, task-based and desk-1",
        "the bearer of responsibilities, basic understanding",
        "https://me:${PASSWORD}@example.org/x",
        "sk-learn-is-a-library-of-machine-learning",
        "https://example.org:8080/path?x=1",
        "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        "the bearer of bad news",
        "mail me at someone@example.org",
        "0192f0aa-1111-7222-8333-444455556666",
    ],
)
def test_ordinary_text_stays_as_it_is(text):
    """Digests, ids, ports, addresses and compound words are no secrets."""
    assert Scrubber(["another secret"]).text(text) == text


def test_of_two_secrets_the_one_that_holds_the_other_goes_whole():
    """The longest first, else its tail would be left."""
    assert Scrubber(["hunter", "hunter22-long"]).text("hunter22-long hunter") == f"{REMOVED} {REMOVED}"


def test_a_secret_that_colours_run_across_is_found():
    """Highlighting may put a colour code into the middle of a key; the colours are given up, the rest stays."""
    said = Scrubber(["hunter22x"]).text("\x1b[31mkey\x1b[0m: hunt\x1b[1mer22x\x1b[0m")
    assert said == f"key: {REMOVED}"
    assert Scrubber(["hunter22x"]).text("\x1b[31mred\x1b[0m") == "\x1b[31mred\x1b[0m"


def test_a_tree_is_cleaned_in_its_keys_and_leaves():
    """Every string in nested lists, tuples and dicts; numbers, nothing and types stay."""
    tree = {"hunter22x": [1, None, True, ("hunter22x!", {"a": "say hunter22x"})], "n": 1.5}
    assert Scrubber(["hunter22x"]).tree(tree) == {
        REMOVED: [1, None, True, (f"{REMOVED}!", {"a": f"say {REMOVED}"})],
        "n": 1.5,
    }


def test_data_that_a_cell_shows_is_masked_and_stays_data():
    """Texts at any depth lose personal data; numbers, nothing, truth and pictures stay as they are."""
    data = {
        "application/json": {
            "n": 5,
            "rows": [None, True, 0.5, "ada@example.com"],
            "deep": {"mail": "to ada@example.com"},
        },
        "image/png": "YWRhQGV4YW1wbGUuY29t",
    }
    cell = {"cell_type": "code", "source": "x", "outputs": [{"output_type": "display_data", "data": data}]}
    shown = Scrubber().notebook({"cells": [cell]})["cells"][0]["outputs"][0]["data"]
    rows = shown["application/json"]["rows"]
    assert rows[:3] == [None, True, 0.5]
    assert (shown["application/json"]["n"], shown["image/png"]) == (5, data["image/png"])
    assert "ada@example.com" not in str(shown)
    assert shown["application/json"]["deep"]["mail"].startswith("to ")


def test_a_parameter_with_a_secrets_name_is_recorded_without_its_value():
    """Whatever the value is, even one too short to be looked for elsewhere; others keep theirs."""
    given_ = {"api_key": "abc", "days": 7, "label": "hf_abcdefghijABCDEFGHIJ", "token": "", "note": None}
    assert Scrubber().parameters(given_) == {
        "api_key": REMOVED,
        "days": 7,
        "label": REMOVED,
        "token": "",
        "note": None,
    }


@given(st.text(min_size=6), st.text(), st.text())
def test_a_known_secret_never_survives(secret, before, after):
    """Whatever stands around it, the text that is left does not hold it, unless in the words that replace it."""
    said = Scrubber([secret]).text(before + secret + after)
    assert secret not in said or secret in before + REMOVED + after


@given(st.text())
def test_cleaning_twice_is_cleaning_once(text):
    """What was cleaned holds nothing more to clean, so a report can be made again from its notebook."""
    scrubber = Scrubber(["hunter22x"])
    once = scrubber.text(text + " hunter22x Bearer abcdefghijklmnop https://u:longpass@h/ sk-0123456789abcdef0 " + text)
    assert scrubber.text(once) == once
