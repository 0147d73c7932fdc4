"""Which models there are: strict about the file, plain about what is wrong with it."""

from __future__ import annotations

import asyncio
import subprocess
import sys

import pytest

from daybook.errors import SettingsError, Unauthorised, UnknownModel
from daybook.providers import make
from daybook.providers.anthropic.provider import Anthropic
from daybook.providers.catalogue import Catalogue
from daybook.providers.echo import Echo
from daybook.providers.hf.provider import HuggingFace
from daybook.providers.llamacpp.provider import Local
from daybook.providers.ollama.provider import Ollama
from daybook.providers.openai import OpenAI
from daybook.providers.upstream import ENCODER, MODERATOR, Fallback, Model, Upstream

MODEL = "smollm2-135m-instruct"
ALL = """\
upstreams:
  openai: {}
  anthropic:
  ollama: {context: 2048, idle_timeout: 60}
  lab:
    kind: openai
    base_url: http://10.0.0.7:8000/v1/
    api_key_env: LAB_KEY
    attempts: 1
    stream_usage: false
models:
  gpt-4o-mini: {upstream: openai, aliases: [mini, small]}
  house: {upstream: ollama, target: "llama3.2:3b", context: 16384}
  org/model-7b: {upstream: lab}
"""


@pytest.fixture
def load(tmp_path):
    def load(text, **env):
        path = tmp_path / "models.yml"
        path.write_text(text)
        return Catalogue.load(path, env)

    return load


def test_without_a_file_there_is_the_embedded_model(tmp_path):
    """One that chats and one that embeds, files beside models.yml or where DAYBOOK_HOME says."""
    catalogue = Catalogue.load(tmp_path / "models.yml", {})
    assert catalogue.resolve(MODEL) == Model(name=MODEL, upstream="local", target=MODEL)
    assert catalogue.resolve(ENCODER) == Model(name=ENCODER, upstream="hf", target=ENCODER)
    assert list(catalogue.upstreams) == ["local", "hf"]
    assert catalogue.upstreams["local"].home == tmp_path
    other = Catalogue.load(tmp_path / "models.yml", {"DAYBOOK_HOME": "/srv/day"})
    assert str(other.upstreams["local"].home) == "/srv/day"
    third = Catalogue.load(tmp_path / "models.yml", {"DAYBOOK_HOME": "/srv/day"}, home=tmp_path / "x")
    assert third.upstreams["local"].home == tmp_path / "x"


def test_models_are_found_by_name_alias_and_upstream(load):
    """Each name leads to its upstream's own; `upstream/name` to any model of it."""
    catalogue = load(ALL)
    assert list(catalogue.models) == [MODEL, "gpt-4o-mini", "house", "org/model-7b", ENCODER, MODERATOR]
    assert catalogue.resolve("mini") == catalogue.resolve("small") == catalogue.models["gpt-4o-mini"]
    house = catalogue.resolve("house")
    assert (house.upstream, house.target, house.context) == ("ollama", "llama3.2:3b", 16_384)
    assert catalogue.resolve("org/model-7b").upstream == "lab"
    anything = catalogue.resolve("lab/org/other")
    assert (anything.upstream, anything.target) == ("lab", "org/other")
    assert catalogue.resolve("ollama/llama3.2:3b").context == 16_384
    assert catalogue.resolve(f"local/{MODEL}").target == MODEL


def test_a_name_is_known_that_somebody_gave_a_model(load):
    """Its alias, too; not what a caller writes behind an upstream's name, nor what only looks like a hosted model's."""
    catalogue = load(ALL)
    named = [name for name in ("gpt-4o-mini", "mini", "small", "house", "org/model-7b", MODEL) if catalogue.knows(name)]
    assert len(named) == 6
    assert not any(map(catalogue.knows, ("lab/org/other", f"local/{MODEL}", "gpt-4o", "five", "", "house ")))


@pytest.mark.parametrize("name", ["five", "nowhere/gpt", "openai/", "/", "", "x" * 5_000])
def test_an_unknown_model_names_the_known_ones(load, name):
    """The caller learns what there is; what was asked for is cut to a length."""
    with pytest.raises(UnknownModel, match="house, mini, minilm-moderation, org/model-7b, small") as caught:
        load(ALL).resolve(name)
    assert len(str(caught.value)) < 500
    assert caught.value.http_status == 404


