"""Benchmark of the embedded server against the bare model: throughput, latency and memory.

    python benchmarks/serving.py                        the package's pair, about ten minutes
    python benchmarks/serving.py --quick                a quick check, less than a minute
    python benchmarks/serving.py --savedmodel=savedmodels/my_masks/1 --signatures=image_bytes
    python benchmarks/serving.py --clients=16 --memory_minutes=10

A server runs on loopback. Clients in another process request masks of the embedded photographs, one
photograph a request; each client sends the next request as soon as it has its answer. The bare
model is the same signature, called in this process by as many threads as the server runs at a time
with so many clients. Bare model and server take turns, --rounds times, which keeps their ratio
steady on a noisy machine. If clients and server share the cores, the ratio of images/s includes the
clients' work; CPU time tells them apart.

Prints a table and writes it, with machine and versions, to --output as JSON. Needs Linux and the
extra: pip install -e ".[serving]".
"""

import os
import pathlib
import re
import signal
import statistics
import sys
import tempfile
import time

from absl import app, flags
from absl import logging as absl_logging
from common import record
from serving_load import bare, figures, memory, processes

from tfdepthviz.data import samples
from tfdepthviz.export import export_savedmodel
from tfdepthviz.models import build_depth_net, build_mask_net
from tfdepthviz.utils.errors import InputError

SAVEDMODEL = flags.DEFINE_string(
    "savedmodel", None, "Folder of a version; else the package's pair is exported."
)
MASK_WEIGHTS = flags.DEFINE_string("mask_weights", "default", "Weights of the pair's G.")
HEIGHT = flags.DEFINE_integer("height", 228, "Rows that the pair works on.", lower_bound=32)
WIDTH = flags.DEFINE_integer("width", 304, "Columns that the pair works on.", lower_bound=32)
SIGNATURES = flags.DEFINE_list("signatures", "mask_bytes", "Signatures that take image files.")
CLIENTS = flags.DEFINE_list("clients", "1,4,16,64", "Numbers of clients at the same time.")
SECONDS = flags.DEFINE_float("seconds", 3.0, "Of each measurement, plus a lap.", lower_bound=0.01)
ROUNDS = flags.DEFINE_integer("rounds", 3, "Measurements of each kind.", lower_bound=1)
MEMORY_MINUTES = flags.DEFINE_float(
    "memory_minutes",
    0.0,
    "Then load the server for so long; record memory.",
    lower_bound=0,
)
QUICK = flags.DEFINE_bool("quick", False, "1 and 4 clients, 0.3 seconds, one round.")
OUTPUT = flags.DEFINE_string("output", "runs/benchmarks/serving.json", "Where to write the JSON.")

APIS = ("REST", "gRPC")
PHOTOGRAPHS = 8


