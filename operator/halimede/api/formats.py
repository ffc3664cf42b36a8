"""Formats of model files that Python's pickle loads, which executes code in the files."""

PICKLE = "pickle"
"""The word in `allowedFormats` that stands for all of `PICKLE_FORMATS`."""
PICKLE_FORMATS = ("pkl", "pickle", "joblib", "dill", "pth", "ckpt")
"""Suffixes of the names of these files.

`pt` and `bin` are not among them: Triton's PyTorch backend loads TorchScript from `.pt`, and
OpenVINO has its weights in `.bin`.
"""
