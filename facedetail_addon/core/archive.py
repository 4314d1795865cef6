# SPDX-License-Identifier: GPL-3.0-or-later
"""Plain arrays in npz files, read without trusting them."""

import zipfile
import zlib
from pathlib import Path

import numpy as np


def read_arrays(path: Path) -> dict[str, np.ndarray]:
    """Every array of an npz file; pickled objects are refused.

    Raises:
        ValueError: the file is missing, is no npz, is cut short or damaged, or holds pickles; the message says which.
    """
    try:
        with np.load(path, allow_pickle=False) as data:
            return {key: data[key] for key in data.files}
    except FileNotFoundError as error:
        raise ValueError("there is no such file") from error
    except (OSError, EOFError, AttributeError, TypeError, KeyError, zipfile.BadZipFile, zlib.error) as error:
        raise ValueError(f"it is no npz file, or a damaged one ({error})") from error
