# SPDX-License-Identifier: GPL-3.0-or-later
"""Which photos show people with glasses, as far as they could be seen, and which are kept for testing."""

from pathlib import Path

SETS = ("synthetic_portraits", "official_portraits", "london/neutral", "london/smiling", "canada", "wild")
_WEARING = {
    "synthetic_portraits": ("female-69",),
    "official_portraits": ("09", "11", "17", "18", "38", "49"),
    "wild": (
        "0004", "0005", "0007", "0011", "0016", "0019", "0021", "0025", "0030", "0031", "0043", "0044", "0050", "0054",
        "0057", "0068", "0069", "0076", "0077", "0105", "0114", "0119", "0128", "0129", "0131", "0134", "0143", "0152",
        "0160", "0164", "0175", "0186", "0196", "0210", "0212", "0218", "0220", "0240", "0244", "0259", "0275", "0276",
        "0281", "0293", "0307", "0318", "0337", "0342", "0352", "0356", "0358", "0365", "0377", "0382", "0387", "0394",
        "0402", "0416", "0418", "0419", "0439", "0451", "0455", "0458", "0468",
    ),
}  # fmt: skip
_UNSURE = {
    "wild": (
        "0009", "0027", "0032", "0037", "0049", "0053", "0085", "0116", "0117", "0168", "0263", "0316", "0372", "0379",
    ),
}  # fmt: skip
# The people of the detail benchmark, and every third photo of the others.
_TESTED = {
    "synthetic_portraits": (
        "female-23", "female-24", "female-61", "female-69", "male-47", "male-67", "male-73", "male-92",
    ),
    "official_portraits": ("08", "17", "18", "36", "37", "47", "49", "53"),
}  # fmt: skip


def photos(data: Path, name: str) -> list[Path]:
    """Those of one of SETS in the folder of test data that can be told, in order."""
    return [path for path in sorted((data / name).glob("*.jpg")) if path.stem not in _UNSURE.get(name, ())]


def wears(name: str, photo: Path) -> bool:
    """Whether the person of a photo of that set wears glasses."""
    return photo.stem in _WEARING.get(name, ())


def held_out(name: str, photo: Path) -> bool:
    """Whether nothing is learned from it."""
    named = _TESTED.get(name)
    if named and photo.stem in named:
        return True
    digits = "".join(letter for letter in photo.stem if letter.isdigit())
    return not wears(name, photo) and int(digits) % 3 == 0 or name == "wild" and int(digits) % 3 == 0
