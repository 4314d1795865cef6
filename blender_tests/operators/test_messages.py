# SPDX-License-Identifier: GPL-3.0-or-later
"""What Blender and the worker say to each other comes back as it was said, and nothing else is believed."""

import dataclasses
import json

import pytest

from facedetail_addon.core.pipeline import Settings
from facedetail_addon.jobs.messages import Done, Failed, MessageError, Progress, Ready, Reconstruct, parse_line, to_line

MESSAGES = [
    Reconstruct(1, "/photos/Zoë 猫 “x”.jpg", "out", face=2),
    Reconstruct(2, "a\nb.jpg", "out", resolution=512, expression="prior", detail="none"),
    Ready("3.11.7"),
    Progress(3, "Finding the face", 0.25),
    Done(4, "/results/Zoë"),
    Failed(5, "no_face", "No face.", "Another photo."),
]


@pytest.mark.parametrize("message", MESSAGES, ids=lambda message: type(message).__name__)
def test_round_trip_on_one_line(message):
    line = to_line(message)
    assert line.count("\n") == 1
    assert line.endswith("\n")
    assert parse_line(line) == message


def test_defaults_are_those_of_the_pipeline():
    """They are written out in the messages, which must load without the packages that the pipeline needs."""
    asked = Reconstruct(1, "photo.jpg", "out")
    settings = Settings()
    for field in dataclasses.fields(Settings):
        assert getattr(asked, field.name) == getattr(settings, field.name), field.name


def test_a_request_without_a_known_expression_is_refused():
    fields = json.loads(to_line(Reconstruct(1, "photo.jpg", "out")))
    for broken in ({**fields, "expression": None}, {key: fields[key] for key in fields if key != "expression"}):
        with pytest.raises(MessageError, match="expression"):
            parse_line(json.dumps(broken))


def altered(**changes) -> str:
    fields = json.loads(to_line(Progress(3, "stage", 0.5)))
    fields.update(changes)
    return json.dumps({key: value for key, value in fields.items() if value != "absent"})


@pytest.mark.parametrize(
    "line",
    [
        "",
        "Loading model...",
        "[1, 2]",
        "null",
        altered(type="Exec"),
        altered(type=None),
        altered(job="absent"),
        altered(more=1),
        altered(job="3"),
        altered(job=True),
        altered(job=3.0),
        altered(fraction="0.5"),
        altered(fraction=None),
    ],
)
def test_anything_else_is_refused(line):
    with pytest.raises(MessageError):
        parse_line(line)


def test_whole_numbers_count_as_fractions():
    parsed = parse_line(altered(fraction=1))
    assert parsed.fraction == 1.0
    assert type(parsed.fraction) is float
