# SPDX-License-Identifier: GPL-3.0-or-later
"""Measure Emotion-Net: FER2013's test split, and neutral and smiling portraits of people by age, gender and ethnicity.

    FACEDETAIL_DATA=… python -m scripts.benchmark.emotion [--quick] [--cache FOLDER]

Some pictures of FER2013's test split are in its training split too; the accuracy without them is given beside the
usual one. The set says nothing about who is shown, so the groups come from the London set: how often its neutral
portraits are read as neutral and its smiling ones as happy (many smile only a little), and whether the smiling one of a
person's two is the happier. Groups of a few people say little; the interval (Wilson,
95 %) tells how little. The crops of the test split are those of ``scripts.training.emotion_net``, from its
cache where they are there already. ``--quick`` takes every fourth face. The last line is JSON.
"""

import argparse
import csv
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path

import numpy as np

from facedetail_addon.core.observe.expression.emotion_net import INPUT, EmotionNet, load_emotion_net, read_emotions
from facedetail_addon.core.observe.expression.face_crop import crop_face
from facedetail_addon.core.observe.expression.types import EMOTIONS
from facedetail_addon.core.observe.landmarks.landmarker import MeshLandmarker
from facedetail_addon.core.observe.photo import read_photo
from scripts.harness import CACHE, benchmark, benchmark_arguments, data_folder, measured, processes, table
from scripts.training.emotion_net.learning import confusion_table, predicted
from scripts.training.emotion_net.pictures import Split, list_pictures, load_split

EXPECTED = {"neutral": "neutral", "smiling": "happy"}
QUICK_STEP = 4
AGES = (("under 25", 0, 25), ("25 to 34", 25, 35), ("35 and over", 35, 200))
# Smaller groups are left out: they say nothing, and point at persons.
SMALLEST_GROUP = 5
INTERVAL = 1.96


@dataclass(frozen=True)
class Person:
    """A person of the London set: groups, and probabilities (7,) by folder."""

    groups: tuple[str, ...]
    emotions: dict[str, np.ndarray]

    def facts(self) -> tuple[bool, bool, bool]:
        """Neutral read as neutral, smiling read as happy, smiling happier than neutral."""
        read = [EMOTIONS[int(self.emotions[folder].argmax())] == name for folder, name in EXPECTED.items()]
        happy = EMOTIONS.index("happy")
        return *read, bool(self.emotions["smiling"][happy] > self.emotions["neutral"][happy])


def run(options: argparse.Namespace) -> tuple[list[str], dict[str, object]]:
    """Both sets; lines and figures."""
    data, step = data_folder("emotion/fer2013.zip and london/"), QUICK_STEP if options.quick else 1
    options.cache.mkdir(parents=True, exist_ok=True)
    archive = data / "emotion" / "fer2013.zip"
    split = load_split(archive, "test", options.cache, options.jobs, step)
    lines, figures = fer2013_figures(load_emotion_net(), split, seen_in_training(archive)[::step])
    with open(data / "london" / "info.csv", encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))[::step]
    with processes(options.jobs) as pool:
        people = measured(pool, partial(measure_person, data / "london"), rows)
    more, groups = london_figures(people)
    return [*lines, "", *more], {"fer2013": figures, "london": groups}


def seen_in_training(archive: Path) -> np.ndarray:
    """(N,) bool of the test split: the very same file (size and checksum) is in the training split."""
    known = {(entry.file_size, entry.CRC) for entry in list_pictures(archive, "train")}
    return np.array([(entry.file_size, entry.CRC) in known for entry in list_pictures(archive, "test")])


def fer2013_figures(network: EmotionNet, split: Split, seen: np.ndarray) -> tuple[list[str], dict[str, object]]:
    """The confusion matrix; accuracy of all faces, of those that are new, and of those that landmarks align."""
    named = predicted(network, split)
    right = named == split.emotion
    lines, confusion = confusion_table(split.emotion, named)
    new = right[~seen]
    told = f"FER2013, test split: {right.mean():.1%} of {len(right)} right, {new.mean():.1%} of {len(new)} new ones."
    return [*lines, "", told], {
        "faces": len(right),
        "accuracy": round(float(right.mean()), 4),
        "new_faces": len(new),
        "accuracy_new": round(float(new.mean()), 4),
        "accuracy_aligned": round(float(right[split.aligned].mean()), 4),
        "mean_recall": round(float(np.mean(confusion.diagonal() / np.maximum(confusion.sum(1), 1))), 4),
        "confusion": confusion.tolist(),
    }


@cache
def load_reader() -> tuple[MeshLandmarker, EmotionNet]:
    """Once per process."""
    return MeshLandmarker.load(), load_emotion_net()


def measure_person(directory: Path, row: dict[str, str]) -> Person:
    """What Emotion-Net says of a person's two portraits.

    Args:
        directory: of the London set. row: of its ``info.csv``.
    """
    landmarker, network = load_reader()
    emotions = {}
    for folder in EXPECTED:
        picture = read_photo(directory / folder / f"{row['face_id']}.jpg").pixels
        crop = crop_face(picture, landmarker.find(picture)[0].mesh_px, INPUT)
        emotions[folder] = read_emotions(network, crop[None])[0][0]
    return Person(groups_of(row), emotions)


def groups_of(person: dict[str, str]) -> tuple[str, ...]:
    """The groups of a row of ``info.csv``; a person without a known age is in no group of age."""
    age = person["face_age"]
    ages = [f"age {name}" for name, low, high in AGES if age.isdecimal() and low <= int(age) < high]
    return ("all", person["face_gender"], person["face_eth"].replace("_", " "), *ages)


def london_figures(people: list[Person]) -> tuple[list[str], dict[str, list[int]]]:
    """A row per group; by group how many people, and of how many each of :meth:`Person.facts` holds."""
    figures, rows = {}, []
    for name in sorted({group for person in people for group in person.groups}):
        facts = np.array([person.facts() for person in people if name in person.groups])
        if len(facts) >= SMALLEST_GROUP:
            figures[name] = [len(facts), *facts.sum(0).tolist()]
            rows.append((name, len(facts), *(_share(held, len(facts)) for held in facts.sum(0))))
    columns = ("group", "people", "neutral read as neutral", "smiling read as happy", "smiling happier than neutral")
    return table(columns, rows), figures


def _share(right: int, total: int) -> str:
    """Per cent with the Wilson interval (1927)."""
    share, spread = right / total, INTERVAL**2 / total
    middle = (share + spread / 2) / (1 + spread)
    half = INTERVAL * np.sqrt(share * (1 - share) / total + spread / (4 * total)) / (1 + spread)
    return f"{share:.0%} ({max(middle - half, 0):.0%}–{min(middle + half, 1):.0%})"


if __name__ == "__main__":
    parser = benchmark_arguments(__doc__, "every fourth face only")
    parser.add_argument("--cache", type=Path, default=CACHE / "emotion_net", help="of the training")
    benchmark(run, parser)