class Bench:
    """The measured server, its clients, the bare model and the requests.

    Attributes:
      server: `processes.Server`.
      requests: {(signature, API): files, one for each photograph}.
    """

    def __init__(self, savedmodel, server, clients, folder):
        self.server, self._clients, self._folder = server, clients, folder
        self._name = pathlib.Path(savedmodel).resolve().parent.name
        files = samples.files("validation").images
        chosen = files[:: len(files) // PHOTOGRAPHS][:PHOTOGRAPHS]
        self._photographs = [pathlib.Path(path).read_bytes() for path in chosen]
        self._bare = bare.Bare(savedmodel, self._photographs)
        self.requests = {}
        for signature in SIGNATURES.value:
            for api in APIS:
                self.requests[signature, api] = self._write_requests(signature, api)

    def _write_requests(self, signature, api):
        alias, paths = self._bare.input_of(signature), []
        for number, photograph in enumerate(self._photographs):
            request = bare.requests_of(api, self._name, signature, alias, photograph)
            paths.append(self._folder / f"{signature}_{api}_{number}")
            paths[-1].write_bytes(request)
        return [str(path) for path in paths]

    def ask(self, signature, api, clients, seconds, check=False):
        """One measurement by the clients; `check` compares an answer with the model's."""
        server, answer = self.server, self._folder / "answer"
        measured = self._clients.run(
            api=api,
            address=server.addresses[api],
            model=self._name,
            requests=self.requests[signature, api],
            clients=clients,
            seconds=seconds,
            server=server.pid,
            answer=str(answer),
        )
        if check:
            self._bare.check(signature, api, answer.read_bytes())
        return measured

    def group(self, signature, clients):
        """Rows of the table, one for each API; bare model and both APIs take turns."""
        threads = min(clients, os.cpu_count() or 1)
        parts = {api: [] for api in APIS}
        for _ in range(ROUNDS.value):
            for api in APIS:
                alone = self._bare.measure(signature, threads, SECONDS.value)
                served = self.ask(signature, api, clients, SECONDS.value)
                parts[api].append((alone, served))
        same = {"signature": signature, "clients": clients, "bare_threads": threads}
        same["resident_mib"] = self.server.resident_mib()
        return [same | {"api": api} | figures.row(parts[api]) for api in APIS]

    def decoding(self, signature):
        """API -> sizes of a request and its answer, and the time to decode the answer to arrays."""
        by_api = {}
        for api in APIS:
            answer_bytes = self.ask(signature, api, 1, 0.0)["answer_bytes"]
            answer, seconds = (self._folder / "answer").read_bytes(), []
            for _ in range(5):
                begun = time.perf_counter()
                bare.DECODERS[api](answer)
                seconds.append(time.perf_counter() - begun)
            size = os.path.getsize(self.requests[signature, api][0])
            sizes = {"request_bytes": size, "answer_bytes": answer_bytes}
            by_api[api] = sizes | {"decode_seconds": statistics.median(seconds)}
        return by_api


def measure(bench, clients):
    """Measures everything, prints the results as they come, and returns the record for the JSON."""
    measured = {"rows": [], "decoding": {}, "memory": None}
    for signature in SIGNATURES.value:
        # Once without measuring: the first run of each path takes longer.
        for api in APIS:
            bench.ask(signature, api, max(clients), 0.0, check=True)
        measured["decoding"][signature] = bench.decoding(signature)
        print(f"\n{signature}")
        for api, d in measured["decoding"][signature].items():
            print(
                f"{api:>5s}: a request of {d['request_bytes'] / 1e3:.0f} KB, an answer of "
                f"{d['answer_bytes'] / 1e3:.0f} KB that takes "
                f"{1000 * d['decode_seconds']:.1f} ms to decode"
            )
        print(figures.HEADER)
        for count in clients:
            rows = bench.group(signature, count)
            measured["rows"] += rows
            print(*map(figures.line, rows), sep="\n", flush=True)
    if MEMORY_MINUTES.value:
        measured["memory"] = memory.watch(bench, MEMORY_MINUTES.value)
    return measured


def checked_clients():
    wrong = [text for text in CLIENTS.value if not re.fullmatch(r"[1-9]\d{0,2}", text)]
    if wrong or not CLIENTS.value:
        raise InputError(
            f"--clients: expected numbers from 1 to 999, such as 1,4. Received: {wrong}"
        )
    return sorted({int(text) for text in CLIENTS.value})


def exported(folder):
    """Folder of a version of the package's pair."""
    shape = (HEIGHT.value, WIDTH.value, 3)
    print(f"exporting the package's pair at {shape[0]}x{shape[1]}", flush=True)
    depth_net = build_depth_net("compact", shape, weights="default")
    nets = depth_net, build_mask_net(None, shape, MASK_WEIGHTS.value)
    return export_savedmodel(*nets, folder / "compact", card={"name": "compact"})


def run():
    if QUICK.value:
        flags.FLAGS.clients, flags.FLAGS.seconds, flags.FLAGS.rounds = ["1", "4"], 0.3, 1
    clients = checked_clients()
    if not os.path.isdir("/proc/self"):
        raise InputError("this benchmark needs Linux: CPU time and memory are read from /proc")
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        savedmodel = pathlib.Path(SAVEDMODEL.value or exported(folder))
        if not (savedmodel / "saved_model.pb").is_file() or not savedmodel.resolve().name.isdigit():
            raise InputError(f"--savedmodel={savedmodel}: expected a version's folder, MODEL/1")
        print("starting the server", flush=True)
        with processes.started(savedmodel, folder) as (server, asking):
            measured = measure(Bench(savedmodel, server, asking, folder), clients)
    packages = ("tensorflow", "keras", "numpy", "grpcio", "aiohttp", "orjson")
    record.write(OUTPUT.value, measured, packages)


def main(_):
    # absl would show the INFO messages of libraries during the export.
    absl_logging.set_verbosity(absl_logging.WARNING)
    # Exits normally at SIGTERM, which ends the servers too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    try:
        run()
    except InputError as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    app.run(main)
