"""Parts of benchmarks/serving.py: the servers, their clients, and the bare model."""
