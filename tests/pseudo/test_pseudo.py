"""Pseudo-data: neighbours, writers, filters, and a build that no kill can hurt."""

from __future__ import annotations

import gzip
import json
import threading
from collections.abc import Callable, Iterator, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rdkit import Chem, DataStructs
from rdkit.Chem import rdFingerprintGenerator

from harness import Completion, DataError, Request, SilentProgress, UsageError
from harness.pseudo import filters, retrieval
from harness.pseudo.build import Described, Settings, build, forbidden_blocks
from harness.pseudo.sources import read_smiles
from harness.pseudo.writers import Item, ModelWriter, RetrievalWriter
from harness.retrieval.structure import MorganIndex

DESCRIBED = {
    "CCO": "The molecule is a primary alcohol. It has one hydrogen-bond donor.",
    "Clc1ccccc1": "The molecule is a chlorobenzene. It holds one aromatic ring.",
    "CC(=O)Oc1ccccc1C(=O)O": "The molecule is a benzoic acid. It has one aromatic ring and reduces fever.",
    "c1ccc2ccccc2c1": "The molecule is a naphthalene. It holds two aromatic rings.",
    "CCN(CC)CC": "The molecule is a tertiary amine. It has no hydrogen-bond donors.",
}
UNLABELLED = ["CCCO", "Brc1ccccc1", "CCCCO", "OCC", "not a molecule", "Fc1ccc2ccccc2c1", "CCCN(CC)CC", "CCCO"]


@pytest.fixture
def described() -> Described:
    return Described(list(DESCRIBED), list(DESCRIBED.values()), forbidden_blocks(["CCCCO"]), "d")


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "molecules.smi"
    path.write_text("\n".join(line for line in UNLABELLED if " " not in line) + "\n", encoding="utf-8")
    return path


def rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def make(source: Path, described: Described, out: Path, **changes: Any) -> Any:
    options = Settings(**({"least_similarity": 0.1} | changes))
    return build(source, described, RetrievalWriter(), out, options, SilentProgress())


def item(smiles: str, caption: str = "The molecule is a thing.", neighbour: str = "CCO") -> Item:
    mol, beside = Chem.MolFromSmiles(smiles), Chem.MolFromSmiles(neighbour)
    return Item(smiles, smiles, mol, neighbour, caption, beside, 0.5)


def test_the_neighbour_is_the_one_a_full_comparison_finds() -> None:
    generator = rdFingerprintGenerator.GetMorganGenerator(radius=2, fpSize=2048)
    prints = [generator.GetFingerprint(Chem.MolFromSmiles(smiles)) for smiles in DESCRIBED]
    neighbours = MorganIndex(list(DESCRIBED))
    for smiles in ("CCCO", "Brc1ccccc1", "CCCN(CC)CC", "O=C(O)c1ccccc1", "c1ccc2cc3ccccc3cc2c1"):
        mol = Chem.MolFromSmiles(smiles)
        similarities = DataStructs.BulkTanimotoSimilarity(generator.GetFingerprint(mol), prints)
        found = neighbours.nearest(mol)
        assert found is not None
        assert found.score == pytest.approx(max(similarities), abs=1e-12)
        assert found.place == similarities.index(max(similarities))


def test_nothing_shared_means_no_neighbour() -> None:
    assert MorganIndex(["CCO"]).nearest(Chem.MolFromSmiles("[Xe]")) is None


@pytest.mark.parametrize(
    ("neighbour", "molecule", "caption", "wanted"),
    [
        (
            "Clc1ccccc1",
            "Brc1ccccc1",
            "A chlorobenzene. It is chlorinated.",
            "A bromobenzene. It is brominated.",
        ),
        ("Clc1ccccc1", "c1ccccc1", "An arene. The chloro group stands alone.", "An arene."),
        ("c1ccccc1", "c1ccc2ccccc2c1", "It holds one aromatic ring.", "It holds two aromatic ring."),
        ("CCO", "OCCO", "It has one hydrogen-bond donor.", "It has two hydrogen-bond donor."),
        ("CCO", "CCCO", "A primary alcohol.", "A primary alcohol."),
    ],
)
def test_rules_mend_or_leave_out_what_is_not_true(
    neighbour: str, molecule: str, caption: str, wanted: str
) -> None:
    adapted = retrieval.adapt(caption, Chem.MolFromSmiles(neighbour), Chem.MolFromSmiles(molecule))
    assert adapted == wanted


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ('Description: "The molecule is ethanol."', "The molecule is ethanol."),
        ("Sure, here is the description:\n“The molecule is ethanol.”", "The molecule is ethanol."),
        ("**Caption**: The molecule is ethanol.", "The molecule is ethanol."),
        ("  The molecule\n is ethanol. ", "The molecule is ethanol."),
        ('"Ethanol" is the molecule.', '"Ethanol" is the molecule.'),
    ],
)
def test_wrapping_is_cut_off(text: str, wanted: str) -> None:
    assert filters.cleaned(text) == wanted


