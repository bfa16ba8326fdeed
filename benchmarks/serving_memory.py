"""Memory of the embedded server for the largest photograph that it accepts, by signature.

    python benchmarks/serving_memory.py

Exports the pair of the package, serves it in another process, and sends a JPEG of --megapixels to
each signature that takes files: once, and by --clients clients at the same time. Reads resident
memory from Linux: before, at its peak, and after the answers. Prints a table and writes it as JSON
and CSV. Needs the extra: pip install -e ".[serving]".
"""

import concurrent.futures
import functools
import io
import math
import pathlib
import tempfile
import time

import numpy as np
from absl import app, flags
from absl import logging as absl_logging
from common import record
from PIL import Image
from serving_load import bare, clients, processes

from tfdepthviz.data import samples
from tfdepthviz.export import export_savedmodel
from tfdepthviz.models import build_depth_net, build_mask_net
from tfdepthviz.utils.tables import write_csv

SIGNATURES = flags.DEFINE_list(
    "signatures", "mask_bytes,image_bytes,overlay", "Signatures whose only input is files."
)
MEGAPIXELS = flags.DEFINE_float("megapixels", 50.0, "Of the photograph.", lower_bound=0.1)
CLIENTS = flags.DEFINE_integer("clients", 4, "Clients at the same time.", lower_bound=1)
OUTPUT = flags.DEFINE_string(
    "output", "runs/benchmarks/serving_memory.json", "Where to write the JSON."
)


def photograph(megapixels):
    """A JPEG of 4:3 whose pixels are noise over a photograph: the most bytes that a file has."""
    height = math.floor(math.sqrt(megapixels * 1e6 * 3 / 4))
    size = (math.floor(megapixels * 1e6 / height), height)
    with Image.open(samples.files("validation").images[0]) as image:
        pixels = np.asarray(image.convert("RGB").resize(size), np.int16)
    noise = np.random.default_rng(0).integers(-20, 21, pixels.shape, np.int16)
    file = io.BytesIO()
    Image.fromarray((pixels + noise).clip(0, 255).astype(np.uint8)).save(file, "JPEG", quality=90)
    return file.getvalue()


def measure(server, requests):
    """Memory in MiB and seconds of requests that are sent at the same time."""
    before = server.resident_mib()
    # Linux forgets the peak so far.
    pathlib.Path(f"/proc/{server.pid}/clear_refs").write_text("5")
    begun = time.perf_counter()
    with concurrent.futures.ThreadPoolExecutor(len(requests)) as pool:
        answers = list(pool.map(lambda ask: ask(), requests))
    seconds = time.perf_counter() - begun
    return {
        "requests": len(requests),
        "before_mib": before,
        "peak_mib": server.resident_mib(peak=True),
        "after_mib": server.resident_mib(),
        "answer_bytes": len(answers[0]),
        "seconds": seconds,
    }


def main(_):
    absl_logging.set_verbosity(absl_logging.WARNING)
    contents = photograph(MEGAPIXELS.value)
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        nets = build_depth_net("compact", weights="default"), build_mask_net(weights="default")
        version = export_savedmodel(*nets, folder / "pair", card={"name": "compact"})
        rows = []
        with processes.started(version, folder) as (server, _):
            asks = [clients.rpc(server.addresses["gRPC"], "pair") for _ in range(CLIENTS.value)]
            small = pathlib.Path(samples.files("validation").images[0]).read_bytes()
            for signature in SIGNATURES.value:
                warm, large = (
                    bare.requests_of("gRPC", "pair", signature, "image_bytes", file)
                    for file in (small, contents)
                )
                asks[0][0](warm)
                for count in sorted({1, CLIENTS.value}):
                    calls = [functools.partial(ask, large) for ask, _ in asks[:count]]
                    rows.append({"signature": signature, **measure(server, calls)})
                    shown = rows[-1].values()
                    print(*(f"{v:.0f}" if isinstance(v, float) else v for v in shown), flush=True)
            for _, close in asks:
                close()
    path = pathlib.Path(OUTPUT.value)
    record.write(path, {"file_bytes": len(contents), "results": rows}, ("tensorflow", "grpcio"))
    write_csv(path.with_suffix(".csv"), list(rows[0]), rows)


if __name__ == "__main__":
    app.run(main)
