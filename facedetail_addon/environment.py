# SPDX-License-Identifier: GPL-3.0-or-later
"""What a process that reconstructs tells its libraries before it loads them."""

ENVIRONMENT = {
    # With more, OpenBLAS needs memory for each at once, and tries for ever where there is too little. Over small
    # matrices threads only wait for each other.
    "OPENBLAS_NUM_THREADS": "1",
    # Prepared layers that oneDNN keeps. As photos differ in size there are ever more of them, up to 1024 by default,
    # and with each photo a worker grew by 7 MB.
    "ONEDNN_PRIMITIVE_CACHE_CAPACITY": "256",
}
"""Variables by name; the user's own have precedence."""
