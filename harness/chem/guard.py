"""RDKit at arm's length: molecules that could hang or crash it are worked on in a process that may die.

Some strings are legal and yet too much: a chain of 20,000 atoms overflows RDKit's stack, and the path
fingerprint of a dense graph takes gigabytes. A child process with limits on processor time and memory
does that work; when it dies, the answer is None and the next request gets a new child. A molecule has a
budget for all questions about it, and a file of answers one for all its molecules.
"""

from __future__ import annotations

import atexit
import base64
import contextlib
import json
import math
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import lru_cache
from typing import Any, cast

from rdkit import Chem, DataStructs, rdBase
from rdkit.Chem import inchi, rdFingerprintGenerator, rdMolDescriptors

from harness import StageError, children

SECONDS = 5  # of processor time for all questions about one molecule
FILE_SECONDS = 60  # and for all molecules of a file of answers with its references
MEMORY = 4 << 30  # bytes of address space of the child
READY = "ready\n"  # what the child says first

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
        self._spent: dict[str, float] = {}
        self._left: float = FILE_SECONDS
        self.beyond: dict[str, set[str]] = {}  # molecule -> questions without an answer for want of budget

    def renew(self) -> None:
        """Give another file its own budget."""
        self._left = FILE_SECONDS

    def ask(self, text: str, question: str) -> Any:
        """Return the answer, or None where RDKit cannot parse, hangs, or crashes on the molecule."""
        spent = self._spent.get(text, 0.0)
        allowed = min(SECONDS - spent, self._left)
        reply = self._reply(text, question, allowed) if allowed > 0 else None
        answer, cost = reply or (None, max(allowed, 0.0))
        self._spent[text] = spent + cost
        self._left -= cost
        if reply is None:
            self.beyond.setdefault(text, set()).add(question)
        return _unpack(answer) if isinstance(answer, dict) else answer

    def stop(self) -> None:
        """End the child, if there is one."""
        if self._child is not None:
            self._child.kill()
            self._child.communicate()
            self._child = None

    def _reply(self, text: str, question: str, seconds: float) -> tuple[Any, float] | None:
        """Return the child's answer with what it cost; nothing from a child that dies of the question."""
        child = self._child or self._start()
        line = ""
        with contextlib.suppress(BrokenPipeError):
            cast(Any, child.stdin).write(json.dumps([text, question, math.ceil(seconds)]) + "\n")
            cast(Any, child.stdin).flush()
            line = cast(Any, child.stdout).readline()
        if not line.endswith("\n"):
            self.stop()
            return None
        answer, cost = json.loads(line)
        return answer, cost

    def _start(self) -> subprocess.Popen[str]:
        with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as said:
            self._child = subprocess.Popen(
                children.python("-m", "harness.chem.guard"),
                env=children.environment(),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=said,
                encoding="utf-8",
            )
            atexit.register(self.stop)
            if cast(Any, self._child.stdout).readline() != READY:
                self.stop()
                said.seek(0)
                reason = said.read().strip().splitlines()[-1:] or ["it said nothing"]
                raise StageError(f"the process that reads large molecules cannot start: {reason[0]}")
        return self._child


def _pack(answer: Any) -> Any:
    if answer is None or isinstance(answer, str):
        return answer
    return {"kind": type(answer).__name__, "bytes": base64.b64encode(answer.ToBinary()).decode("ascii")}


def _unpack(packed: dict[str, str]) -> Any:
    return getattr(DataStructs, packed["kind"])(base64.b64decode(packed["bytes"]))


def _limit(seconds: int) -> None:
    """Allow so much processor time from now on."""
    import resource  # there is none on Windows, where the child runs without limits

    spent = math.ceil(time.process_time())
    resource.setrlimit(resource.RLIMIT_CPU, (spent + seconds, resource.RLIM_INFINITY))
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, resource.RLIM_INFINITY))


@lru_cache(maxsize=8)  # metrics ask one after the other about the same few
def _parsed(text: str) -> Any:
    return Chem.MolFromSmiles(text)


def _serve() -> None:
    rdBase.DisableLog("rdApp.*")
    sys.stdout.write(READY)
    sys.stdout.flush()
    for line in sys.stdin:
        text, question, seconds = json.loads(line)
        begin = time.process_time()
        with contextlib.suppress(ImportError):
            _limit(seconds)
        mol = _parsed(text)
        answer = _pack(QUESTIONS[question](mol)) if mol is not None else None
        sys.stdout.write(json.dumps([answer, time.process_time() - begin]) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    _serve()
