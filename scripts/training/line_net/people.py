# SPDX-License-Identifier: GPL-3.0-or-later
"""Whose photos teach, chosen by looking at contact sheets of all portraits.

LINED: people on whose forehead, eyes or cheeks wrinkles are plainly seen; a dark ridge there is mostly a wrinkle.
YOUNG: smooth faces, most of them without a smile, of every skin tone; a dark ridge away from folds and eyes' corners is
shine, stubble, hair, make-up or an error of the light. People between the two teach nothing for sure and are left out.
What is held out, of both, is only measured: the lined ones of the detail benchmark's short list, and young ones.
"""

from pathlib import Path

SYNTHETIC, OFFICIAL, LONDON = "synthetic_portraits", "official_portraits", "london/neutral"
LINED = {
    SYNTHETIC: (
        "female-12 female-16 female-33 female-34 female-41 female-52 female-63 female-79 female-81 female-93 female-96 "
        "female-14 male-1 male-3 male-6 male-17 male-22 male-23 male-38 male-44 male-56 male-57 male-59 male-69 male-89"
    ),
    OFFICIAL: "14 16 21 22 34 39 46 52",
}
YOUNG = {
    SYNTHETIC: (
        "female-28 female-31 female-44 female-47 female-8 female-57 female-94 female-97 female-87 female-68 "
        "male-18 male-27 male-37 male-4 male-49 male-66 male-76 male-91"
    ),
    LONDON: "002 009 025 043 082 096",
    OFFICIAL: "04 32",
}
HELD_OUT_LINED = {
    SYNTHETIC: "female-23 female-24 female-61 female-69 male-47 male-67 male-73 male-92",
    OFFICIAL: "08 17 18 36 37 47 49 53",
}
HELD_OUT_YOUNG = {
    SYNTHETIC: "female-1 female-3 female-13 female-91 male-7 male-21 male-32",
    LONDON: "001 042 087 122",
}


def photos(data: Path, people: dict[str, str]) -> list[Path]:
    """Files of some people; ``data``: the folder of test data."""
    return [data / folder / f"{name}.jpg" for folder, names in people.items() for name in names.split()]
