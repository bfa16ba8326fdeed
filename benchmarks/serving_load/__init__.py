"""Parts of benchmarks/serving.py: servers, their clients, and the bare model."""
