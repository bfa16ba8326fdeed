"""Resident memory of the servers under load."""

import itertools
import statistics
import time

CLIENTS = 16
_SLICE_SECONDS = 5.0


def watch(bench, minutes):
    """Loads the servers in turns, by every API and signature, and prints a line each turn.

    Args:
      bench: `Bench` of benchmarks/serving.py.
      minutes: duration.
    Returns:
      dict: "batching off" and "batching on" -> `series` of [seconds, MiB] after each slice of load,
      their medians over the second and the last quarter, the peak, and the number of requests.
    """
    print(f"\nresident memory under {CLIENTS} clients, batching off and on in turns")
    begun, seconds = time.monotonic(), min(_SLICE_SECONDS, minutes * 60 / 8)
    series = {batching: [(0.0, s.resident_mib())] for batching, s in bench.servers.items()}
    requests = dict.fromkeys(bench.servers, 0)
    turns = [(*key, batching) for key in bench.requests for batching in bench.servers]
    for signature, api, batching in itertools.cycle(turns):
        measured = bench.ask(signature, api, batching, CLIENTS, seconds)
        elapsed = time.monotonic() - begun
        requests[batching] += measured["calls"]
        series[batching].append((elapsed, bench.servers[batching].resident_mib()))
        if (signature, api, batching) == turns[-1]:
            latest = " and ".join(f"{values[-1][1]:.0f}" for values in series.values())
            print(f"{elapsed / 60:6.1f} min: {latest} MiB", flush=True)
            # Whole turns only, so that the quarters hold the same kinds of load.
            if elapsed >= minutes * 60:
                break
    return {
        f"batching {'on' if batching else 'off'}": _summary(
            series[batching], server.resident_mib(peak=True), requests[batching], batching
        )
        for batching, server in bench.servers.items()
    }


def _summary(series, peak, requests, batching):
    mib = [value for _, value in series[1:]]
    quarter = max(1, len(mib) // 4)
    second = statistics.median(mib[quarter : 2 * quarter] or mib)
    last = statistics.median(mib[-quarter:])
    print(
        f"batching {'on' if batching else 'off'}: {requests} requests; {series[0][1]:.0f} MiB at "
        f"first, {second:.0f} in the second quarter, {last:.0f} in the last, at most {peak:.0f}"
    )
    return {
        "series": series,
        "second_quarter_mib": second,
        "last_quarter_mib": last,
        "peak_mib": peak,
        "requests": requests,
    }
