"""Halimede serves models on NVIDIA Triton and rolls them out on evidence."""

__version__ = "0.1.0"
