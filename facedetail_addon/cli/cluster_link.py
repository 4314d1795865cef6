# SPDX-License-Identifier: GPL-3.0-or-later
"""The way to a Dask cluster: its scheduler, which of its workers can be used, and calls to them.

Nothing of Dask is imported before a cluster is asked for: it is an optional requirement.
"""

import logging
import secrets
import socket
import time
import warnings
from collections.abc import Callable, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from ..core.errors import FaceDetailError, OutputError
from ..jobs import machine
from ..jobs.remote import topic
from .batch import JobSpecification

if TYPE_CHECKING:
    from distributed import Client, Future

AUTO, SEND_FILES, SEND_PATHS = SENDING = ("auto", "files", "paths")
"""How photos and results travel: as each machine needs it; as bytes; by the paths of a shared folder."""
_CONNECT_S = 3.0
_ANSWER_S = 30.0
_LOOK_S = 1.0
"""How often the scheduler is asked who is there."""
_FIRST_S, _ANOTHER_S = 5.0, 30.0
"""How long the first machine is waited for, and later another one where the last has gone."""
_END_S = 10.0
_PAUSE_S = 0.05
_SHOWN_PHOTOS = 64


class ClusterError(FaceDetailError):
    """A cluster cannot be used."""

    code = "cluster"


@dataclass(frozen=True)
class Machine:
    """A worker of the cluster that can be used.

    Attributes:
        address: at which Dask knows it. host: its machine's name. threads: how many tasks it does at once.
        sees: photos and results go by path; else as bytes.
    """

    address: str
    host: str
    threads: int
    sees: bool

    @property
    def name(self) -> str:
        """For people."""
        return f"{self.host} ({self.address})"


@dataclass(frozen=True)
class ClusterOptions:
    """What the command line says of a cluster.

    Attributes:
        scheduler: its address. sending: one of ``SENDING``. warn: told which machines are left out, and why.
        debug: what the engine says of itself is shown.
    """

    scheduler: str
    sending: str
    warn: Callable[[str], None]
    debug: bool = False


class ClusterLink:
    """A connection to a scheduler, and the machines behind it.

    Args:
        options: of the command line. specification: what is made of every photo.
        output: the folder of results; made when missing. photos: some that the machines should see.

    Raises:
        ClusterError: Dask is not installed, or no scheduler answers.
        OutputError: the folder cannot be made.
    """

    def __init__(self, options: ClusterOptions, specification: JobSpecification, output: Path, photos: Sequence[Path]):
        self.run = secrets.token_hex(8)
        self._options, self._specification = options, specification
        self._output, self._photos = output.absolute(), _one_of_each_folder(photos)
        self._client = _connected(options)
        self._machines: dict[str, Machine] = {}
        self._left_out: dict[str, str] = {}
        self._unsaid: list[str] = []
        self._last_look = float("-inf")
        self._until = time.monotonic() + _FIRST_S
        self._identity = machine.identity()

    def listen(self, heard: Callable[[str, str, float], None]) -> None:
        """Have the progress of this run's tasks told, by a thread of Dask's: key, stage and fraction."""
        self._client.subscribe_topic(topic(self.run), lambda event: heard(*event[1]))

    def machines(self) -> tuple[Machine, ...]:
        """Those that can be used now; who comes is asked, who goes is gone. Looks once a second.

        Raises:
            ClusterError: the scheduler is gone, or no machine has been there for some seconds that can be used.
        """
        now = time.monotonic()
        if now - self._last_look >= _LOOK_S:
            with self._scheduler_needed():
                threads = self._client.nthreads(callback_timeout=_ANSWER_S)
            self._machines = {address: one for address, one in self._machines.items() if address in threads}
            self._left_out = {address: why for address, why in self._left_out.items() if address in threads}
            self._ask({a: n for a, n in threads.items() if a not in self._machines and a not in self._left_out})
            self._last_look = time.monotonic()
        if self._machines:
            self._until = time.monotonic() + _ANOTHER_S
            self._say()
        elif time.monotonic() > self._until:
            raise self._nobody()
        return tuple(self._machines.values())

    def look_again(self) -> None:
        """Something is lost: the next question is who is still there."""
        self._last_look = float("-inf")

    def leave_out(self, one: Machine, why: str) -> None:
        """A machine that has turned out to be of no use."""
        self._machines.pop(one.address, None)
        self._note(one.address, f"{one.name}: {why.rstrip('.')}")

    def submit(self, one: Machine, key: str, line: str, parcel: dict[str, Any] | None) -> "Future":
        """Have a machine do a task; what comes back is of :func:`jobs.remote.do`."""
        # Dask would do it elsewhere, too, but machines have been asked one by one.
        return self._client.submit(
            _caller(), "do", self.run, key, line, parcel, key=key, workers=[one.address], allow_other_workers=False
        )

    def close(self) -> None:
        """Give up what is still done for this run, wait until it has ended, and let the machines rest."""
        end = time.monotonic() + _END_S
        # Who does not answer any more has nothing of ours to give up.
        with suppress(OSError, TimeoutError, RuntimeError):
            while 0 < sum(filter(_is_count, self._call("stop", self.run, limit_s=_CONNECT_S).values())):
                if time.monotonic() > end:
                    break
                time.sleep(_PAUSE_S)
            self._call("rest", limit_s=_CONNECT_S)
        with suppress(OSError, TimeoutError, RuntimeError):
            self._client.close(timeout=_CONNECT_S)

    def _ask(self, threads: dict[str, int]) -> None:
        """Machines that have come are asked what they are."""
        if not threads:
            return
        with self._token() as token, self._scheduler_needed():
            settings = self._specification.settings
            question = machine.Question(
                settings.face_model,
                settings.landmarker,
                str(self._specification.assets.absolute()),
                self._specification.scene is not None,
                str(self._output),
                token,
                self._photos,
            )
            answers = self._call("look", asdict(question), workers=list(threads))
        for address, said in answers.items():
            if isinstance(said, dict):
                answer = machine.Answer(**said)
                why = self._against(answer)
                one = Machine(
                    address, answer.host, threads[address], answer.sees and self._options.sending != SEND_FILES
                )
            else:
                why, one = f"it does not answer as FaceDetail does ({type(said).__name__}: {said})", None
            if one and not why:
                self._machines[address] = one
            else:
                self._note(address, f"{one.name if one else address}: {why}")

    def _note(self, address: str, text: str) -> None:
        self._left_out[address] = text
        self._unsaid.append(text)

    def _say(self) -> None:
        """Of machines that are left out; where no other is there, the error says it."""
        if self._unsaid:
            self._options.warn("left out: " + "; ".join(self._unsaid))
            self._unsaid.clear()

    def _against(self, answer: machine.Answer) -> str:
        """What speaks against a machine; empty: nothing."""
        different = [
            f"its {name} is {answer.identity.get(name, 'unknown')}, here {here}"
            for name, here in self._identity.items()
            if answer.identity.get(name) != here
        ]
        if different:
            return ", ".join(different)
        if answer.lacks:
            return answer.lacks.rstrip(".")
        if self._options.sending == SEND_PATHS and not answer.sees:
            return f"it does not see the photos, or cannot write to {self._output}"
        return ""

    def _nobody(self) -> ClusterError:
        scheduler = self._options.scheduler
        if not self._left_out:
            return ClusterError(
                f"The scheduler {scheduler} has no worker.",
                f"Start some, in FaceDetail's folder on each machine: python -m dask worker {scheduler} --nthreads 1. "
                "What was finished is kept; go on with --resume.",
            )
        return ClusterError(
            f"No worker of {scheduler} can be used. {'; '.join(self._left_out.values())}.",
            "Have the same FaceDetail, Python and packages on all machines, and start their workers again"
            + ("; where they share no folder, leave --send paths out." if self._options.sending == SEND_PATHS else "."),
        )

    def _call(
        self, name: str, *arguments: object, workers: list[str] | None = None, limit_s: float = _ANSWER_S
    ) -> dict[str, Any]:
        """What each machine answers to a call of :mod:`jobs.remote`, or the exception."""
        wanted = list(self._machines) if workers is None else workers
        if not wanted:
            return {}
        return self._client.run(
            _caller(), name, *arguments, workers=wanted, on_error="return", callback_timeout=limit_s
        )

    @contextmanager
    def _scheduler_needed(self):
        try:
            yield
        except (OSError, TimeoutError, RuntimeError) as error:
            raise ClusterError(
                f"The scheduler {self._options.scheduler} does not answer any more: {error or type(error).__name__}.",
                "Start it and its workers again. What was finished is kept; go on with --resume.",
            ) from error

    @contextmanager
    def _token(self):
        """A file in the output folder for as long as machines are asked whether they see it: its name, its content."""
        name, text = f".facedetail-{secrets.token_hex(8)}", secrets.token_hex(16)
        path = self._output / name
        try:
            self._output.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="ascii")
        except OSError as error:
            raise OutputError(
                f"{self._output} cannot be written to: {error.strerror or error}.",
                "Choose an output folder that you may write to, on a disk with free space.",
            ) from error
        try:
            yield name, text
        finally:
            path.unlink(missing_ok=True)


