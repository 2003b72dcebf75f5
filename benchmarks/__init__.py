"""The benchmarks: the project and its peers side by side. ``python -m benchmarks --help``."""
