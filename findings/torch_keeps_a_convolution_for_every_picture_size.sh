#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# torch 2.13.0 on CPUs (Python 3.11, Linux): a convolution that sees pictures of ever other sizes makes the process grow.
# A good guess is that inference of a fixed network holds a fixed amount of memory once it is warm. But oneDNN keeps what
# it has prepared for each shape of input, up to 1024 of them, half a megabyte each for 24 channels: 400 heights of a
# picture take some 200 MB for one shape of layer, and nothing gives them back. The same sizes again take nothing more.
# ONEDNN_PRIMITIVE_CACHE_CAPACITY, set before torch is loaded, bounds it. Output, MB: 400 pictures of one size, 400
# sizes, the same 400 again: about 4, 207, 0; with a capacity of 16: 0, 59, 0.
set -eu
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
python3.11 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check "torch==2.13.0" "numpy==1.26.4"
cat > "$work/sizes.py" <<'PYTHON'
import json

import torch

torch.set_num_threads(1)
layers = [torch.nn.Conv2d(24, 24, 3, padding=1) for _ in range(8)]
network = torch.nn.Sequential(*layers).eval().to(memory_format=torch.channels_last)


def megabytes() -> float:
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmRSS")) / 1024


def growth(heights) -> float:
    """By pictures of some heights, MB."""
    before = megabytes()
    with torch.inference_mode():
        for height in heights:
            network(torch.zeros(1, 24, height, 64).contiguous(memory_format=torch.channels_last))
    return megabytes() - before


growth([200] * 30)
print(json.dumps([growth([200] * 400), growth(range(64, 464)), growth(range(64, 464))]))
PYTHON
free="$("$work/venv/bin/python" "$work/sizes.py")"
bounded="$(ONEDNN_PRIMITIVE_CACHE_CAPACITY=16 "$work/venv/bin/python" "$work/sizes.py")"
echo "as it comes: $free MB; with a capacity of 16: $bounded MB"
"$work/venv/bin/python" - "$free" "$bounded" <<'PYTHON'
import json
import sys

(same, other, again), (_, bounded, _) = map(json.loads, sys.argv[1:])
assert same < 30 and other > 100 and again < 30, (same, other, again)
assert bounded < other / 2, (bounded, other)
PYTHON
echo "as described"
