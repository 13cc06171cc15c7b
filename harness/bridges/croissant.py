"""Describes exported rows in Croissant 1.1: each file with its SHA-256, each column with its type."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from harness.files.json_files import to_json
from harness.files.writing import write

from .rows import Facts, Split

NAME = "croissant.json"
CONFORMS = "http://mlcommons.org/croissant/1.1"
# The form's own table of names, whole: its readers warn about any other.
PLAIN = """arrayShape citeAs column extract field fileObject fileProperty fileSet format includes isArray
    isLiveDataset jsonPath key md5 parentField path recordSet references regex repeated replace samplingRate
    separator source subField transform equivalentProperty""".split()
CONTEXT: dict[str, Any] = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "sc": "https://schema.org/",
    "cr": "http://mlcommons.org/croissant/",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "dct": "http://purl.org/dc/terms/",
    "conformsTo": "dct:conformsTo",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "examples": {"@id": "cr:examples", "@type": "@json"},
    **{key: f"cr:{key}" for key in PLAIN},
}
COLUMNS = {
    "id": "what names the row",
    "prompt": "the exact text that a model is asked",
    "inputs": "the named inputs behind the prompt, as JSON",
    "reference": "the first accepted answer",
    "references": "all accepted answers",
    "choices": "the answers to choose from, where there are any",
    "answer": "the place of the right choice, from 0; -1 where there is none",
}
LISTS = ("references", "choices")


def write_croissant(facts: Facts, splits: Sequence[Split], folder: Path) -> Path:
    """Write the description beside the rows."""
    path = folder / NAME
    write(path, to_json(describe(facts, splits)) + "\n")
    return path


def describe(facts: Facts, splits: Sequence[Split]) -> dict[str, Any]:
    """Return the description of exported rows; what is not known is left out."""
    note = " These rows are made up: nothing measured on them says anything of published data."
    known = {
        "@context": CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": CONFORMS,
        "name": facts.title,
        "description": facts.summary + "." + note * facts.made_up,
        "version": f"{facts.version}.0.0" if facts.version.isdigit() else facts.version,
        "license": facts.licence,
        "citeAs": facts.citation,
        "url": facts.homepage,
        "distribution": [_file(split) for split in splits],
        "recordSet": [_records(split) for split in splits],
    }
    return {key: value for key, value in known.items() if value}


def _file(split: Split) -> dict[str, Any]:
    return {
        "@type": "cr:FileObject",
        "@id": split.path.name,
        "name": split.path.name,
        "description": f"{split.rows:,} rows of the split {split.name}",
        "contentUrl": split.path.name,
        "contentSize": f"{split.size} B",
        "encodingFormat": "application/jsonlines",
        "sha256": split.sha256,
    }


def _records(split: Split) -> dict[str, Any]:
    return {
        "@type": "cr:RecordSet",
        "@id": split.name,
        "name": split.name,
        "key": {"@id": f"{split.name}/id"},
        "field": [_field(split, column, text) for column, text in COLUMNS.items()],
    }


def _field(split: Split, column: str, text: str) -> dict[str, Any]:
    return {
        "@type": "cr:Field",
        "@id": f"{split.name}/{column}",
        "name": column,
        "description": text,
        "dataType": "sc:Integer" if column == "answer" else "sc:Text",
        "source": {"fileObject": {"@id": split.path.name}, "extract": {"column": column}},
        **({"isArray": True, "arrayShape": "-1"} if column in LISTS else {}),
    }
