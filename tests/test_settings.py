"""Settings: read once, from what the process was told."""

import os
import subprocess
import sys

import pytest

from daybook.errors import SettingsError
from daybook.settings import Settings, find_root, new_home


def test_a_project_is_found_from_any_folder_below_it(tmp_path):
    """A notebook's working folder is `notebooks/`; its home is the project's."""
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "prefect.yaml").touch()
    settings = Settings.from_env({}, cwd=tmp_path / "notebooks")
    assert settings.home == tmp_path / ".daybook"
    assert settings.book_url == f"duckdb:///{tmp_path}/.daybook/book.duckdb"
    assert settings.reports == tmp_path / "reports"


def test_outside_any_project_the_folder_itself_is_the_project(tmp_path):
    """`pip install` and go: no project layout is required."""
    assert find_root(tmp_path) == tmp_path


def test_a_home_is_new_where_neither_a_project_nor_a_name_is(tmp_path):
    """In a project, at a book that is there, below either, or with a home named: nothing to ask."""
    inside = tmp_path / "a" / "b"
    inside.mkdir(parents=True)
    assert new_home({}, cwd=inside) == inside / ".daybook"
    assert new_home({"DAYBOOK_BOOK": "postgresql://there/book"}, cwd=inside) == inside / ".daybook"
    assert new_home({"DAYBOOK_HOME": str(tmp_path / "home")}, cwd=inside) is None
    (tmp_path / "prefect.yaml").touch()
    assert new_home({}, cwd=inside) == inside / ".daybook"
    (tmp_path / "notebooks").mkdir()
    assert new_home({}, cwd=inside) is None
    (tmp_path / "prefect.yaml").unlink()
    (tmp_path / "a" / ".daybook").mkdir()
    assert new_home({}, cwd=inside) is None
    assert new_home({}, cwd=tmp_path) == tmp_path / ".daybook"


def test_content_is_off_unless_switched_on(tmp_path):
    """Prompts and answers are kept only on request."""
    assert Settings.from_env({}, cwd=tmp_path).content is False
    assert Settings.from_env({"DAYBOOK_CONTENT": "1"}, cwd=tmp_path).content is True


@pytest.mark.parametrize("env", [{"DAYBOOK_BOOK": "mysql://u:secret@h/d"}, {"DAYBOOK_CONTENT": "maybe"}])
def test_a_setting_that_cannot_be_meant_is_refused_without_its_secret(env, tmp_path):
    """The message names the variable and the remedy, and repeats no password."""
    with pytest.raises(SettingsError) as caught:
        Settings.from_env(env, cwd=tmp_path)
    assert next(iter(env)) in str(caught.value)
    assert "secret" not in str(caught.value)


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become somebody without a name")
def test_a_user_without_a_name_is_unknown():
    """As in a container whose user is a number: calls are asked and keys are made all the same."""
    program = "import os; from daybook.settings import user; os.setuid(54321); print(user())"
    env = {"PATH": os.environ["PATH"]}
    for more, name in (({}, "unknown"), ({"LOGNAME": "ada"}, "ada")):
        done = subprocess.run(
            [sys.executable, "-c", program], env=env | more, capture_output=True, text=True, check=True
        )
        assert done.stdout.strip() == name


def test_answers_are_kept_for_as_long_and_as_many_as_is_said(tmp_path):
    """None unless told so; then for so many seconds, in 256 megabytes unless told otherwise."""
    assert Settings.from_env({}, tmp_path).cache_seconds == 0
    stated = Settings.from_env({"DAYBOOK_CACHE": "60"}, tmp_path)
    assert (stated.cache_seconds, stated.cache_megabytes) == (60, 256)
    assert Settings.from_env({"DAYBOOK_CACHE_MB": " 999999999 "}, tmp_path).cache_megabytes == 999_999_999


@pytest.mark.parametrize("value", ["-1", "1.5", "an hour", "1e3", "1000000000", "٣"])
@pytest.mark.parametrize("name", ["DAYBOOK_CACHE", "DAYBOOK_CACHE_MB"])
def test_what_is_no_whole_number_is_refused(tmp_path, name, value):
    """By the name of the variable."""
    with pytest.raises(SettingsError, match=name):
        Settings.from_env({name: value}, tmp_path)


