"""Resident memory of the server under load."""

import itertools
import statistics
import time

CLIENTS = 16
_SLICE_SECONDS = 5.0


def watch(bench, minutes):
    """Loads the server, by every API and signature in turns, and prints a line each turn.

    Args:
      bench: `Bench` of benchmarks/serving.py.
      minutes: duration.
    Returns:
      dict: `series` of [seconds, MiB] after each slice of load, the medians over the second and the
      last quarter, the peak, and the number of requests.
    """
    print(f"\nresident memory under {CLIENTS} clients")
    begun, seconds = time.monotonic(), min(_SLICE_SECONDS, minutes * 60 / 8)
    series, requests, turns = [(0.0, bench.server.resident_mib())], 0, list(bench.requests)
    for signature, api in itertools.cycle(turns):
        requests += bench.ask(signature, api, CLIENTS, seconds)["calls"]
        elapsed = time.monotonic() - begun
        series.append((elapsed, bench.server.resident_mib()))
        if (signature, api) == turns[-1]:
            print(f"{elapsed / 60:6.1f} min: {series[-1][1]:.0f} MiB", flush=True)
            # Whole turns only, so that the quarters hold the same kinds of load.
            if elapsed >= minutes * 60:
                break
    mib = [value for _, value in series[1:]]
    quarter = max(1, len(mib) // 4)
    second = statistics.median(mib[quarter : 2 * quarter] or mib)
    last, peak = statistics.median(mib[-quarter:]), bench.server.resident_mib(peak=True)
    print(
        f"{requests} requests; {series[0][1]:.0f} MiB at first, {second:.0f} in the second "
        f"quarter, {last:.0f} in the last, at most {peak:.0f}"
    )
    return {
        "series": series,
        "second_quarter_mib": second,
        "last_quarter_mib": last,
        "peak_mib": peak,
        "requests": requests,
    }
