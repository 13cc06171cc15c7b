"""What holds of every bundled metric: identity is best, order and company do not matter, nothing breaks."""

import importlib
import math
import os
import random
import subprocess
import sys

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness import Example, Pairs, Prediction
from harness.metrics import harness_metrics, meteor, ngrams, tokens
from harness.metrics.cards.__main__ import PAGE, page
from harness.metrics.rows import make_pairs
from tests.conftest import ROOT

CARDS = {card.name: card for card in harness_metrics()}
# These need a file or a library that is not ours to ship; with one they are held to golden values.
ELSEWHERE = ("scibert", "t5", "jieba")
ELSEWHERE_TOO = ("fcd", "bertscore", "mozi-bertscore")
NEEDS = [
    n
    for n, c in CARDS.items()
    if c.kind == "property" or n.endswith(ELSEWHERE) or n.startswith(ELSEWHERE_TOO)
]
TEXT = [n for n, c in CARDS.items() if c.kind in ("text", "qa") and n not in NEEDS]
MOLECULE = [n for n, c in CARDS.items() if c.kind == "molecule" and n not in NEEDS]
ODD = [
    "",
    " ",
    "\n\t",
    None,
    float("nan"),
    3,
    "\ud800",
    "\0",
    "a\0b",
    "é" * 50,
    "x" * 100_000,
    "药物",
    "[CLS]",
]
ODD_MOLECULES = [
    "C1CC",
    "c1cccc1",
    "[13CH4]",
    "[CH3]",
    "C.C.O",
    "*",
    "[Na+]",
    "C" * 5000,
    "N/A",
    "CCO is ethanol",
]


def metric(name):
    module, attribute = CARDS[name].target.split(":")
    return getattr(importlib.import_module(module), attribute)


texts = st.lists(
    st.sampled_from(["the acid", "a lipid is", "it inhibits", "poison", "(x)", "水"]), max_size=6
).map(" ".join)
smiles = st.sampled_from(
    ["CCO", "OCC", "c1ccccc1", "C[C@H](N)C(=O)O", "[Na+]", "not one", "", "C1CC", "CC(=O)O"]
)


@pytest.mark.parametrize("name", sorted(CARDS))
def test_every_card_is_complete_and_leads_to_its_metric(name):
    card = CARDS[name]
    assert card.summary and card.definition and card.edge_cases and card.source
    if name not in NEEDS or not card.requires:
        assert metric(name).name == name


def test_the_reference_page_is_what_the_cards_say():
    assert (ROOT / PAGE).read_text(encoding="utf-8") == page()


def test_a_copy_is_no_better_than_perfect():
    """Where sacrebleu's logarithms round up, its own score is 100.00000000000004."""
    pytest.importorskip("sacrebleu")
    assert metric("sacrebleu")(make_pairs(*[["the acid the acid"]] * 2)).value == 1


@pytest.mark.parametrize("name", [n for n in TEXT + MOLECULE if CARDS[n].range == (0.0, 1.0)])
@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_values_stay_in_range_and_do_not_depend_on_order(name, data):
    kind = smiles if name in MOLECULE else texts
    rows = data.draw(st.lists(st.tuples(kind, kind), min_size=1, max_size=6))
    found = metric(name)(make_pairs([o for o, _ in rows], [r for _, r in rows]))
    random.Random(1).shuffle(rows)
    again = metric(name)(make_pairs([o for o, _ in rows], [r for _, r in rows]))
    assert found.value == again.value
    assert found.value is None or 0 <= found.value <= 1


@pytest.mark.parametrize(
    "name",
    [n for n in TEXT + MOLECULE if not n.startswith(("distinct", "uniqueness", "novelty", "qasper-ev"))],
)
def test_no_answer_scores_better_than_the_reference_itself(name):
    references = (
        ["CCO", "c1ccccc1O", "CC(=O)Oc1ccccc1C(=O)O"]
        if name in MOLECULE
        else ["the acid is a strong poison", "a lipid inhibits the enzyme", "it has a role as a drug in man"]
    )
    sign = 1 if CARDS[name].higher_is_better else -1
    best = sign * metric(name)(make_pairs(references, references)).value
    for others in (references[::-1], ["", "", ""], [references[0]] * 3, [r + r for r in references]):
        value = metric(name)(make_pairs(others, references)).value
        assert value is None or sign * value <= best + 1e-12


