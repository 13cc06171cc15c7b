"""RDKit at arm's length: molecules that could hang or crash it are worked on in a process that may die.

Some strings are legal and yet too much: a chain of 20,000 atoms overflows RDKit's stack, and the path
fingerprint of a dense graph takes gigabytes. A child process with limits on processor time and memory
does that work; when it dies, the answer is None and the next request gets a new child.
"""

from __future__ import annotations

import atexit
import base64
import contextlib
import json
import subprocess
import sys
from collections.abc import Callable
from typing import Any, cast

from rdkit import Chem, DataStructs, rdBase
from rdkit.Chem import inchi, rdFingerprintGenerator, rdMolDescriptors

SECONDS = 5  # of processor time for one question about one molecule
MEMORY = 4 << 30  # bytes of address space of the child

_morgan = rdFingerprintGenerator.GetMorganGenerator(radius=2)

# What may be asked about a molecule; each answer is plain text or a fingerprint.
QUESTIONS: dict[str, Callable[[Any], Any]] = {
    "atoms": lambda mol: str(mol.GetNumAtoms()),
    "formula": lambda mol: rdMolDescriptors.CalcMolFormula(mol),
    "canonical": lambda mol: Chem.MolToSmiles(mol),
    "flat": lambda mol: Chem.MolToSmiles(mol, isomericSmiles=False),
    "inchi": inchi.MolToInchi,
    "maccs": rdMolDescriptors.GetMACCSKeysFingerprint,
    "rdk": Chem.RDKFingerprint,
    "morgan": _morgan.GetSparseCountFingerprint,
    "morgan-bits": _morgan.GetFingerprint,
}


class Guard:
    """A child process that answers questions about dangerous molecules."""

    def __init__(self) -> None:
        """Start nothing yet."""
        self._child: subprocess.Popen[str] | None = None

    def ask(self, text: str, question: str) -> Any:
        """Return the answer, or None where RDKit cannot parse, hangs, or crashes on the molecule."""
        child = self._child or self._start()
        line = ""
        with contextlib.suppress(BrokenPipeError):
            cast(Any, child.stdin).write(json.dumps([text, question]) + "\n")
            cast(Any, child.stdin).flush()
            line = cast(Any, child.stdout).readline()
        if not line.endswith("\n"):
            self.stop()
            return None
        answer = json.loads(line)
        return _unpack(answer) if isinstance(answer, dict) else answer

    def stop(self) -> None:
        """End the child, if there is one."""
        if self._child is not None:
            self._child.kill()
            self._child.communicate()
            self._child = None

    def _start(self) -> subprocess.Popen[str]:
        self._child = subprocess.Popen(
            [sys.executable, "-m", "harness.chem.guard"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            encoding="utf-8",
        )
        atexit.register(self.stop)
        return self._child


def _pack(answer: Any) -> Any:
    if answer is None or isinstance(answer, str):
        return answer
    return {"kind": type(answer).__name__, "bytes": base64.b64encode(answer.ToBinary()).decode("ascii")}


def _unpack(packed: dict[str, str]) -> Any:
    return getattr(DataStructs, packed["kind"])(base64.b64decode(packed["bytes"]))


def _limit() -> None:
    """Allow another `SECONDS` of processor time from now on."""
    import resource  # there is none on Windows, where the child runs without limits

    used = resource.getrusage(resource.RUSAGE_SELF)
    spent = int(used.ru_utime + used.ru_stime)
    resource.setrlimit(resource.RLIMIT_CPU, (spent + SECONDS, resource.RLIM_INFINITY))
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, resource.RLIM_INFINITY))


def _serve() -> None:
    rdBase.DisableLog("rdApp.*")
    for line in sys.stdin:
        text, question = json.loads(line)
        with contextlib.suppress(ImportError):
            _limit()
        mol = Chem.MolFromSmiles(text)
        answer = _pack(QUESTIONS[question](mol)) if mol is not None else None
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    _serve()
