"""The endpoint as a process of its own: how it starts, what it imports, how it ends, what survives its being killed."""

import json
import os
import resource
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from contextlib import contextmanager

import openai
import pytest

from daybook.access.keys import Keys
from daybook.book import Book

HELLO = [{"role": "user", "content": "How are you?"}]
HEAVY = ("torch", "transformers", "papermill", "prefect", "pandas")


@contextmanager
def serving(env, *options, **popen):
    """A started endpoint: its process, its URL and its log."""
    home = env["DAYBOOK_HOME"]
    ready = f"{home}/ready.json"
    log = f"{home}/log"
    command = [sys.executable, "-m", "daybook", "serve", "--port", "0", "--ready-file", ready, *options]
    with open(log, "wb") as sink:  # noqa: PTH123 - a path as the environment has it
        process = subprocess.Popen(command, env=env, stderr=sink, **popen)
    try:
        deadline = time.monotonic() + 30
        while not os.path.exists(ready):  # noqa: PTH110 - the same
            assert process.poll() is None, open(log).read()  # noqa: PTH123, SIM115 - the same
            assert time.monotonic() < deadline
            time.sleep(0.02)
        with open(ready) as file:  # noqa: PTH123 - the same
            announced = json.load(file)
        assert announced["pid"] == process.pid
        yield process, announced["url"], log
    finally:
        process.kill()
        process.wait(10)


def client(url, key="none"):
    return openai.OpenAI(base_url=f"{url}/v1", api_key=key, max_retries=0, timeout=20)


def ready(url):
    try:
        with urllib.request.urlopen(f"{url}/health/ready", timeout=10) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


def calls(settings):
    book = Book(settings.book_url, settings.home)
    try:
        return book.rows("select * from calls order by time, id")
    finally:
        book.close()


# ── what it takes to start ────────────────────────────────────────────────────────────────────────────


