# SPDX-License-Identifier: GPL-3.0-or-later
"""Takes the place of Blender's layout, which background mode does not draw; refuses what the real one would refuse."""

from types import SimpleNamespace

import bpy


class RecordingLayout:
    """Keeps what is drawn, in order, as ``(function, text or name)``."""

    def __init__(self, outer: "RecordingLayout | None" = None):
        self.enabled = True
        self.drawn: list[tuple[str, str]] = outer.drawn if outer else []
        self.buttons: list[SimpleNamespace] = outer.buttons if outer else []
        self.placeholders: dict[str, str] = outer.placeholders if outer else {}

    def __getattr__(self, name: str):
        function = bpy.types.UILayout.bl_rna.functions[name]  # KeyError: the real one has no such function

        def call(*values, **options):
            known = [parameter.identifier for parameter in function.parameters if not parameter.is_output]
            unknown = set(options) - set(known)
            assert not unknown and len(values) <= len(known), f"{name}: {unknown or values}"
            return self._draw(name, dict(zip(known, values, strict=False)) | options)

        return call

    def _draw(self, name: str, options: dict) -> object:
        if name in ("row", "column", "box", "split", "grid_flow"):
            return RecordingLayout(self)
        if name == "panel":  # open, whatever its default
            return RecordingLayout(self), RecordingLayout(self)
        if name in ("prop", "prop_enum"):
            assert options["property"] in options["data"].bl_rna.properties
            value = f" = {options['value']}" if name == "prop_enum" else ""
            self.drawn.append((name, options["property"] + value))
            if "placeholder" in options:
                self.placeholders[options["property"]] = options["placeholder"]
        elif name == "operator":
            self.drawn.append((name, options["operator"]))
            self.buttons.append(SimpleNamespace(operator=options["operator"]))
            return self.buttons[-1]
        else:
            self.drawn.append((name, options.get("text", "")))
        return None

    def of(self, name: str) -> list[str]:
        """What was drawn with a function."""
        return [what for function, what in self.drawn if function == name]


def draw(panel: str, width: int = 300, local_view: object | None = None) -> RecordingLayout:
    """What a registered panel draws in a sidebar of that width, beside a view with Solid shading."""
    layout = RecordingLayout()
    context = SimpleNamespace(
        scene=bpy.context.scene,
        window_manager=bpy.context.window_manager,
        active_object=bpy.context.active_object,
        # Background mode has no scale of the interface.
        preferences=SimpleNamespace(system=SimpleNamespace(ui_scale=1.0), addons=bpy.context.preferences.addons),
        space_data=SimpleNamespace(shading=SimpleNamespace(type="SOLID", color_type="MATERIAL"), local_view=local_view),
        region=SimpleNamespace(width=width),
    )
    kind = getattr(bpy.types, panel)
    itself = SimpleNamespace(layout=layout)
    if hasattr(kind, "draw_choices"):
        itself.draw_choices = lambda *values: kind.draw_choices(itself, *values)
    kind.draw(itself, context)
    return layout
