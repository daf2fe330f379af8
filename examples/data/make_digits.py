#!/usr/bin/env python3
"""Writes digits_images.npy and digits_labels.npy beside this script, from the digits that scikit-learn ships.

Images: (1797, 8, 8), 0 to 16, dark to bright. Labels: (1797,), 0 to 9. Both uint8. What they are and whose: README.md.
"""

from pathlib import Path

import numpy as np
from sklearn.datasets import load_digits

here = Path(__file__).parent
digits = load_digits()
np.save(here / "digits_images.npy", digits.images.astype(np.uint8))
np.save(here / "digits_labels.npy", digits.target.astype(np.uint8))
