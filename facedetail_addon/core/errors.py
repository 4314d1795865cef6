# SPDX-License-Identifier: GPL-3.0-or-later
"""Errors for artists: what happened, with which file, and what to do about it."""


class FaceDetailError(Exception):
    """Something the artist can act on.

    Args:
        message: one sentence, naming the file where there is one.
        remedy: one sentence, what to do.
    """

    code = "error"

    def __init__(self, message: str, remedy: str):
        super().__init__(message)
        self.message = message
        self.remedy = remedy

    def __reduce__(self):
        """So that an error survives the way from another process."""
        return type(self), (self.message, self.remedy)


class PhotoError(FaceDetailError):
    """A photo cannot be read or is not usable."""

    code = "photo"


class NoFaceError(PhotoError):
    """No face (or not the asked-for face) was found in a photo."""

    code = "no_face"


class AssetError(FaceDetailError):
    """A weight or model file is missing, damaged or of another version."""

    code = "asset"


class FaceModelError(FaceDetailError):
    """A face model file is not what it should be."""

    code = "face_model"


class PerformanceError(FaceDetailError):
    """A recorded performance cannot be read, or no head can show it."""

    code = "performance"


class RigError(FaceDetailError):
    """A head cannot get an armature."""

    code = "rig"


class OutputError(FaceDetailError):
    """A result cannot be written or read back."""

    code = "output"


class SceneError(FaceDetailError):
    """A photo's scene cannot be made; its result can, and stays."""

    code = "scene"


class WorkerError(FaceDetailError):
    """The worker process ended or could not be started."""

    code = "worker"


class OutOfMemoryError(FaceDetailError):
    """Something does not fit into memory."""

    code = "memory"

    def __init__(
        self,
        message: str = "There is not enough memory.",
        remedy: str = "Choose a smaller texture, or close other programs.",
    ):
        super().__init__(message, remedy)


_NO_MEMORY = (
    "can't allocate memory",
    "cannot allocate memory",
    "not enough memory",
    "out of memory",
    "insufficient memory",
    "bad_alloc",
    "failed to map segment",
)
"""How torch, OpenCV, the C library and its loader say it."""


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that memory ran out; few libraries raise MemoryError."""
    if isinstance(error, MemoryError | OutOfMemoryError):
        return True
    text = str(error).lower()
    return not isinstance(error, FaceDetailError) and any(words in text for words in _NO_MEMORY)