def test_the_endpoint_imports_nothing_heavy():
    """In a fresh interpreter, everything the endpoint serves with leaves torch, transformers, papermill, Prefect and
    pandas unimported; nor is the database there before the first drain."""
    program = (
        "import sys\n"
        "import daybook.gateway, daybook.gateway.server, daybook.gateway.components, daybook.cli.endpoint.serve\n"
        f"heavy = [name for name in {HEAVY!r} + ('duckdb', 'sqlalchemy', 'matplotlib') if name in sys.modules]\n"
        "assert not heavy, heavy\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)


@pytest.mark.slow
def test_serving_and_draining_import_nothing_heavy_either(own_process):
    """After calls were answered, priced, entered and drained into the book, the same holds in the serving process; nor
    is the database there, which only the drain's process loads."""
    settings, env = own_process()
    program = (
        "import sys, threading, urllib.request, json, signal, os, time\n"
        "from pathlib import Path\n"
        "from daybook.gateway import serve\n"
        "from daybook.settings import Settings\n"
        "def ask(url):\n"
        "    head = {'content-type': 'application/json'}\n"
        "    body = json.dumps({'model': 'good', 'messages': [{'role': 'user', 'content': 'Hi'}]}).encode()\n"
        "    urllib.request.urlopen(urllib.request.Request(url + '/v1/chat/completions', body, head)).read()\n"
        "    for _ in range(500):\n"
        "        state = json.load(urllib.request.urlopen(url + '/health/ready'))\n"
        "        if state['checks']['book']['moved']: break\n"
        "        time.sleep(0.05)\n"
        "    os.kill(os.getpid(), signal.SIGTERM)\n"
        "start = lambda url: threading.Thread(target=ask, args=(url,)).start()\n"
        "code = serve(Settings.from_env(), port=0, then=start)\n"
        f"print(json.dumps([code, 'duckdb' in sys.modules, [n for n in {HEAVY!r} if n in sys.modules]]))\n"
    )
    done = subprocess.run([sys.executable, "-c", program], env=env, check=True, timeout=60, stdout=subprocess.PIPE)
    assert json.loads(done.stdout) == [0, False, []]
    assert len(calls(settings)) == 1


def test_an_address_others_can_reach_needs_a_key_first(own_process):
    """Exit code 2 and the command that makes one; nothing was bound."""
    _, env = own_process()
    command = [sys.executable, "-m", "daybook", "serve", "--host", "0.0.0.0", "--port", "0"]
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    assert "daybook keys create NAME" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_port_in_use_is_named_with_its_holder(own_process):
    """Exit code 1, the number, who holds it, and what to do, in one paragraph."""
    _, env = own_process()
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        command = [sys.executable, "-m", "daybook", "serve", "--port", str(port)]
        done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert f"Port {port} on 127.0.0.1 is in use by process {os.getpid()}" in done.stderr
    assert f"daybook serve --port {port + 1}" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_a_ready_file_that_cannot_be_written_is_named(own_process):
    """Exit code 2 and the file's name; no endpoint is left running."""
    settings, env = own_process()
    where = settings.home / "no-such-folder" / "ready.json"
    command = [sys.executable, "-m", "daybook", "serve", "--port", "0", "--ready-file", str(where)]
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    assert str(where) in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_in_order(own_process, number):
    """Exit code 0, the ready file gone, the call in the book, no traceback in the log."""
    settings, env = own_process()
    with serving(env) as (process, url, log):
        client(url).chat.completions.create(model="good", messages=HELLO)
        process.send_signal(number)
        assert process.wait(15) == 0
        with open(log) as file:  # noqa: PTH123 - a path as the environment has it
            text = file.read()
    assert not (settings.home / "ready.json").exists()
    assert [row["status"] for row in calls(settings)] == ["ok"]
    assert "Traceback" not in text


# ── nothing acknowledged is lost ──────────────────────────────────────────────────────────────────────


@pytest.mark.slow
def test_a_killed_endpoint_loses_nothing_that_it_answered(own_process):
    """kill -9 right after an answer, whole or streamed: the call is in the book."""
    settings, env = own_process()
    with serving(env) as (process, url, _):
        whole = client(url).chat.completions.with_raw_response.create(model="good", messages=HELLO)
        stream = client(url).chat.completions.create(model="good", messages=HELLO, stream=True)
        list(stream)
        process.kill()
        process.wait(10)
    expected = {whole.headers["x-request-id"], stream.response.headers["x-request-id"]}
    assert {row["request_id"] for row in calls(settings)} == expected
    assert {row["status"] for row in calls(settings)} == {"ok"}


@pytest.mark.slow
def test_a_full_journal_withholds_answers_and_everything_else_goes_on(own_process):
    """With no room for the journal's next byte: 507 that says what to do and is not retried; models, health and
    metrics answer; readiness says full; every answer that was given is in the book."""
    settings, env = own_process()

    def little_room():
        resource.setrlimit(resource.RLIMIT_FSIZE, (6000, 6000))
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)

    answered = []
    with serving(env, preexec_fn=little_room) as (_, url, _log):
        asker = client(url).with_options(max_retries=2)
        for _ in range(30):
            try:
                raw = asker.chat.completions.with_raw_response.create(model="good", messages=HELLO)
            except openai.InternalServerError as error:
                refusal = error
                break
            answered.append(raw.headers["x-request-id"])
        assert (refusal.status_code, refusal.code) == (507, "journal_full")
        assert "make room" in refusal.body["message"]
        with pytest.raises(openai.APIError) as caught:
            list(asker.chat.completions.create(model="good", messages=HELLO, stream=True))
        assert caught.value.code == "journal_full"
        assert next(iter(client(url).models.list())).id == "good"
        status, body = ready(url)
        assert (status, body["status"], body["checks"]["journal"]["state"]) == (503, "unusable", "full")
        with urllib.request.urlopen(f"{url}/metrics") as metrics:
            failures = [
                line for line in metrics.read().decode().splitlines() if line.startswith("daybook_journal_fail")
            ]
        assert float(failures[0].split()[1]) >= 2
    assert len(answered) >= 3
    assert [row["request_id"] for row in calls(settings) if row["status"] == "ok"] == answered