def test_known_upstreams_need_only_their_name(load):
    """Kind, address and the key's variable follow; what is stated wins; contexts come from the models."""
    upstreams = load(ALL, OPENAI_API_KEY="sk-1", LAB_KEY="k-2").upstreams
    assert (upstreams["openai"].base_url, upstreams["openai"].api_key) == ("https://api.openai.com/v1", "sk-1")
    assert (upstreams["anthropic"].kind, upstreams["anthropic"].api_key_env) == ("anthropic", "ANTHROPIC_API_KEY")
    assert (upstreams["ollama"].base_url, upstreams["ollama"].context) == ("http://127.0.0.1:11434", 2048)
    assert upstreams["ollama"].contexts == {"llama3.2:3b": 16_384}
    lab = upstreams["lab"]
    assert (lab.base_url, lab.attempts, lab.stream_usage) == ("http://10.0.0.7:8000/v1", 1, False)
    assert "k-2" not in repr(lab)


def test_local_can_be_something_else(load):
    """`local` stated as another kind, or with weights of one's own, is no longer the embedded model."""
    assert list(load("upstreams: {local: {kind: echo}, hf: {kind: echo}}").models) == []
    assert list(load("upstreams: {local: {kind: echo}}").models) == [ENCODER, MODERATOR]
    own = load("upstreams: {local: {weights: mine.gguf, slots: 1}}\nmodels: {mine: {upstream: local}}")
    assert list(own.models) == ["mine", ENCODER, MODERATOR]
    assert own.upstreams["local"].weights.name == "mine.gguf"
    assert load("upstreams: {local: {context: 1024}}").upstreams["local"].context == 1024
    assert list(load("").models) == list(load("models:").models) == [MODEL, ENCODER, MODERATOR]


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("upstreams: [", 1, "not YAML"),
        ("a: 1\n\tb: 2", 2, "not YAML"),
        ("- a", 1, "mapping"),
        ("model: {}", 1, "'model' is not known"),
        ("upstreams:\n  lab: {kind: openai}", 2, "no base_url"),
        ("upstreams:\n  lab: {base_url: http://x/v1}", 2, "no kind"),
        ("upstreams:\n  lab:\n    kind: bedrock", 2, "bedrock"),
        ("upstreams:\n  openai:\n    base-url: x", 3, "'base-url' is not known"),
        ("upstreams:\n  openai:\n    slots: 2", 3, "means nothing for an upstream of kind openai"),
        ("upstreams:\n  openai:\n    base_url: ftp://x", 3, "not an address"),
        ("upstreams:\n  openai:\n    base_url: http://x:99999999/v1", 3, "not an address"),
        ("upstreams:\n  openai:\n    base_url: ${URL}", 3, "not filled in"),
        ("upstreams:\n  openai:\n    idle_timeout: soon", 3, "idle_timeout is not a number"),
        ("upstreams:\n  openai:\n    idle_timeout: .nan", 3, "idle_timeout is not a number"),
        ("upstreams:\n  openai:\n    attempts: true", 3, "attempts is not a whole number"),
        ("upstreams:\n  openai:\n    stream_usage: 1", 3, "neither true nor false"),
        ("upstreams:\n  openai: {}\n  openai: {}", 3, "twice"),
        ("upstreams:\n  'a b': {}", 2, "cannot be the name"),
        ("upstreams:\n  ? [a]\n  : {}", 2, "not a plain word"),
        ("models:\n  m: {}", 2, "no upstream"),
        ("models:\n  m: {upstream: lab}", 2, "'lab', which is not stated"),
        ("models:\n  m:\n    upstream: local\n    context: 0", 4, "context is not a whole number"),
        ("models:\n  m: {upstream: local, aliases: n}", 2, "aliases is not a list"),
        ("models:\n  m: {upstream: local, aliases: [n]}\n  n: {upstream: local}", 3, "used twice"),
        ("models:\n  m: local", 2, "mapping"),
        ("models:\n  m: {upstream: local, fallback: n}", 2, "fallback is not a list"),
        ("models:\n  m: {upstream: local, fallback: []}", 2, "fallback is not a list"),
        ("models:\n  m:\n    upstream: local\n    fallback:\n    - {on: [timeout]}", 5, "a fallback has no model"),
        ("models:\n  m: {upstream: local, fallback: [m]}", 2, "falls back on 'm' twice"),
        ("models:\n  m: {upstream: local, fallback: [n, {model: n}]}", 2, "falls back on 'n' twice"),
        ("models:\n  m: {upstream: local, fallback: [{model: n, on: [slow]}]}", 2, "no failure called 'slow'"),
        ("models:\n  m: {upstream: local, fallback: [{model: n, on: []}]}", 2, "not a list of failures"),
        ("models:\n  m: {upstream: local, fallback: [{model: n, when: x}]}", 2, "'when' is not known"),
        ("models:\n  m: {upstream: local, deadline: 0}", 2, "deadline is not a number"),
        *(
            (f"upstreams:\n  local: {{machine: {value}}}", 2, what)
            for value, what in (
                ("{}", "no usd_per_hour from 0 to 10,000"),
                ("0.1", "mapping"),
                ("{usd_per_hour: -1}", "no usd_per_hour"),
                ("{usd_per_hour: 10000.01}", "no usd_per_hour"),
                ("{usd_per_hour: .inf}", "no usd_per_hour"),
                ("{usd_per_hour: 1:30}", "no usd_per_hour"),
                ("{usd_per_hour: 0x10}", "no usd_per_hour"),
                ("{usd_per_hour: [1]}", "no usd_per_hour"),
                ("{eur_per_hour: 1}", "'eur_per_hour' is not known"),
            )
        ),
    ],
)
def test_what_cannot_be_meant_is_refused_with_its_line(load, text, line, said):
    """The file, the line, the key and a remedy; exit code 2."""
    with pytest.raises(SettingsError) as caught:
        load(text)
    assert f"models.yml, line {line}: " in str(caught.value)
    assert said in str(caught.value)
    assert caught.value.remedy
    assert caught.value.exit_code == 2


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("upstreams: {openai: {api_key: sk-secret-1}}", "environment variable"),
        ("upstreams: {openai: {api_key_env: sk-secret-1}}", "never the key itself"),
        ("upstreams: {openai: {base_url: 'https://ada:sk-secret-1@x/v1'}}", "holds a user, a password"),
        ("upstreams: {openai: {base_url: 'https://x/v1?key=sk-secret-1'}}", "or a query"),
    ],
)
def test_keys_are_kept_out_of_the_file_and_of_the_message(load, text, said):
    """A key in models.yml is refused, and not repeated."""
    with pytest.raises(SettingsError, match=said) as caught:
        load(text)
    assert "sk-secret-1" not in str(caught.value)