def test_bad_captions_say_why() -> None:
    def why(text: str) -> str:
        return filters.fault(text, fewest_words=3, most_words=6)

    assert why("") == "empty"
    assert why("Too short.") == "2 words, at least 3 are wanted"
    assert why("one two three four five six seven.") == "7 words, at most 6 are wanted"
    assert why("As an AI I decline.") == "a refusal"
    assert why("The molecule is a") == "cut off in a sentence"
    assert why("The molecule is fine.") == ""


def test_molecules_come_from_lines_tables_dumps_and_sdf(tmp_path: Path) -> None:
    (tmp_path / "a.smi").write_text("CCO\nCCN\n", encoding="utf-8")
    (tmp_path / "dump.tsv").write_text("702\tCCO\n1068\tCCN\n", encoding="utf-8")
    with gzip.open(tmp_path / "b.smi.gz", "wt") as stream:
        stream.write("CCO\nCCN\n")
    writer = Chem.SDWriter(str(tmp_path / "c.sdf"))
    for smiles in ("CCO", "CCN"):
        writer.write(Chem.MolFromSmiles(smiles))
    writer.close()
    for name in ("a.smi", "dump.tsv", "b.smi.gz", "c.sdf"):
        assert [smiles for _, smiles in read_smiles(tmp_path / name)] == ["CCO", "CCN"], name


def test_every_molecule_is_written_once_or_rejected_with_a_reason(
    source: Path, described: Described, tmp_path: Path
) -> None:
    out = tmp_path / "pseudo.jsonl"
    report = make(source, described, out)
    written = {row["smiles"]: row for row in rows(out)}
    assert set(written) == {"CCCO", "Brc1ccccc1", "Fc1ccc2ccccc2c1", "CCCN(CC)CC"}
    assert report.written == 4
    assert report.rejected == {"in a test set": 1, "described already": 1}
    assert written["Brc1ccccc1"]["description"].startswith("The molecule is a bromobenzene.")
    assert written["Brc1ccccc1"]["provenance"] == {
        "writer": "retrieval",
        "neighbour": "Clc1ccccc1",
        "similarity": pytest.approx(0.5, abs=0.2),
    }


def test_a_json_array_holds_the_same_rows(source: Path, described: Described, tmp_path: Path) -> None:
    make(source, described, tmp_path / "a.jsonl")
    make(source, described, tmp_path / "b.json")
    assert json.loads((tmp_path / "b.json").read_text()) == rows(tmp_path / "a.jsonl")


def test_a_folder_that_was_built_into_is_a_training_set(
    source: Path, described: Described, tmp_path: Path
) -> None:
    from harness.chem import published

    folder = tmp_path / "pseudo"
    make(source, described, folder / "train.jsonl")
    assert len(list(published.read(folder, "train"))) == 4


def test_another_limit_continues_and_other_settings_are_refused(
    source: Path, described: Described, tmp_path: Path
) -> None:
    out = tmp_path / "pseudo.jsonl"
    assert make(source, described, out, limit=2).written >= 2
    assert len(rows(out)) == 2
    assert make(source, described, out).written == 4
    with pytest.raises(UsageError, match="another words"):
        make(source, described, out, most_words=9)


def test_what_was_rejected_is_not_counted_again_by_the_next_start(
    source: Path, described: Described, tmp_path: Path
) -> None:
    source.write_text(source.read_text() * 20 + "C(C\nCC(\nC(C\n", encoding="utf-8")
    out = tmp_path / "pseudo.jsonl"
    first = make(source, described, out)
    assert first.rejected["unreadable SMILES"] == 3
    journal = (tmp_path / ".pseudo.jsonl.rows").read_bytes()
    assert make(source, described, out).rejected == first.rejected
    assert (tmp_path / ".pseudo.jsonl.rows").read_bytes() == journal