# ── keys ──────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.slow
def test_the_first_key_closes_the_door_of_a_running_endpoint(own_process):
    """Without keys whoever is on this machine may call, under the machine's own names only; from the first
    `keys create` on, not even they; the command prints the secret alone on standard output."""
    _, env = own_process()
    with serving(env) as (_, url, _log):
        client(url, "anything").chat.completions.create(model="good", messages=HELLO)
        foreign = urllib.request.Request(f"{url}/v1/models", headers={"host": "rebound.example.com"})
        with pytest.raises(urllib.error.HTTPError) as caught:
            urllib.request.urlopen(foreign, timeout=10)
        assert caught.value.code == 403
        command = [sys.executable, "-m", "daybook", "keys", "create", "desk", "--project", "helpdesk"]
        made = subprocess.run(command, env=env, capture_output=True, text=True, check=True, timeout=60)
        secret = made.stdout.strip()
        assert secret.startswith("db-")
        assert secret not in made.stderr
        with pytest.raises(openai.AuthenticationError):
            client(url, "anything").models.list()
        assert client(url, secret).models.list().data


def test_keys_on_the_command_line(own_process):
    """create, list and revoke: the list shows callers and ids and never a secret; an unknown id exits with 2."""
    settings, env = own_process()

    def run(*words):
        command = [sys.executable, "-m", "daybook", "keys", *words]
        return subprocess.run(command, env=env, capture_output=True, text=True, timeout=60)

    secret = run("create", "desk", "--project", "helpdesk").stdout.strip()
    (key,) = Keys(settings.home / "keys.json").list()
    listed = run("list").stdout
    assert key.id in listed
    assert "helpdesk" in listed
    assert secret not in listed
    assert json.loads(run("list", "--json").stdout)[0]["name"] == "desk"
    assert run("revoke", key.id).returncode == 0
    unknown = run("revoke", "knobody")
    assert unknown.returncode == 2
    assert "daybook keys list" in unknown.stderr
    book = Book(settings.book_url, settings.home)
    events = book.rows("select action, object from events order by time, id")
    book.close()
    assert [(e["action"], e["object"]) for e in events] == [("key.created", key.id), ("key.revoked", key.id)]


@pytest.mark.slow
def test_an_endpoint_that_serves_others_starts_the_embedded_model_when_it_is_asked(own_process, upstream):
    """Ready, and an answer of another model given: no process of the model. Asked for it: there is one, and it
    answers."""
    settings, env = own_process()
    models = settings.models.read_text().replace("  local: {kind: echo}   # no embedded model is started\n", "")
    settings.models.write_text(models)
    with serving(env) as (process, url, _log):
        assert ready(url)[1]["checks"]["upstreams"]["local"]["state"] == "ok"
        asker = client(url)
        assert asker.chat.completions.create(model="good", messages=HELLO).choices[0].message.content
        assert _children(process.pid) == []
        whole = asker.chat.completions.create(model="smollm2-135m-instruct", messages=HELLO, max_tokens=8)
        assert whole.choices[0].message.content
        assert len(_children(process.pid)) == 1


@pytest.mark.slow
def test_the_embedded_model_answers_and_is_named_in_the_book(tmp_path):
    """No configuration at all: a real model answers the official client, whole and streamed; the entry has its
    weights' digest, reported tokens and the price of nothing, because a rate says so."""
    env = {name: value for name, value in os.environ.items() if not name.startswith("DAYBOOK_")}
    env["DAYBOOK_HOME"] = str(tmp_path)
    with serving(env) as (process, url, _log):
        asker = client(url)
        whole = asker.chat.completions.create(model="smollm2-135m-instruct", messages=HELLO, max_tokens=8, seed=1)
        assert whole.choices[0].message.content
        assert whole.usage.completion_tokens <= 8
        stream = asker.chat.completions.create(
            model="smollm2-135m-instruct", messages=HELLO, max_tokens=8, seed=1, stream=True
        )
        assert "".join(c.choices[0].delta.content or "" for c in stream if c.choices)
        children = _children(process.pid)
        process.terminate()
        assert process.wait(15) == 0
    assert not [pid for pid in children if os.path.exists(f"/proc/{pid}")]  # noqa: PTH110 - the kernel's own table
    book = Book(f"duckdb:///{tmp_path}/book.duckdb", tmp_path)
    rows = book.rows("select * from calls order by time, id")
    book.close()
    for row in rows:
        assert row["status"] == "ok"
        assert row["weights_digest"].startswith("sha256:")
        assert row["usage_reported"] is True
        assert row["cost"] == 0
        assert row["price_rate"]
    assert [row["stream"] for row in rows] == [False, True]


def _children(pid):
    import psutil

    children = psutil.Process(pid).children(recursive=True)
    return [child.pid for child in children if "daybook.gateway.upkeep.drain_process" not in child.cmdline()]
