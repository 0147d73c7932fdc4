"""The embedded chat model as plain weights: what training and log-likelihoods need.

The package carries it quantised (GGUF Q4_1, 98 MB). Training needs numbers that can change, so the tensors are
de-quantised once (about 20 s) into a Hugging Face folder under the home (float32, 540 MB, 1 s to load). The folder
holds what llama.cpp serves, value for value; it is not the model that its authors published in bfloat16.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
import warnings
from pathlib import Path
from typing import Any

import orjson

from daybook.errors import BadParameter, DaybookError
from daybook.extras import require
from daybook.providers.llamacpp.weights import MODEL, find_weights, hash_weights

NEEDED_BYTES = 700_000_000
MARK = "daybook.json"
"""Written last: a folder without it was left by a process that died, and is made again."""


def weights(home: Path, *, source: Path | None = None) -> Path:
    """The folder `<home>/models/smollm2-135m-instruct` with config, tokenizer and safetensors; made where it is not.

    Two processes that ask at once both make it, and the first to finish wins. `source`: another GGUF file, for a
    folder of its own. Raises DaybookError where the disk has no room for it.
    """
    source_weights = find_weights(source)
    folder = home / "models" / (MODEL if source is None else source_weights.path.stem)
    if (folder / MARK).is_file():
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    room = shutil.disk_usage(folder.parent).free
    if source is None and room < NEEDED_BYTES:
        raise DaybookError(
            f"De-quantising {MODEL} takes {NEEDED_BYTES // 10**6} MB; {folder.parent} has {room // 10**6} MB left.",
            remedy="Free some room, or set DAYBOOK_HOME to another disk.",
        )
    new = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        _dequantise(source_weights.path, new)
        (new / MARK).write_bytes(
            orjson.dumps(
                {
                    "model": MODEL,
                    "version": source_weights.version,
                    "source": hash_weights(source_weights.path, home / "weights.json"),
                    "digest": folder_digest(new),
                }
            )
        )
        shutil.rmtree(folder) if folder.exists() and not (folder / MARK).is_file() else None
        try:
            new.rename(folder)
        except OSError:  # another process was first
            if not (folder / MARK).is_file():
                raise
    finally:
        shutil.rmtree(new, ignore_errors=True)
    return folder


def digest(folder: Path) -> str:
    """`sha256:…` of the weights in a folder: remembered for one that `weights` made, computed for any other."""
    try:
        return str(orjson.loads((folder / MARK).read_bytes())["digest"])
    except (OSError, ValueError, KeyError):
        return folder_digest(folder)


def folder_digest(folder: Path) -> str:
    """`sha256:…` over the names and contents of the weight files in `folder`, in the order of their names."""
    total = hashlib.sha256()
    files = sorted(f for f in folder.rglob("*") if f.is_file() and f.suffix in {".safetensors", ".npz", ".gguf"})
    if not files:
        raise BadParameter(f"{folder} holds no weights.", remedy="Name a folder with .safetensors, .npz or .gguf.")
    for file in files:
        with file.open("rb") as opened:
            total.update(f"{file.relative_to(folder)}\0{hashlib.file_digest(opened, 'sha256').hexdigest()}\n".encode())
    return f"sha256:{total.hexdigest()}"


def load(folder: Path, *, device: str | None = None, dtype: str = "float32") -> tuple[Any, Any]:
    """The causal model and its tokenizer from a plain folder. Nothing is fetched. Raises BadParameter where they do
    not load, with the reason."""
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    transformers = quiet()
    try:
        tokenizer = transformers.AutoTokenizer.from_pretrained(str(folder), local_files_only=True)
        model = transformers.AutoModelForCausalLM.from_pretrained(str(folder), dtype=dtype, local_files_only=True)
    except Exception as error:
        reason = " ".join(str(error).split())[:300]
        raise BadParameter(
            f"The weights in {folder} do not load: {type(error).__name__}: {reason}.",
            remedy="Name a folder that transformers' save_pretrained wrote, or leave the base model out.",
        ) from error
    return model.to(device or best_device()), tokenizer


def quiet() -> Any:
    """transformers, without the bars that it draws over everybody's output, and what it tells its own callers."""
    transformers = require("transformers")
    # peft asks for a property that transformers renames in its next release: nothing that a user could mend.
    warnings.filterwarnings("ignore", message=".*is_gradient_checkpointing", category=FutureWarning)
    transformers.utils.logging.disable_progress_bar()
    return transformers


def best_device() -> str:
    """`cuda` where there is one, else `cpu`."""
    return "cuda" if require("torch").cuda.is_available() else "cpu"


def _dequantise(path: Path, folder: Path) -> None:
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    transformers = quiet()
    require("gguf")
    asked = {"gguf_file": path.name, "local_files_only": True}
    tokenizer = transformers.AutoTokenizer.from_pretrained(str(path.parent), **asked)
    loaded = transformers.AutoModelForCausalLM.from_pretrained(str(path.parent), dtype="float32", **asked)
    # A model that came from a GGUF refuses save_pretrained: its config says that it is quantised.
    plain = {k: v for k, v in loaded.config.to_dict().items() if k not in {"quantization_config", "_name_or_path"}}
    model = type(loaded)(type(loaded.config)(**plain)).to(loaded.dtype)
    model.load_state_dict(loaded.state_dict())
    model.save_pretrained(str(folder))
    tokenizer.save_pretrained(str(folder))