@settings(max_examples=25, deadline=None)
@given(cut=st.integers(min_value=1, max_value=3000))
def test_a_build_cut_anywhere_continues_to_the_same_file(tmp_path_factory: Any, cut: int) -> None:
    folder = tmp_path_factory.mktemp("cut")
    source = folder / "molecules.smi"
    source.write_text("CCCO\nBrc1ccccc1\nFc1ccc2ccccc2c1\nCCCN(CC)CC\n", encoding="utf-8")
    described = Described(list(DESCRIBED), list(DESCRIBED.values()), frozenset(), "d")
    out = folder / "pseudo.jsonl"
    make(source, described, out)
    whole, journal = out.read_bytes(), folder / ".pseudo.jsonl.rows"
    header = journal.read_bytes().index(b"\n") + 1
    out.unlink()
    journal.write_bytes(journal.read_bytes()[: max(header, cut)])
    make(source, described, out)
    assert out.read_bytes() == whole


def test_a_model_plugin_can_write(source: Path, described: Described, tmp_path: Path) -> None:
    def generate(requests: Sequence[Request]) -> Iterator[Completion]:
        for request in reversed(requests):
            assert "SMILES: " in request.prompt and "Description: The molecule is" in request.prompt
            yield Completion(request.id, "Description: The molecule is whatever you like.")

    out = tmp_path / "pseudo.jsonl"
    build(source, described, ModelWriter("parrot", generate), out, Settings(0.1), SilentProgress())
    assert {row["description"] for row in rows(out)} == {"The molecule is whatever you like."}
    assert {row["provenance"]["writer"] for row in rows(out)} == {"parrot"}


@pytest.fixture
def endpoint() -> Iterator[Callable[[list[int]], tuple[str, list[dict[str, Any]]]]]:
    servers: list[ThreadingHTTPServer] = []

    def start(codes: list[int]) -> tuple[str, list[dict[str, Any]]]:
        asked: list[dict[str, Any]] = []

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                asked.append(body | {"authorization": self.headers.get("Authorization")})
                code = codes.pop(0) if codes else 200
                answer = {"choices": [{"message": {"content": "The molecule is as it is."}}]}
                data = json.dumps(answer).encode()
                self.send_response(code)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *arguments: Any) -> None:
                return

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        servers.append(server)
        return f"http://127.0.0.1:{server.server_port}/v1", asked

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def test_an_endpoint_can_write(
    endpoint: Callable[..., Any], main: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "k")
    (tmp_path / "new.smi").write_text("CC(=O)c1ccco1\n", encoding="utf-8")
    url, asked = endpoint([])
    done = main(
        *("pseudo-data", "new.smi", "--described", "sample", "--out", "pseudo.jsonl", "--quiet"),
        *("--least-similarity", "0.1", "--endpoint", url, "--endpoint-model", "m", "--per-minute", 6000),
    )
    assert done.code == 0, done.err
    assert {row["provenance"]["writer"] for row in rows(tmp_path / "pseudo.jsonl")} == {"endpoint:m"}
    assert asked[0]["authorization"] == "Bearer k"
    assert "SMILES: CC(=O)c1ccco1" in asked[0]["messages"][0]["content"]


def test_captions_alone_are_no_molecules(tmp_path: Path) -> None:
    path = tmp_path / "captions.txt"
    path.write_text(
        "The molecule is ethanol, an alcohol.\nThe molecule is an amine of some kind.\n", encoding="utf-8"
    )
    with pytest.raises(DataError):
        list(read_smiles(path))


def test_the_command_builds_from_the_sample_and_reports(
    run_bench: Callable[..., Any], tmp_path: Path
) -> None:
    (tmp_path / "new.smi").write_text("CC(=O)c1ccco1\nO=C(Oc1ccccc1)c1ccco1\n", encoding="utf-8")
    done = run_bench(
        *("pseudo-data", "new.smi", "--described", "sample", "--exclude", "sample"),
        *("--out", "pseudo.jsonl", "--least-similarity", "0.1", "--json"),
    )
    assert done.code == 0, done.err
    report = json.loads(done.out)
    assert report["written"] + sum(report["rejected"].values()) == 2
    assert len(rows(tmp_path / "pseudo.jsonl")) == report["written"]


def test_a_range_that_is_none_is_refused(run_bench: Callable[..., Any], tmp_path: Path) -> None:
    done = run_bench("pseudo-data", "x.smi", "--described", "sample", "--out", "o.jsonl", "--words", "5")
    assert (done.code, done.out) == (2, "")
    assert "no range" in done.err
