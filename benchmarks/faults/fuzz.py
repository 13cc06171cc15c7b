"""Changed inputs for every reader: each is read, or refused as an error of ours, and nothing else happens."""

from __future__ import annotations

import gzip
import io
import json
import random
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from harness import HarnessError

SLOW = 5.0  # seconds for one input, beyond which it counts as one that did not come back
# What breaks readers more often than a chance byte does.
PIECES = (
    *(b"\x00", b"\xff", b"\xef\xbb\xbf", b"\xff\xfe", b"\x1b[2J", "\u202e".encode(), b"\r", b"\n\n", b"\t"),
    *(b'"', b"'", b"{", b"}", b"[" * 2000, b"]", b",", b":", b"\\", b"\\ud800", b"%s", b"%(", b"<!--"),
    *(
        b"NaN",
        b"1e400",
        b"-0",
        b"9" * 5000,
        b"null",
        b"true",
        b"&a [*a]",
        b"!!python/name:os.system",
        b"=1+1",
    ),
)
CLAIMS = b"""tables:
  - paper: "P"
    table: "T"
    task: "toy"
    columns: &c
      A: ["letter-accuracy"]
    rows:
      - {row: "M", file: "f.txt", cells: {A: "0.5"}}
  - paper: "Q"
    table: "U"
    task: "toy"
    columns: *c
    rows: [{row: "N", cells: {A: "97.3"}}]
"""
Reader = Callable[[bytes], Any]


@dataclass(frozen=True, slots=True)
class Way:
    """A reader with inputs that it reads; `share` is its part of all inputs, less where one takes long."""

    read: Reader
    seeds: tuple[bytes, ...]
    share: float = 1.0


