"""A row is followed to each metric's terms, and the terms make the value."""

import dataclasses
import re

import pytest

from harness import Answers, Completion, Example, PromptTokens, ReadyModel, UsageError
from harness.chem.pictures import comparison
from harness.leaderboards.explain import as_text, explain, write_page
from harness.leaderboards.intake.submission import Submission, write_submission

from .conftest import Words, make_submission, make_view, say

CAPTION = ("the acid is a poison", "an acid is the toxicant")
MOLECULE = ("CC(=O)Oc1ccccc1C(=O)O", "O=C(O)c1ccccc1O")


class Drawn(Words):
    def picture(self, example, answer):
        return comparison(example.references[0], answer)


@pytest.fixture
def explained(load, tmp_path):
    def make(metrics, reference, answer):
        shelf = load().metrics
        loaded = {name: (shelf.get(name).entry, shelf.get(name).load()) for name in metrics}
        row = Example("r1", {"word": "w"}, (reference,))
        view = make_view(examples=[row], metrics=loaded, task=Drawn([row]))
        made = make_submission(view, 1.0)
        made = Submission(made.about, {"r1": Completion("r1", answer)})
        if not (tmp_path / "s").exists():
            write_submission(made, tmp_path / "s", made.outputs)
        return explain(tmp_path / "s", "r1", lambda *_, **__: view)

    return make


def facts_of(found, metric):
    step = next(step for step in found.steps if step.title.startswith(f"{metric}: "))
    return dict(step.facts)


def fraction(text):
    part, whole = map(int, re.findall(r"\d+", text))
    return part / whole


def test_the_terms_of_text_metrics_make_their_values(explained):
    found = explained(["bleu-2", "rouge-1", "rouge-l", "meteor"], *CAPTION)
    assert [step.title for step in found.steps[:4]] == ["data", "prompt", "output", "answer read by the task"]
    assert dict(found.steps[1].facts)["asked"] == "Say w"
    bleu = facts_of(found, "bleu-2")
    value = (fraction(bleu["1-gram precision"]) * fraction(bleu["2-gram precision"])) ** 0.5
    assert float(bleu["value of this row"]) == pytest.approx(
        100 * value * float(bleu["brevity penalty"]), abs=1e-3
    )
    for name in ("rouge-1", "rouge-l"):
        terms = facts_of(found, name)
        p, r = fraction(terms["precision"]), fraction(terms["recall"])
        assert float(terms["value of this row"]) == pytest.approx(100 * 2 * p * r / (p + r), abs=1e-3)
    meteor = facts_of(found, "meteor")
    p, r = fraction(meteor["precision"]), fraction(meteor["recall"])
    matches = int(meteor["matched words"].split()[0])
    penalty = 0.5 * (int(meteor["chunks of adjacent matches"]) / matches) ** 3
    expected = 100 * (1 - penalty) * p * r / (0.9 * p + 0.1 * r)
    assert float(meteor["value of this row"]) == pytest.approx(expected, abs=1e-3)


def test_the_terms_of_molecule_metrics_make_their_values_and_both_are_drawn(explained, tmp_path):
    found = explained(["levenshtein", "validity", "molecule-exact", "maccs", "morgan"], *MOLECULE)
    edits = facts_of(found, "levenshtein")
    total = sum(int(edits[f"{name} characters"]) for name in ("replace", "insert", "delete"))
    assert float(edits["value of this row"]) == total
    for name in ("maccs", "morgan"):
        terms = facts_of(found, name)
        shared, ours, theirs = (
            int(terms[k]) for k in ("shared features", "only in the answer", "only in the reference")
        )
        assert float(terms["value of this row"]) == pytest.approx(
            100 * shared / (shared + ours + theirs), abs=1e-3
        )
    assert facts_of(found, "molecule-exact")["inchi of the answer"].startswith("InChI=")
    page = write_page(found, tmp_path / "page")
    text = page.read_text(encoding="utf-8")
    assert "<script" not in text and 'src="picture.svg"' in text
    drawn = (tmp_path / "page" / "picture.svg").read_text()
    assert drawn.startswith("<svg") and "reference" in drawn and "green: in both" in drawn


def test_hostile_answers_are_text_on_the_page_and_terminal_safe_json(explained, tmp_path):
    found = explained(["exact-match"], "x", "<img src=x onerror=alert(1)>")
    assert "&lt;img" in write_page(found, tmp_path / "p").read_text()
    assert "<img src=x" in as_text(found)
    assert dataclasses.asdict(found)["id"] == "r1"


def test_an_unknown_row_is_said_with_the_nearest(tmp_path, view):
    made = make_submission(view, 0.5)
    write_submission(made, tmp_path / "s", made.outputs)
    with pytest.raises(UsageError, match="no answer to a row 'row-1999'") as caught:
        explain(tmp_path / "s", "row-1999", lambda *_, **__: view)
    assert "row-199" in caught.value.hint


def test_a_prompt_is_shown_as_the_model_plugin_itself_reads_it(run):
    class Reads(Answers):
        def prompt_tokens(self, request):
            return PromptTokens((1, 2), ("<s>", request.prompt), 1)

    class Bench:
        def open_model(self, name, task, *, preset, options, checkpoint):
            asked.append((name, task, preset, checkpoint.name))
            return ReadyModel(session(lambda request: ""), None)

    asked: list[tuple[str, ...]] = []
    view = make_view(1)
    say(run, {"id": "row-0", "raw": "x"})

    def prompt():
        steps = explain(run, "row-0", lambda *_, **__: view, Bench()).steps
        return next(dict(step.facts) for step in steps if step.title == "prompt")

    session = Reads
    assert prompt()["pieces"].startswith("<s> Say ")
    assert prompt()["begin-of-sequence tokens"] == "1"
    assert asked[0] == ("m", "words", "tiny", "20260101-aaaa")
    session = Answers
    assert "does not support" in prompt()["pieces"]
