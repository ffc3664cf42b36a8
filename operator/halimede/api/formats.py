"""Formats of model files that execute code when they are loaded."""

PICKLE = "pickle"
"""The word in `allowedFormats` that stands for all of `PICKLE_FORMATS`."""
PICKLE_FORMATS = ("pkl", "pickle", "joblib", "dill", "pth", "ckpt")
"""Suffixes of files that Python's pickle loads.

`pt` and `bin` are not among them: Triton's PyTorch backend loads TorchScript from `.pt`, and
OpenVINO has its weights in `.bin`.
"""
