"""What is handed in is read strictly: ids decide, order does not, scores inside are ignored."""

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness import Completion, DataError, UsageError
from harness.leaderboards.board.build import Foreign, add, build
from harness.leaderboards.board.scored import read_answers
from harness.leaderboards.board.store import Store
from harness.leaderboards.intake import submission as submissions
from harness.leaderboards.intake.submission import Submission, read_outputs, read_submission
from harness.leaderboards.publish.places import everything

from ..conftest import make_submission, make_view

ABOUT = {"schema": 1, "name": "m", "task": "words", "split": "test", "data": {"source": "sample"}}


def write(folder, about, rows):
    folder.mkdir(exist_ok=True)
    (folder / "submission.json").write_text(json.dumps(about))
    (folder / "predictions.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder


def rows_of(submission):
    return [{"id": key, "output": output.text} for key, output in submission.outputs.items()]


def test_a_written_submission_reads_back_and_order_cannot_matter(tmp_path, view):
    made = make_submission(view, 0.5)
    submissions.write_submission(made, tmp_path / "s", made.outputs)
    assert read_submission(tmp_path / "s").outputs == made.outputs
    turned = write(tmp_path / "t", dict(made.about), reversed(rows_of(made)))
    assert read_submission(turned).digest == made.digest


def test_scores_inside_a_submission_are_ignored_and_that_is_said(tmp_path):
    found = read_submission(
        write(tmp_path / "s", ABOUT | {"scores": {"exact": 1.0}}, [{"id": "1", "output": ""}])
    )
    assert "scores" not in found.about
    assert any("ignored" in note for note in found.notes)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"schema": 2}, "1 was expected"),
        ({"task": None}, "not of type"),
        ({"task": "../../etc"}, "does not match"),
        ({"name": ""}, "should be non-empty"),
        ({"name": "x" * 101}, "too long"),
        ({"data": {}}, "'source' is a required property"),
        ({"trust": "trained"}, "unexpected"),
        ({"model": {"url": "javascript:alert(1)"}}, "does not match"),
        ({"seconds": {"train": -1}}, "minimum"),
    ],
)
def test_a_malformed_card_is_refused_with_its_place(tmp_path, change, said):
    with pytest.raises(DataError, match=said):
        read_submission(write(tmp_path / "s", ABOUT | change, [{"id": "1", "output": ""}]))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('"curve": [[1, 1e400]]', "the number 1e400 is too large"),
        ('"curve": [[1, 1e300]]', "curve/0/1: 1e.300 is greater"),
        ('"seed": ' + "9" * 5000, "5000 digits is too large"),
        ('"seed": ' + "9" * 19, "19 digits is too large"),
        ('"environment": {"a": NaN}', "NaN is no number"),
        ('"environment": {"a": -Infinity}', "-Infinity is no number"),
        ('"environment": ' + '{"a": ' * 3000 + "1" + "}" * 3000, "not JSON|nested more than"),
        ('"training": [' + "[" * 30 + "]" * 30 + "]", "nested more than 20 deep"),
        ('"seconds": {"train": 1e308, "generate": 1e308}', "seconds/train: 1e.308 is greater"),
        ('"notes": "' + "x" * 2**20 + '"', "bytes; at most"),
    ],
)
def test_what_no_table_could_hold_is_refused_before_it_is_kept(tmp_path, text, said):
    folder = write(tmp_path / "s", ABOUT, [{"id": "1", "output": ""}])
    whole = json.dumps(ABOUT)[:-1] + f", {text}}}"
    (folder / "submission.json").write_text(whole)
    with pytest.raises(DataError, match=said):
        read_submission(folder)


FREE = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    environment=FREE,
    curve=st.lists(st.tuples(st.integers() | st.floats(), st.floats()), max_size=3),
    seconds=st.dictionaries(st.text(max_size=5), st.floats(), max_size=3),
    seed=st.integers() | st.none(),
)
def test_what_is_accepted_always_builds(environment, curve, seconds, seed, tmp_path_factory):
    view = make_view(3)
    folder = tmp_path_factory.mktemp("board")
    about = ABOUT | {"environment": environment, "curve": curve, "seconds": seconds, "seed": seed}
    answers = [{"id": example.id, "output": ""} for example in view.examples]
    store = Store(folder / "board")
    try:
        add(store, write(folder / "s", about, answers), lambda *_, **__: view, Foreign())
    except DataError:
        return
    everything(store, build(store), folder / "out")


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("{", "line 1: not JSON"),
        ("[" * 5000, "line 1: not JSON"),
        ("[]", "is an object"),
        ('{"id": 1.5, "output": "x"}', "which is no id"),
        ('{"output": "x"}', "its rows have no id"),
        ('{"id": "1", "output": null}', "has no answer to '1'"),
        ('{"id": "1", "output": 5}', '"output" is 5, which is not text'),
        ('{"id": "1", "output": "x", "choice_scores": ["a"]}', "list of numbers"),
        ('{"id": "1", "output": "a"}\n{"id": "1", "output": "b"}', "a second answer to '1'"),
        (json.dumps({"id": "1", "output": "C" * 100_001}), "at most 100,000"),
        ("\n\n", "holds no answer"),
        ("\ud800".encode("utf-8", "surrogatepass"), "not UTF-8"),
    ],
)
def test_a_malformed_row_is_refused_with_its_line(line, said):
    with pytest.raises(DataError, match=said):
        read_outputs(line if isinstance(line, bytes) else line.encode(), "p")


def test_short_and_foreign_rows_are_refused_and_named(view):
    made = make_submission(view, 0.5)
    ids = [example.id for example in view.examples]
    short = Submission(made.about, {key: made.outputs[key] for key in ids[1:]})
    with pytest.raises(DataError, match=r"199 of 200 rows of words.*'row-0'"):
        read_answers(short, view)
    other = {**made.outputs, "other": Completion("other", "x")}
    with pytest.raises(DataError, match="does not have: 'other'"):
        read_answers(Submission(made.about, other), view)


def test_a_missing_file_is_named(tmp_path):
    (tmp_path / "s").mkdir()
    (tmp_path / "s" / "predictions.jsonl").write_text("{}")
    with pytest.raises(DataError, match=r"no submission\.json"):
        read_submission(tmp_path / "s")
    (tmp_path / "t").mkdir()
    (tmp_path / "t" / "submission.json").write_text(json.dumps(ABOUT))
    with pytest.raises(DataError, match=r"no predictions\.jsonl"):
        read_submission(tmp_path / "t")


def test_a_folder_with_something_in_it_is_not_written_over(tmp_path, view):
    (tmp_path / "keep").write_text("x")
    with pytest.raises(UsageError, match="not empty"):
        submissions.write_submission(make_submission(view, 1.0), tmp_path, ())


@given(st.dictionaries(st.text(max_size=8), st.text(max_size=20), min_size=1, max_size=8))
def test_any_answers_survive_being_written(answers):
    outputs = {key: Completion(key, text, "") for key, text in answers.items()}
    import gzip

    packed = submissions.outputs_as_bytes(outputs, outputs)
    assert read_outputs(gzip.decompress(packed), "p") == outputs
    assert packed == submissions.outputs_as_bytes(outputs, outputs)


@given(st.text(min_size=1, max_size=60))
def test_any_name_gives_a_safe_id(name):
    made = make_submission(make_view(3), 0.5, name)
    assert set(made.id) <= set("abcdefghijklmnopqrstuvwxyz0123456789-")
