"""Figures of the measurements, and the lines of the table."""

import statistics

import numpy as np

PERCENTILES = (50, 95, 99)


def row(parts):
    """Figures of one line.

    Args:
      parts: list of (measurement of the bare model, measurement of the server), one for each round.
    Returns:
      dict.
    """
    alone, served = ([part[i] for part in parts] for i in (0, 1))
    images = sum(len(part["latencies"]) for part in served)
    bare_images = sum(len(part["latencies"]) for part in alone)
    latencies = np.concatenate([part["latencies"] for part in served])
    server_cpu, client_cpu = np.sum([part["cpu_seconds"] for part in served], axis=0) / images
    (bare_cpu,) = np.sum([part["cpu_seconds"] for part in alone], axis=0) / bare_images
    seconds, bare_seconds = (sum(part["seconds"] for part in side) for side in (served, alone))
    ratios = [rate(s) / rate(a) for a, s in parts]
    return {
        "images": images,
        "seconds": seconds,
        "images_per_second": images / seconds,
        "bare_images": bare_images,
        "bare_seconds": bare_seconds,
        "bare_images_per_second": bare_images / bare_seconds,
        "ratio": statistics.median(ratios),
        "ratios": ratios,
        "latency_seconds": {str(p): float(np.percentile(latencies, p)) for p in PERCENTILES},
        # All requests, including the first lap: the server's count includes it.
        "requests": sum(part["calls"] for part in served),
        "cpu_seconds_an_image": {
            "server": float(server_cpu),
            "bare": float(bare_cpu),
            "clients": float(client_cpu),
        },
    }


def rate(part):
    return len(part["latencies"]) / part["seconds"]


HEADER = (
    f"{'clients':>7s} {'API':>5s}{'images/s':>10s}{'bare':>8s}{'ratio':>7s}"
    f"{'p50 ms':>9s}{'p95':>8s}{'p99':>8s}"
    f"{'CPU ms/image':>15s}{'bare':>8s}{'clients':>9s}{'MiB':>7s}"
)


def line(r):
    latencies = [1000 * r["latency_seconds"][str(p)] for p in PERCENTILES]
    cpu = {name: 1000 * value for name, value in r["cpu_seconds_an_image"].items()}
    return (
        f"{r['clients']:7d} {r['api']:>5s}"
        f"{r['images_per_second']:10.1f}{r['bare_images_per_second']:8.1f}{r['ratio']:7.2f}"
        f"{latencies[0]:9.0f}{latencies[1]:8.0f}{latencies[2]:8.0f}"
        f"{cpu['server']:15.1f}{cpu['bare']:8.1f}{cpu['clients']:9.1f}{r['resident_mib']:7.0f}"
    )
