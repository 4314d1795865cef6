# SPDX-License-Identifier: GPL-3.0-or-later
"""LICENSES/README.md lists everything bundled, and the texts that it names are there."""

import json
import re
import zipfile
from email import message_from_bytes
from pathlib import Path

import pytest

from scripts.fetch_wheels import WHEELS, is_right, read_lock

ROOT = Path(__file__).resolve().parent.parent.parent
LIST = ROOT / "LICENSES" / "README.md"
SHIPPED = ("LICENSE", "LICENSES")  # scripts.build_extension takes these into every zip
CARDS = ROOT / "docs" / "model_cards"
# Words by which a text is known; a licence that is not here has to be read first.
WORDS = {
    "Apache-2.0": "Apache License",
    "Apache-2.0 WITH LLVM-exception": "LLVM Exceptions",
    "BSD-2-Clause": "Redistribution and use in source and binary forms",
    "BSD-3-Clause": "Redistribution and use in source and binary forms",
    "BSL-1.0": "Boost Software License",
    "LGPL-3.0-or-later": "GNU Lesser General Public License",
    "MIT": "Permission is hereby granted, free of charge",
    "MIT-CMU": "Permission to use, copy, modify and distribute this software",
    "MPL-2.0": "Mozilla Public Licen",
    "PSF-2.0": "PYTHON SOFTWARE FOUNDATION LICENSE",
}


def table(heading: str) -> list[list[str]]:
    """The cells of the first table under a heading, without its head."""
    section = LIST.read_text(encoding="utf-8").partition(f"## {heading}\n")[2]
    lines = re.search(r"(?:^\|.*\n)+", section, re.MULTILINE)[0].splitlines()[2:]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def test_every_package_is_listed():
    listed = [(name, version) for name, version, _, _ in table("Python packages")]
    assert listed == sorted({(wheel.name, wheel.version.partition("+")[0]) for wheel in read_lock()})


@pytest.mark.parametrize("row", table("Python packages"), ids=lambda row: " ".join(row[:2]))
def test_wheels_carry_the_texts(row):
    name, version, licence, files = row
    wheels = [one for one in read_lock() if (one.name, one.version.partition("+")[0]) == (name, version)]
    here = [one for one in wheels if is_right(one)]
    if not here:
        pytest.skip(f"no wheel of it in {WHEELS}: python -m scripts.fetch_wheels fetches them")
    for wheel in here:
        texts, said = legal_texts(WHEELS / wheel.file)
        assert set(files.split(", ")) <= set(texts), wheel.file
        assert said in (None, licence), wheel.file
        # What a wheel only names, a text beside the list must say.
        beside = [path.read_text(encoding="utf-8") for path in LIST.parent.glob("*.txt")]
        together = re.sub(r"\s+", " ", "".join([*texts.values(), *beside])).replace("`", "").lower()
        for term in re.split(r" (?:AND|OR) ", licence):
            assert WORDS[term].lower() in together, f"{wheel.file} has no text of {term}"


def legal_texts(path: Path) -> tuple[dict[str, str], str | None]:
    """The texts in a wheel's .dist-info folder by name, and the SPDX expression where its metadata have one."""
    with zipfile.ZipFile(path) as archive:
        names = [name for name in archive.namelist() if re.match(r"[^/]+\.dist-info/.*[^/]$", name)]
        metadata = next(name for name in names if name.endswith(".dist-info/METADATA"))
        said = message_from_bytes(archive.read(metadata))["License-Expression"]
        legal = [name for name in names if re.search(r"licen[cs]e|copying", name, re.IGNORECASE)]
        return {name.partition("/")[2]: archive.read(name).decode("utf-8", "replace") for name in legal}, said


def test_every_weights_file_is_listed_with_its_card():
    weights = ROOT / "facedetail_addon" / "core" / "weights"
    listed = {name: (licence, card) for name, licence, card, _ in table("Weights and data")}
    files = {path.name for path in weights.iterdir()} - {"index.json"}
    assert set(listed) == files == set(json.loads((weights / "index.json").read_text(encoding="utf-8")))
    for name, (licence, card) in listed.items():
        text = (CARDS / card).read_text(encoding="utf-8")
        assert name in text, f"{card} does not speak of {name}"
        assert re.search(rf"licence\b[^#]*{re.escape(licence.partition(',')[0])}", text, re.IGNORECASE), card
    assert {card for _, card in listed.values()} == {path.name for path in CARDS.glob("*.md")}


def test_texts_of_the_list_ship_with_the_zip():
    linked = set(re.findall(r"\]\(([^)]+)\)", LIST.read_text(encoding="utf-8")))
    files = {(LIST.parent / name).resolve().relative_to(ROOT) for name in linked}
    assert all((ROOT / file).is_file() and file.parts[0] in SHIPPED for file in files)
    shipped = {path.relative_to(ROOT) for path in LIST.parent.glob("*.txt")}
    assert shipped == files - {Path("LICENSE")}, "every text says what it is for"