@pytest.mark.parametrize(
    ("model", "upstream", "variable"),
    [
        ("gpt-5-nano", "openai", "OPENAI_API_KEY"),
        ("chatgpt-4o-latest", "openai", "OPENAI_API_KEY"),
        ("o3", "openai", "OPENAI_API_KEY"),
        ("o4-mini", "openai", "OPENAI_API_KEY"),
        ("claude-sonnet-4-5", "anthropic", "ANTHROPIC_API_KEY"),
    ],
)
def test_a_key_in_the_environment_is_enough(tmp_path, load, model, upstream, variable):
    """No file is needed; without the key the variable is named; a file's own model of that name stays its own."""
    path = tmp_path / "none.yml"
    catalogue = Catalogue.load(path, {variable: "sk-1"})
    assert catalogue.resolve(model) == Model(name=model, upstream=upstream, target=model)
    assert (catalogue.upstreams[upstream].api_key, catalogue.upstreams[upstream].kind) == ("sk-1", upstream)
    assert sorted(catalogue.upstreams) == sorted(["local", "hf", upstream])
    for env in ({}, {variable: ""}):
        with pytest.raises(UnknownModel, match=f"Set {variable} in the environment"):
            Catalogue.load(path, env).resolve(model)
    stated = load(f"models: {{{model}: {{upstream: local, target: x}}}}", **{variable: "sk-1"})
    assert stated.resolve(model).upstream == "local"


@pytest.mark.parametrize("name", ["gpt", "claude", "my-claude-3", "gpt-4o/x", "o", "oscar"])
def test_a_name_that_is_nobodys_is_unknown(tmp_path, name):
    """Only the hosted services' own names lead to them."""
    keys = {"OPENAI_API_KEY": "sk-1", "ANTHROPIC_API_KEY": "sk-2"}
    with pytest.raises(UnknownModel, match="There are: "):
        Catalogue.load(tmp_path / "none.yml", keys).resolve(name)


