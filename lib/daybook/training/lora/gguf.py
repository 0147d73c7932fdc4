"""A trained adapter as llama.cpp reads it: one small GGUF file beside the embedded model's own weights.

An adapter is the pairs A, B of low-rank matrices. llama.cpp keeps the rows of a llama's query and key projections in
another order than transformers (halves interleaved, for the rotary embedding), so the rows of their B move likewise.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import orjson

from daybook.errors import BadParameter
from daybook.extras import require

FILE = "adapter.gguf"
_NAMES = {
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
}


def to_gguf(adapter: Path, base: Path) -> Path:
    """Write `adapter`/adapter.gguf from the safetensors there. `base`: the folder it was trained on, for its heads.

    Raises BadParameter for a base that is no llama, or an adapter that llama.cpp cannot run."""
    gguf = require("gguf")
    config = orjson.loads((base / "config.json").read_bytes())
    settings = orjson.loads((adapter / "adapter_config.json").read_bytes())
    if config.get("model_type") != "llama":
        raise BadParameter(f"The base is a {config.get('model_type')}, not a llama.", remedy="Serve it elsewhere.")
    heads = {"q_proj": config["num_attention_heads"], "k_proj": config["num_key_value_heads"]}
    writer = gguf.GGUFWriter(str(adapter / f".{FILE}"), "llama")
    writer.add_type("adapter")
    writer.add_string("adapter.type", "lora")
    writer.add_float32("adapter.lora.alpha", float(settings["lora_alpha"]))
    for name, value in sorted(_tensors(adapter).items()):
        module, part = name.removeprefix("base_model.model.model.layers.").rsplit(".lora_", 1)
        layer, _, kind = module.partition(".")
        if kind not in _NAMES:
            raise BadParameter(f"llama.cpp has no place for {name}.", remedy=f"Train only {', '.join(_NAMES)}.")
        side = part[0].lower()
        projection = kind.rpartition(".")[2]
        rows = interleaved(value, heads[projection]) if side == "b" and projection in heads else value
        writer.add_tensor(
            f"blk.{layer}.{_NAMES[kind]}.weight.lora_{side}", np.ascontiguousarray(rows, dtype=np.float32)
        )
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return (adapter / f".{FILE}").replace(adapter / FILE)


def interleaved(rows: np.ndarray, heads: int) -> np.ndarray:
    """The rows of a rotary projection in llama.cpp's order."""
    size = rows.shape[0] // heads // 2
    return rows.reshape(heads, 2, size, *rows.shape[1:]).swapaxes(1, 2).reshape(rows.shape)


def merge(adapter: Path, base: Path, folder: Path) -> Path:
    """Write the base with the adapter merged in, as plain weights that anything can load."""
    from daybook.hf.weights import load

    model, tokenizer = load(base, device="cpu")
    merged = require("peft").PeftModel.from_pretrained(model, str(adapter)).merge_and_unload()
    merged.save_pretrained(str(folder))
    tokenizer.save_pretrained(str(folder))
    return folder


def _tensors(adapter: Path) -> dict[str, Any]:
    try:
        tensors: dict[str, Any] = require("safetensors.numpy").load_file(str(adapter / "adapter_model.safetensors"))
    except Exception as error:
        raise BadParameter(
            f"The adapter in {adapter} does not load: {type(error).__name__}: {str(error)[:200]}.",
            remedy="Train it again.",
        ) from error
    return {name.replace(".default", "").removesuffix(".weight"): value for name, value in tensors.items()}
