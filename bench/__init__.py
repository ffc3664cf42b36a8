"""Benchmarks, each with a reference that is measured in the same minute."""