@pytest.mark.parametrize("name", [n for n in TEXT + MOLECULE if not CARDS[n].silence_wins])
def test_saying_nothing_never_beats_being_wrong(name):
    references = ["CCO", "c1ccccc1"] if name in MOLECULE else ["the acid", "a lipid"]
    for wrong in ("wrong " * 50, "C1CC", "Yes", "[Na+]"):
        silent = metric(name)(make_pairs([references[0], ""], references)).value
        spoken = metric(name)(make_pairs([references[0], wrong], references)).value
        assert silent <= spoken


@pytest.mark.parametrize("name", [n for n in CARDS if n not in NEEDS])
def test_odd_answers_never_break_a_metric(name):
    odd = ODD + (ODD_MOLECULES if name in MOLECULE else [])
    for reference in ("CCO", "the acid"):
        score = metric(name)(make_pairs(odd, [reference] * len(odd)))
        assert score.value is None or math.isfinite(score.value)
        assert score.n == len(odd)


@pytest.mark.parametrize("name", [n for n in CARDS if n not in NEEDS])
def test_no_rows_give_no_value(name):
    assert metric(name)(Pairs([])).value is None


@pytest.mark.parametrize("name", ["bleu-2@scibert", "meteor@scibert", "bleu-2@t5"])
def test_an_absent_vocabulary_is_named_and_gives_no_number(name, tmp_path, monkeypatch):
    monkeypatch.setenv("HARNESS_TEST_DATA", str(tmp_path))
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    score = metric(name)(make_pairs(["a"], ["a"]))
    assert score.value is None
    assert "sha256" in score.note and "--vocab" in score.note


def test_a_wrong_vocabulary_is_refused(tmp_path, monkeypatch):
    monkeypatch.setenv("HARNESS_TEST_DATA", str(tmp_path))
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    (tmp_path / "vocab.txt").write_text("[PAD]\n[UNK]\n")
    score = metric("bleu-2@scibert")(make_pairs(["a"], ["a"], vocab=tmp_path))
    assert score.value is None and "expected f0a65034" in score.note


def test_pieces_after_the_512th_do_not_count(test_data, monkeypatch):
    monkeypatch.setenv("HARNESS_TEST_DATA", str(test_data))
    assert metric("bleu-2@scibert")(make_pairs(["acid " * 520], ["acid " * 600])).value == 1.0


def test_several_references_count_as_nltk_and_rouge_score_count_them():
    rows = [
        (Example("1", {}, ("the acid is strong", "a strong poison")), Prediction("1", "the strong poison")),
        (Example("2", {}, ("a lipid", "lipids in a cell", "a cell")), Prediction("2", "a lipid in a cell")),
    ]
    translate = pytest.importorskip("nltk.translate.bleu_score")
    from harness.metrics import reference

    pairs = Pairs(rows)
    for name in ("bleu-2", "rouge-1", "rouge-2", "rouge-l", "rouge-lsum"):
        assert metric(name)(pairs).value == reference.metric(name)(pairs).value, name
    assert translate is not None


def test_monsters_take_bounded_time_and_are_named():
    star = "*" + "(C)" * 40  # its path fingerprint would take gigabytes
    score = metric("rdk")(make_pairs([star, "CCO"], ["CCO", "CCO"]))
    assert score.value == 0.5
    assert "beyond RDKit" in score.note and star[:20] in score.note


def test_one_files_monster_is_not_held_against_the_next_one():
    star = "*" + "(C)" * 40
    first, second = make_pairs([star], ["CCO"]), make_pairs(["CCO"], ["CCO"])
    shared: dict[object, object] = {}
    first.cache["shared"] = second.cache["shared"] = shared
    assert "beyond RDKit" in metric("rdk")(first).note
    assert metric("rdk")(second).note == ""


@pytest.mark.slow
def test_chains_that_overflow_the_stack_of_rdkit_are_survived():
    chain = "C" * 30_000
    score = metric("canonical-exact")(make_pairs([chain], [chain + "C"]))
    assert score.value == 0.0