@pytest.mark.parametrize(
    ("text", "origins"),
    [
        ("", ()),
        (" , ", ()),
        ("https://App.example.org", ("https://app.example.org",)),
        (" http://localhost:3000 , https://a.b", ("http://localhost:3000", "https://a.b")),
        ("http://127.0.0.1,http://[::1]:8080,http://a", ("http://127.0.0.1", "http://[::1]:8080", "http://a")),
    ],
)
def test_origins_are_a_list(text, origins):
    """Between commas, in small letters, as browsers send them; nobody's where nothing is said."""
    assert Settings.from_env({"DAYBOOK_CORS": text, "DAYBOOK_HOME": "/tmp/x"}).origins == origins


@pytest.mark.parametrize(
    "text", ["*", "null", "app.example.org", "https://", "https://a/", "https://a/b", "ftp://a", "https://*.a",
             "https://a b", "https://a:x", "https://a:123456", "https://a@b", "https://a?b", "https://-a", "https://a,*"]
)  # fmt: skip
def test_what_is_no_origin_is_refused(text):
    """Everybody's pages are nobody's to let in."""
    with pytest.raises(SettingsError, match="DAYBOOK_CORS"):
        Settings.from_env({"DAYBOOK_CORS": text, "DAYBOOK_HOME": "/tmp/x"})


@pytest.mark.parametrize(("name", "field"), [("DAYBOOK_TSA", "tsa_url"), ("DAYBOOK_SEAL_WEBHOOK", "seal_webhook")])
def test_where_seals_are_fixed_is_a_web_address(tmp_path, name, field):
    """Nowhere unless it is said; what is no web address is refused, and neither shows its token."""
    assert getattr(Settings.from_env({}, cwd=tmp_path), field) is None
    settings = Settings.from_env({name: " https://tsa.example.org/x?token=secret "}, cwd=tmp_path)
    assert getattr(settings, field) == "https://tsa.example.org/x?token=secret"
    assert "secret" not in repr(settings)
    for value in ("ftp://x", "tsa.example.org?token=secret", "file:///etc/passwd"):
        with pytest.raises(SettingsError, match=f"{name} is no web address") as refused:
            Settings.from_env({name: value}, cwd=tmp_path)
        assert "secret" not in str(refused.value)


def test_the_mail_to_the_auditor_needs_a_server(tmp_path):
    """Addresses with commas between them and a server that takes mail; neither shows its password."""
    assert Settings.from_env({}, cwd=tmp_path).seal_mail is None
    env = {
        "DAYBOOK_SEAL_MAIL": " a@example.org , b@example.org,",
        "DAYBOOK_SMTP": " smtps://me:secret@mail.example.org ",
        "DAYBOOK_MAIL_FROM": "book@example.org",
    }
    settings = Settings.from_env(env, cwd=tmp_path)
    assert settings.seal_mail == "a@example.org,b@example.org"
    assert (settings.smtp_url, settings.mail_from) == ("smtps://me:secret@mail.example.org", "book@example.org")
    assert "secret" not in repr(settings)
    for more, words in (
        ({"DAYBOOK_SMTP": ""}, "DAYBOOK_SEAL_MAIL names who gets the seals, and DAYBOOK_SMTP no server"),
        ({"DAYBOOK_SMTP": "mail.example.org:secret"}, "DAYBOOK_SMTP is not the address of a mail server"),
        ({"DAYBOOK_SMTP": "http://me:secret@x"}, "DAYBOOK_SMTP is not the address of a mail server"),
        ({"DAYBOOK_SEAL_MAIL": "auditor"}, "DAYBOOK_SEAL_MAIL is no mail address"),
        ({"DAYBOOK_SEAL_MAIL": "a@example.org\nBcc: x@y"}, "DAYBOOK_SEAL_MAIL is no mail address"),
        ({"DAYBOOK_MAIL_FROM": "Me <a@example.org>"}, "DAYBOOK_MAIL_FROM is no mail address"),
    ):
        with pytest.raises(SettingsError, match=words) as refused:
            Settings.from_env(env | more, cwd=tmp_path)
        assert "secret" not in str(refused.value)


def test_a_process_of_ours_finds_the_same_in_another_folder(tmp_path, monkeypatch):
    """Every place that was named by a relative path is the same file from wherever the environment is read."""
    here, there = tmp_path / "here", tmp_path / "there"
    here.mkdir()
    there.mkdir()
    monkeypatch.chdir(here)
    named = {
        "DAYBOOK_HOME": "home",
        "DAYBOOK_VAULT": "safe/v.sqlite",
        "DAYBOOK_REPORTS": "out",
        "DAYBOOK_MODELS": "m.yml",
    }
    settings = Settings.from_env(named, cwd=here)
    assert settings.vault == here / "safe" / "v.sqlite"
    monkeypatch.chdir(there)
    again = Settings.from_env(named | settings.environment(), cwd=here)
    assert again == settings
