#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# bpy 4.5.15 (Python 3.11): modifiers that are pinned to the end of the stack one after the other, from the first to the
# last, end in reverse order. A good guess is that pinning the last two modifiers of a stack, which are at its end
# already, changes nothing. But each newly pinned modifier goes before those that are pinned: Subdivision and then
# Displace become Displace and then Subdivision, which displaces a coarse mesh. Pinning from the last to the first keeps
# the order. Output: stack S A B; pinned A, then B: S B A; pinned B, then A: S A B.
set -eu
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
python3.11 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check "bpy==4.5.15" "numpy==1.26.4"
cat > "$work/pinned.py" <<'PYTHON'
import bpy


def order(pinned: str) -> str:
    """The names of a stack S A B after pinning some of its modifiers in this order."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    mesh = bpy.data.meshes.new("square")
    mesh.from_pydata([(0, 0, 0), (1, 0, 0), (1, 1, 0), (0, 1, 0)], [], [(0, 1, 2, 3)])
    item = bpy.data.objects.new("square", mesh)
    bpy.context.scene.collection.objects.link(item)
    for name in "SAB":
        item.modifiers.new(name, "DISPLACE")
    for name in pinned:
        item.modifiers[name].use_pin_to_last = True
    return " ".join(modifier.name for modifier in item.modifiers)


print(bpy.app.version_string)
found = {pinned: order(pinned) for pinned in ("", "AB", "BA")}
print(found)
assert bpy.app.version[:3] == (4, 5, 15), bpy.app.version
assert found == {"": "S A B", "AB": "S B A", "BA": "S A B"}, found
PYTHON
"$work/venv/bin/python" "$work/pinned.py"
echo "as described"