def changed(dice: random.Random, seeds: tuple[bytes, ...]) -> bytes:
    """Return one of some inputs, changed in one to four places."""
    text = bytearray(dice.choice(seeds))
    for _ in range(dice.randint(1, 4)):
        place = dice.randrange(len(text) + 1)
        stretch = dice.randrange(1, 1 + max(1, len(text) // dice.choice((2, 8, 64))))
        match dice.randrange(7):
            case 0 if place < len(text):
                text[place] ^= 1 << dice.randrange(8)
            case 1 if place < len(text):
                text[place] = dice.randrange(256)
            case 2:
                del text[place : place + stretch]
            case 3:
                text[place:place] = text[place : place + stretch]
            case 4:
                text[place:place] = dice.choice(PIECES)
            case 5:
                del text[place:]
            case _:
                other = dice.choice(seeds)
                cut = dice.randrange(len(other) + 1)
                text[place:] = other[cut:]
    return bytes(text)


def of_file(name: str, read: Callable[[Path], Any], folder: Path) -> Reader:
    """Return a reader of bytes from one of files, which are laid in a folder under a name."""
    place = folder / name

    def reader(data: bytes) -> Any:
        place.write_bytes(data)
        found = read(place)
        return list(found) if isinstance(found, Iterator) else found

    return reader


def of_text(read: Callable[[str], Any]) -> Reader:
    """Return a reader of bytes from one of text, such as an answer or a value on the command line."""
    return lambda data: read(data.decode("utf-8", "replace"))


def ways(folder: Path) -> Mapping[str, Way]:
    """Return every reader that a stranger's bytes reach."""
    from harness.chem import smiles, tables
    from harness.chem.reading import read_molecule
    from harness.data import (
        conversations,
        csv_rows,
        json_items,
        preferences,
        split_files,
        table_file,
        text_lines,
    )
    from harness.engine import asking, config, task_files, values
    from harness.engine.plugin_manager import load_plugins
    from harness.engine.registry import Registry
    from harness.files import archives, finished, json_files, rows
    from harness.leaderboards import claims
    from harness.leaderboards.intake import submission
    from harness.scoring import answers, letters

    registry = Registry(load_plugins(()))
    objects = tuple(
        json.dumps(row).encode()
        for row in (
            {"id": "1", "output": "CCO", "n": [1, 2.5, None, True], "deep": {"a": {"b": "\u4e2d"}}},
            {"question": "Who?", "options": {"A": "x", "B": "y"}, "answer": "A"},
        )
    )
    lines = (b"\n".join([*objects, *objects]) + b"\n",)
    table = (
        b'id,word,split\n1,gold,train\n2,"a, ""b""",test\n',
        b"CID\tSMILES\tdescription\n1\tCCO\tAn acid.\n",
    )
    chat = json.dumps(
        {
            "system": "s",
            "tools": "[]",
            "conversations": [{"from": "human", "value": "q"}, {"from": "gpt", "value": "a"}],
        }
    ).encode()
    pair = json.dumps(
        {
            "conversations": [{"from": "human", "value": "q"}],
            "chosen": {"value": "a"},
            "rejected": {"value": "b"},
        }
    ).encode()
    pair_of_trl = b'{"question": "q", "response_chosen": "a", "response_rejected": "b"}'
    about = json.dumps(
        {
            "schema": 1,
            "name": "n",
            "task": "toy",
            "split": "test",
            "data": {"source": "sample", "digest": "d"},
            "model": {"plugin": "m"},
            "curve": [[1, 2.0], [2, 1.5]],
            "seconds": {"train": 1.0},
        }
    ).encode()
    sealed = folder / "sealed.json"
    json_files.write_sealed(sealed, {"a": 1, "b": [1, 2], "c": "text"})
    toml = b'[task]\nname = "t"\nfile = "x.csv"\nprompt = "Q {word}?"\nanswer = "word"\n'
    (folder / "x.csv").write_bytes(table[0])
    finished.write_record(folder, {"run_id": "r", "scores": {"m": {"value": 1.5}}, "files": {}})
    record = (folder / finished.RECORD).read_bytes()
    known = config.schema()
    outputs = {
        "lines": (b"CCO\nCCN\n", b"An acid.\n\nA salt.\n"),
        "molt5": (b"SMILES\tground truth\toutput\nC\tA gas.\tA gas.\nCO\tAn alcohol.\t\n",),
        "jsonl": (b'{"id": "1", "output": "CCO"}\n{"id": "2", "output": "", "finish": "stop"}\n',),
    }
    outputs[""] = tuple(seed for seeds in outputs.values() for seed in seeds)

    def setting(text: str) -> Any:
        key, value = config.read_flag(text)
        config.check_keys({key: value}, "flag")
        return values.convert(value, known[key], key, "flag") if key in known else value

    def in_archive(path: Path) -> Any:
        return {name: len(data) for name, data in archives.open_files(path, 2**22).items()}

    file = partial(of_file, folder=folder)
    said = (
        b"The answer is (B).",
        b'{"answer_choice": "A", "step": "x"}',
        "\u7b54\u6848\u662f A\u3001C".encode(),
        b"<think>A or B</think> $\\boxed{C}$",
        b"**D**, because none of the above",
    )
    molecules = (
        b"CC(=O)Oc1ccccc1C(=O)O",
        b"C[C@H](N)C(=O)O",
        b"c1ccc2[nH]ccc2c1",
        b"[13CH3+].[Cl-]",
        b"C%10CC%10",
    )
    found: dict[str, Way] = {
        "JSON of ours": Way(file("a.json", json_files.read_json), objects),
        "sealed JSON": Way(file("s.json", json_files.read_sealed), (sealed.read_bytes(),)),
        "rows of ours": Way(file("r.jsonl", rows.read_rows), (rows.line_of({"a": 1, "t": "x"}) * 2, *lines)),
        "rows made whole": Way(
            file("h.jsonl", rows.heal_rows), (rows.line_of({"a": 1, "t": "x"}) * 2, *lines), 0.5
        ),
        "finished runs": Way(
            file(finished.RECORD, lambda path: finished.read_record(path.parent)), (record,)
        ),
        "archives, zip": Way(file("a.zip", in_archive), (_zip(objects),), 0.5),
        "archives, gzip": Way(file("a.jsonl.gz", in_archive), (gzip.compress(lines[0]),)),
        "archives, plain": Way(file("a.txt", in_archive), lines),
        "text lines": Way(file("l.txt", text_lines.read_lines), (*table, *lines)),
        "text lines, gzip": Way(file("l.txt.gz", text_lines.read_lines), (gzip.compress(table[0] * 3),)),
        "CSV": Way(file("c.csv", csv_rows.read_records), table),
        "tables of any form": Way(file("t", table_file.read_table), (*table, *lines), 0.5),
        "JSON items": Way(file("i.json", json_items.read_items), (b"[" + b",".join(objects) + b"]", *lines)),
        "JSON objects": Way(file("o.jsonl", json_items.read_objects), lines),
        "names of splits": Way(
            of_text(split_files.split_of), (b"train.csv", b"test-00001-of-00002.jsonl.gz")
        ),
        "preferences": Way(
            file("p.jsonl", preferences.read_preferences), (pair + b"\n" + pair_of_trl + b"\n",)
        ),
        "conversations": Way(_of_json(conversations.read_turns), (chat,)),
        "tables of molecules": Way(file("m.tsv", _opened(tables.open_table)), table[1:], 0.5),
        "CSV of molecules": Way(
            file("m.csv", _opened(tables.open_csv)), (b"id,smiles,description\n1,CCO,An acid.\n",), 0.5
        ),
        **{
            f"answers, {form or 'any form'}": Way(partial(_parse, answers.parse, form), seeds, 0.5)
            for form, seeds in outputs.items()
        },
        "submissions": Way(lambda data: submission.checked_about(data, "it"), (about,), 0.5),
        "submitted answers": Way(lambda data: submission.read_outputs(data, "it"), outputs["jsonl"]),
        "claims": Way(file("c.yaml", claims.read_claims), (CLAIMS,), 0.03),
        "task files": Way(file("t.toml", lambda path: task_files.named(registry, str(path))), (toml,), 0.3),
        "recipes": Way(
            file("r.toml", config.read_file),
            (b'preset = "tiny"\n[train]\nlearning_rate = 1e-3\n[data]\nlimit = 5\n',),
            0.3,
        ),
        "settings": Way(
            of_text(setting),
            (b"train.learning_rate=1e-3", b"generate.num_beams=4", b"stages=a,b", b"train.options.beta=0.1"),
        ),
        "letters": Way(of_text(lambda text: letters.read_letters(text, ("x", "y", "z", "w"))), said, 0.5),
        "thinking aloud": Way(of_text(lambda text: asking.apart(text, ("<think>", "</think>"))), said),
        "molecules in prose": Way(
            of_text(read_molecule), (b"The SMILES is `CCO`.", b'{"smiles": "CCN"}', *molecules), 0.5
        ),
        "SMILES": Way(of_text(smiles.canonical), molecules, 0.5),
        "SELFIES": Way(of_text(smiles.of_selfies), (b"[C][C][O]", b"[C][=C][Ring1][=Branch1]"), 0.5),
    }
    with suppress(ImportError):
        found |= _heavier(file)
    return found


def _opened(opened: Callable[[Path], Any]) -> Callable[[Path], Any]:
    """Return a reader that also reads the rows of what it opens."""

    def read(path: Path) -> Any:
        pairs = opened(path)
        return list(pairs.rows()) if pairs is not None else None

    return read


def _parse(parse: Callable[[bytes, str, str], Any], form: str, data: bytes) -> Any:
    return parse(data, "it", form)


def _of_json(read: Callable[[Any], Any]) -> Reader:
    def reader(data: bytes) -> Any:
        try:
            value = json.loads(data)
        except (ValueError, RecursionError):  # whose reader is another one's business
            return None
        return read(value) if isinstance(value, dict) else None

    return reader


def _zip(members: tuple[bytes, ...]) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for number, member in enumerate(members):
            archive.writestr(f"{number}.jsonl", member)
    return made.getvalue()


def _heavier(file: Callable[..., Reader]) -> dict[str, Way]:
    """Return readers whose libraries are not always there: Parquet's, and of weights."""
    import pyarrow
    import pyarrow.parquet

    from harness.data.parquet import read_parquet

    made = io.BytesIO()
    pyarrow.parquet.write_table(pyarrow.table({"id": ["1", "2"], "word": ["gold", "iron"]}), made)
    return {"Parquet": Way(file("p.parquet", read_parquet), (made.getvalue(),), 0.1)}


def run(inputs: int, seed: int = 0, log: Callable[[str], None] = print) -> Iterator[dict[str, Any]]:
    """Read about so many changed inputs, shared out among the readers; yield a row for each reader."""
    with tempfile.TemporaryDirectory() as folder:
        readers = ways(Path(folder))
        each = inputs / sum(way.share for way in readers.values())
        for name, way in readers.items():
            for good in way.seeds:
                way.read(good)  # a reader that refuses these would refuse all that is made of them
            dice = random.Random(f"{seed} {name}")
            began = time.perf_counter()
            escapes, slowest = 0, 0.0
            first = ""
            count = max(1, round(each * way.share))
            for _ in range(count):
                data = changed(dice, way.seeds)
                start = time.perf_counter()
                try:
                    way.read(data)
                except HarnessError:
                    pass
                except Exception as error:  # noqa: BLE001  which is what is looked for
                    escapes += 1
                    first = first or f"{type(error).__name__}: {error!s:.100} for {data[:200]!r}"
                slowest = max(slowest, time.perf_counter() - start)
            escapes += slowest > SLOW
            if first:
                log(f"{name}: {first}")
            yield {
                "reader": name,
                "inputs": count,
                "escapes": escapes,
                "slowest": round(slowest, 3),
                "seconds": round(time.perf_counter() - began, 1),
                "first": first,
            }