def _caller() -> Callable[..., Any]:
    """What is sent to machines. A function inside of a function goes there as it is, so that it is understood where the
    package has another name, as in Blender; and where there is none it says so."""

    def call(name, *arguments, dask_worker=None):
        import importlib

        from distributed import get_worker

        remote = importlib.import_module("facedetail_addon.jobs.remote")
        return getattr(remote, name)(dask_worker or get_worker(), *arguments)

    return call


def _is_count(answer: object) -> bool:
    return isinstance(answer, int)


def _connected(options: ClusterOptions) -> "Client":
    try:
        from distributed import Client
    except ImportError as error:
        raise ClusterError(
            f"A cluster needs the Python package distributed (Dask), and it cannot be loaded: {error}.",
            "Install it: python -m pip install -r scripts/requirements-cluster.txt.",
        ) from error
    if not options.debug:
        warnings.filterwarnings("ignore", module="distributed")
        for name in [name for name in logging.root.manager.loggerDict if name.split(".")[0] == "distributed"]:
            logging.getLogger(name).setLevel(logging.CRITICAL)
    try:
        place = urlsplit(options.scheduler)
        if place.scheme == "tcp":  # the engine itself would try for some time, and say so again and again
            socket.create_connection((place.hostname, place.port), _CONNECT_S).close()
        return Client(options.scheduler, timeout=_CONNECT_S, set_as_default=False)
    except (OSError, TimeoutError, ValueError, RuntimeError) as error:
        raise ClusterError(
            f"No Dask scheduler answers at {options.scheduler}: {error or type(error).__name__}.",
            "Start one (python -m dask scheduler) and its workers, see docs/scripting.md; check host and port; or "
            "leave --cluster out.",
        ) from error


def _one_of_each_folder(photos: Sequence[Path]) -> tuple[tuple[str, int], ...]:
    """Photos that can be read, with their sizes: the first of each folder, as long as these are not too many."""
    found: dict[Path, tuple[str, int]] = {}
    for photo in photos:
        path = photo.absolute()
        if path.parent not in found and path.is_file():
            found[path.parent] = (str(path), path.stat().st_size)
        if len(found) == _SHOWN_PHOTOS:
            break
    return tuple(found.values())