def test_scoring_imports_no_heavy_library():
    code = (
        "import sys, importlib\n"
        "from harness.metrics import harness_metrics\n"
        "from harness.metrics.rows import make_pairs\n"
        "for card in harness_metrics():\n"
        "    if card.requires: continue\n"
        "    module, name = card.target.split(':')\n"
        "    getattr(importlib.import_module(module), name)(make_pairs(['CCO', 'C'], ['CCO', 'CC']))\n"
        "heavy = {'torch', 'transformers', 'nltk', 'evaluate', 'pandas', 'scipy'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""


@pytest.mark.parametrize(
    "name", [n for n in TEXT + MOLECULE if n.startswith(("bleu", "rouge", "meteor", "chrf"))]
)
@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_rows_counted_in_small_batches_give_the_same_bits(name, data):
    rows = data.draw(st.lists(st.tuples(texts, texts), min_size=1, max_size=8))
    found = metric(name)(make_pairs([o for o, _ in rows], [r for _, r in rows]))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ngrams, "_TOKENS", 3)
        patch.setattr(meteor, "_TOKENS", 3)
        again = metric(name)(make_pairs([o for o, _ in rows], [r for _, r in rows]))
    assert (found.value, found.per_example) == (again.value, again.per_example)


@pytest.mark.parametrize(
    "name", ["bleu-4", "meteor", "rouge-l", "morgan", "maccs", "molecule-exact", "rdk@molt5"]
)
def test_files_scored_together_give_the_bits_that_they_give_alone(name):
    answers = (["CCO", "C1CC", "c1ccccc1O"], ["CCO is an alcohol", "OCC", "[Na+]"])
    references = ["OCC", "CCC", "Oc1ccccc1"]
    shared: dict = {}
    together = [metric(name)(make_pairs(a, references, cache={"shared": shared})) for a in answers]
    alone = [metric(name)(make_pairs(a, references)) for a in answers]
    assert [(s.value, s.per_example) for s in together] == [(s.value, s.per_example) for s in alone]


@settings(max_examples=3, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    text=st.lists(st.tuples(texts, texts), min_size=30, max_size=40),
    molecules=st.lists(st.tuples(smiles, smiles), min_size=30, max_size=40),
)
def test_threads_processes_and_hash_seeds_do_not_change_a_bit(tmp_path_factory, text, molecules):
    """A scoring is one process; another one with other threads and another hash seed gives the same bits."""
    folder = tmp_path_factory.mktemp("rows")
    printed = []
    for rows, names in (
        (text, "bleu-4,meteor,rouge-l,chrf,distinct-2"),
        (molecules, "smiles-bleu,levenshtein,validity,molecule-exact,maccs,morgan,uniqueness"),
    ):
        path = folder / "a.tsv"
        path.write_text("x\tground truth\toutput\n" + "".join(f"C\t{w}\t{s}\n" for w, s in rows), "utf-8")
        command = [sys.executable, "-m", "harness", "score", str(path), "--metrics", names, "--intervals"]
        for setting in (
            {"PYTHONHASHSEED": "1", "OMP_NUM_THREADS": "1"},
            {"PYTHONHASHSEED": "2", "OMP_NUM_THREADS": "2"},
        ):
            done = subprocess.run(
                [*command, "--json"], capture_output=True, text=True, cwd=ROOT, env=os.environ | setting
            )
            assert done.returncode == 0, done.stderr
            printed.append(done.stdout)
    assert printed[0] == printed[1] and printed[2] == printed[3]


@pytest.mark.parametrize("name", ["validity", "molecule-exact", "canonical-exact", "maccs", "rdk", "morgan"])
@pytest.mark.parametrize("answer", ["", " ", "C1CC", "CCO is ethanol", None])
def test_our_own_molecule_metrics_never_reward_an_empty_or_invalid_answer(name, answer):
    assert not CARDS[name].silence_wins
    score = metric(name)(make_pairs([answer, "CCO"], ["CCO", "CCO"]))
    assert score.per_example == (0.0, 1.0) and score.value == 0.5


@pytest.mark.parametrize("name", ["words", "rouge", "split"])
def test_texts_that_are_split_in_several_goes_have_the_same_tokens(name, monkeypatch):
    texts = ("An ester.", "", "É 2-chloro", "a b a", "an ester")
    whole = tokens.lexicon(name, make_pairs([], [])).encode(texts)
    monkeypatch.setattr(tokens, "TEXTS", 2)
    parts = tokens.lexicon(name, make_pairs([], [])).encode(texts)
    assert whole.ids.tolist() == parts.ids.tolist() and whole.bounds.tolist() == parts.bounds.tolist()
    assert tokens.lexicon(name, make_pairs([], [])).encode(()).bounds.tolist() == [0]
