"""A llama.cpp server for tests: `python served_model.py GGUF KEY`; writes its address, ends with its standard input."""

from __future__ import annotations

import sys


def main(gguf: str, key: str) -> None:
    import xllamacpp

    params = xllamacpp.CommonParams()
    params.model.path = gguf
    params.port = 0  # a free one
    params.hostnames = ["127.0.0.1"]
    params.api_keys = [key]
    params.n_ctx, params.n_parallel, params.verbosity = 1024, 1, -1
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = 2
    server = xllamacpp.Server(params)
    print(server.listening_address, flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main(*sys.argv[1:])
