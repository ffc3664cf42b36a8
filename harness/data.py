"""The demo's input: the handwritten digits that scikit-learn ships."""

from functools import cache

import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from harness.images import Images


@cache
def digits() -> tuple[Images, Images]:
    """Return the data set in two halves, always the same: one to train on, one to send."""
    data = load_digits()
    learn, ask, learn_digits, ask_digits = train_test_split(
        data.data.astype(np.float32),
        data.target,
        test_size=0.5,
        random_state=0,
        stratify=data.target,
    )
    return Images(learn, learn_digits), Images(ask, ask_digits)
