"""Fine-tuning over HTTP: admin keys only, paths confined, the same service behind it."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest

from daybook.gateway.http.errors import Refusal
from daybook.gateway.routes.finetune import confined


@pytest.fixture
def admin(endpoint: Any) -> Iterator[httpx.Client]:
    key = endpoint.keys.create("root", admin=True, actor="test")
    headers = {"authorization": f"Bearer {key.secret}"}
    with httpx.Client(base_url=endpoint.url, headers=headers, timeout=120) as client:
        yield client


def test_only_an_admin_key_may(endpoint: Any, admin: httpx.Client) -> None:
    """No key, and a key without the right, are refused before anything is read; an admin's unknown id is a 404."""
    body = {"data": "builtin:requests", "name": "x"}
    plain = {"authorization": f"Bearer {endpoint.key.secret}"}
    assert httpx.post(f"{endpoint.url}/ml/finetune/prepare", json=body).status_code == 401
    refused = httpx.post(f"{endpoint.url}/ml/finetune/prepare", json=body, headers=plain)
    assert (refused.status_code, refused.json()["error"]["code"]) == (403, "admin_key_needed")
    assert httpx.get(f"{endpoint.url}/ml/finetune/status/ft-000000000000", headers=plain).status_code == 403
    for id_ in ("ft-000000000000", "nonsense", "..%2f..%2fkeys.json"):
        assert admin.get(f"/ml/finetune/status/{id_}").status_code == 404


@pytest.mark.parametrize(
    "path", ["/etc/passwd", "../keys.json", "a/../../keys.json", "link.jsonl", "nothing.csv", "hf:a/b", "", "."]
)
def test_no_path_leads_out_of_the_data_folder(path: str, tmp_path: Path) -> None:
    """Absolute, climbing, through a link, another scheme, or not there: one answer, which tells none from another."""
    folder = tmp_path / "data"
    folder.mkdir()
    (tmp_path / "keys.json").write_text("{}")
    (folder / "link.jsonl").symlink_to(tmp_path / "keys.json")
    with pytest.raises(Refusal, match="names no file of the data folder"):
        confined(path, folder, "data")
    (folder / "in.csv").write_text("a")
    assert confined("in.csv", folder, "data") == str(folder / "in.csv")


def test_a_body_that_cannot_be_meant_is_refused(admin: httpx.Client) -> None:
    """Unknown and missing fields, wrong types, a base elsewhere: a 400 that names the parameter."""
    good = {"data": "builtin:requests", "name": "x"}
    for body, param in (
        ({"name": "x"}, "data"), (good | {"output": "/tmp/x"}, "output"), (good | {"against": "a"}, "against"),
        (good | {"recipe": {"base": "/etc"}}, "recipe.base"), (good | {"template": {"system": 1}}, "template"),
        (good | {"data": "/etc/passwd"}, "data"),
    ):  # fmt: skip
        refused = admin.post("/ml/finetune/prepare", json=body)
        assert (refused.status_code, refused.json()["error"]["param"]) == (400, param)


@pytest.mark.slow
def test_prepare_start_status(endpoint: Any, admin: httpx.Client) -> None:
    """Bad data gets its gates and no id; good data gets an id, is trained by a process of its own, and is served."""
    folder = endpoint.settings.home / "data"
    folder.mkdir(exist_ok=True)
    (folder / "bad.jsonl").write_text('{"messages": []}\n')
    told = admin.post("/ml/finetune/prepare", json={"data": "bad.jsonl", "name": "x", "method": "head"}).json()
    assert (told["met"], told["id"], told["gates"][0]["details"]) == (False, None, {"missing_messages_list": 1})
    asked = {"data": "builtin:requests", "name": "requests", "method": "head", "recipe": {"held_out": 0.3}}
    told = admin.post("/ml/finetune/prepare", json=asked).json()
    assert told["met"]
    assert told["estimate"]["examples"] + told["estimate"]["held_out"] == 300
    started = admin.post("/ml/finetune/start", json={"id": told["id"]})
    assert started.status_code == 202
    deadline = time.monotonic() + 120
    while (now := admin.get(f"/ml/finetune/status/{told['id']}").json())["state"] not in ("completed", "failed"):
        assert time.monotonic() < deadline
        time.sleep(0.3)
    assert (now["state"], now["result"]["model"]) == ("completed", "requests:v1"), now
    assert admin.post("/ml/finetune/start", json={"id": told["id"]}).status_code == 409
    assert admin.post(f"/ml/finetune/cancel/{told['id']}").status_code == 409
    assert "requests:v1" in {model["id"] for model in admin.get("/v1/models").json()["data"]}
    assert not any(os.sep + "tmp" in text for text in strings(now))


def strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for one in value.values() if isinstance(value, dict) else value:
            yield from strings(one)


def test_it_costs_the_endpoint_no_heavy_import(run_python: Callable[[str], str]) -> None:
    """The routes are there without torch, transformers, pandas, papermill or Prefect in the process."""
    assert orjson.loads(run_python("daybook.gateway.app")) == []


@pytest.fixture
def run_python() -> Callable[[str], str]:
    import subprocess
    import sys

    def run(module: str) -> str:
        code = (
            f"import json, sys, {module}; heavy = ['torch', 'transformers', 'pandas', 'papermill', 'prefect']; "
            "print(json.dumps([name for name in heavy if name in sys.modules]))"
        )
        return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout

    return run
