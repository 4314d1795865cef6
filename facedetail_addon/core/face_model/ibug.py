# SPDX-License-Identifier: GPL-3.0-or-later
"""The 68 iBUG landmarks (300-W) as points of the 478-point face mesh.

Where a contour offers a choice, the points nearest to equal steps along it are taken, as in 300-W.
"""

IBUG_FROM_MESH = (
    127, 234, 93, 132, 172, 136, 149, 148, 152, 377, 378, 365, 397, 361, 323, 454, 356,  # jaw, subject's right to left
    70, 63, 105, 66, 107, 336, 296, 334, 293, 300,  # brows
    168, 197, 5, 1, 98, 97, 2, 326, 327,  # bridge of the nose from the top, nostrils
    33, 160, 158, 133, 153, 144, 362, 385, 387, 263, 373, 380,  # right eye, left eye
    61, 39, 37, 0, 267, 269, 291, 405, 314, 17, 84, 181,  # outer lips from the right corner over the top
    78, 81, 13, 311, 308, 402, 14, 178,  # inner lips
)  # fmt: skip