def test_a_file_that_cannot_be_read_is_named(tmp_path):
    """A folder in its place, bytes that are no text."""
    path = tmp_path / "models.yml"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(SettingsError, match=r"models\.yml cannot be read"):
        Catalogue.load(path, {})
    path.unlink()
    path.mkdir()
    with pytest.raises(SettingsError, match=r"models\.yml cannot be read"):
        Catalogue.load(path, {})


def test_each_kind_has_its_provider(load):
    """By kind, under the upstream's name, connected to nothing yet."""
    upstreams = load(ALL + "  # end\n").upstreams | load("upstreams: {echo: {}}").upstreams
    kinds = {"openai": OpenAI, "anthropic": Anthropic, "lab": OpenAI, "ollama": Ollama, "local": Local, "echo": Echo}
    kinds |= {"hf": HuggingFace}
    providers = {name: make(config) for name, config in upstreams.items()}
    assert {name: type(provider) for name, provider in providers.items()} == kinds
    assert {name: provider.name for name, provider in providers.items()} == {name: name for name in kinds}
    with pytest.raises(SettingsError, match="anthropic, echo, hf, local, ollama, openai"):
        make(Upstream(name="x", kind="bedrock", home=upstreams["local"].home))


async def test_a_missing_key_is_told_with_the_call_and_nothing_is_sent(openai, load):
    """The endpoint starts without it; the upstream is not asked; the variable is named."""
    text = f"upstreams: {{lab: {{kind: openai, base_url: '{openai.url}/v1', api_key_env: LAB_KEY}}}}"
    for env in ({}, {"LAB_KEY": ""}):
        provider = make(load(text, **env).upstreams["lab"])
        for call in (provider.probe, provider.models):
            with pytest.raises(Unauthorised, match="Set LAB_KEY"):
                await call()
    assert openai.seen == []
    provider = make(load(text, LAB_KEY="k-2").upstreams["lab"])
    await provider.probe()
    assert openai.seen[0].headers["Authorization"] == "Bearer k-2"
    await asyncio.gather(provider.aclose())


def test_a_catalogue_costs_no_import(tmp_path):
    """Without a file neither YAML nor an HTTP client is loaded until a provider is made."""
    code = (
        "import sys\nfrom pathlib import Path\nfrom daybook.providers import make\n"
        "from daybook.providers.catalogue import Catalogue\nCatalogue.load(Path('none.yml'), {})\n"
        "print([name for name in ('aiohttp', 'yaml', 'xllamacpp', 'pandas', 'torch') if name in sys.modules])"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=tmp_path)
    assert said.stdout == "[]\n"


def test_fallbacks_deadlines_and_machine_hours_are_read_as_written(load):
    """Kinds as stated or all usual ones; the price to the digit; who serves registered models shares the machine's."""
    text = """\
upstreams: {local: {machine: {usd_per_hour: 0.10}}, openai: {machine: {usd_per_hour: 2}}}
models:
  a: {upstream: openai, deadline: 60, fallback: [b, {model: openai/x, on: [timeout, content_filter]}, gpt-5]}
  b: {upstream: local}
"""
    catalogue = load(text)
    model = catalogue.models["a"]
    assert model.deadline == 60.0
    assert model.fallbacks == (
        Fallback("b"), Fallback("openai/x", frozenset(("timeout", "content_filter"))), Fallback("gpt-5")
    )  # fmt: skip
    assert Fallback("b").on == {
        "rate_limited", "timeout", "unavailable", "conflict", "context_length", "auth", "model_not_found"
    }  # fmt: skip
    assert {name: str(catalogue.upstreams[name].machine_hour) for name in ("local", "openai")} == {
        "local": "0.10",
        "openai": "2",
    }
    assert (catalogue.models["b"].fallbacks, catalogue.models["b"].deadline) == ((), None)


def test_a_fallback_that_nobody_serves_is_refused_when_the_file_is_read(load):
    """It would be missed on the day that it is needed."""
    with pytest.raises(SettingsError, match=r"a falls back on nothing\. No model is called 'nobody'"):
        load("models: {a: {upstream: local, fallback: [nobody]}}")
