"""The process that runs the embedded model. Started by `llama`, never imported by it.

Reads one line of JSON from stdin (what to load, and the key that it shall ask of its callers), writes one line of JSON
to stdout once it listens, and ends when stdin ends: the other end of that pipe is held by the parent, and by nobody
else, so it closes however the parent dies. Knows nothing of Daybook, so that it starts as fast as llama.cpp does.
"""

import ctypes
import json
import os
import signal
import sys
from typing import Any

PR_SET_PDEATHSIG = 1


def main() -> None:
    asked = json.loads(sys.stdin.readline())
    _die_with(asked["parent"])
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent, which then closes the pipe
    out = os.dup(1)
    os.dup2(2, 1)  # whatever llama.cpp prints is for the log
    server = _serve(asked)
    os.write(out, (json.dumps({"url": server.listening_address}) + "\n").encode())
    os.close(out)
    sys.stdin.read()
    os._exit(0)  # the server has no stop


def _die_with(parent: int) -> None:
    """Second line of defence, Linux only: the kernel kills this process when the parent's thread that made it ends."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(0)


def _serve(asked: dict[str, Any]) -> Any:
    import xllamacpp

    params = xllamacpp.CommonParams()
    params.model.path = asked["weights"]
    params.model_alias = {asked["model"]}
    if asked.get("adapter"):
        params.lora_adapters = [xllamacpp.CommonAdapterLoraInfo(asked["adapter"], 1.0)]
    params.api_keys = [asked["key"]]
    params.hostnames = ["127.0.0.1"]
    params.port = 0
    params.n_parallel = asked["slots"]
    # Every slot has a whole context of its own. One shared by all fails every call at once when it is full.
    params.n_ctx = asked["context"] * asked["slots"]
    params.kv_unified = False
    params.cache_type_k = params.cache_type_v = xllamacpp.ggml_type.GGML_TYPE_Q8_0  # half the memory
    params.cpuparams.n_threads = asked["threads"]
    params.cache_ram_mib = 0
    params.sampling.temp, params.sampling.top_p = 0.2, 0.9  # what its model card says to ask with
    params.ui = False
    params.endpoint_slots = False  # it shows prompts
    params.verbosity = 0
    return xllamacpp.Server(params)


if __name__ == "__main__":
    main()
