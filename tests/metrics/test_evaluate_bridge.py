"""Bundled metrics work as `evaluate` modules, and local `evaluate` modules as metrics, both offline."""

import json
from textwrap import dedent

import pytest

from harness import UsageError
from harness.cli.main import main
from harness.engine.plugin_manager import load_plugins
from harness.engine.registry import Registry
from harness.metrics.evaluate_bridge import metric, module
from harness.metrics.rows import make_pairs

pytest.importorskip("evaluate")
pytestmark = pytest.mark.filterwarnings("ignore")


def test_a_bundled_metric_is_an_evaluation_module():
    import evaluate

    bridge = module("rouge-l")
    assert isinstance(bridge, evaluate.EvaluationModule)
    assert bridge.compute(predictions=["a strong acid"], references=["a strong acid"])["rouge-l"] == 1.0
    assert bridge.compute(predictions=["an acid"], references=[["a base", "an acid"]])["rouge-l"] == 1.0


def test_an_unknown_metric_is_refused_with_a_suggestion():
    with pytest.raises(UsageError) as caught:
        module("rouge-m")
    assert "rouge-" in caught.value.hint


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "same_length"
    folder.mkdir()
    (folder / "same_length.py").write_text(
        dedent(
            """
            import datasets
            import evaluate


            class SameLength(evaluate.Metric):
                def _info(self):
                    features = datasets.Features(
                        {"predictions": datasets.Value("string"), "references": datasets.Value("string")}
                    )
                    return evaluate.MetricInfo(description="", citation="", features=features)

                def _compute(self, predictions, references):
                    same = [len(p) == len(r) for p, r in zip(predictions, references)]
                    return {"same_length": sum(same) / len(same)}
            """
        )
    )
    return folder


def test_a_local_module_is_a_metric(folder):
    score = metric(str(folder))(make_pairs(["ab", "c"], ["xy", "zz"]))
    assert score.value == 0.5 and score.metric == f"evaluate:{folder}"


def test_score_takes_a_local_module_by_its_path(folder, tmp_path, capsys):
    saved = tmp_path / "a.tsv"
    saved.write_text("SMILES\tground truth\toutput\nC\tab\txy\nC\tc\tzz\n")
    assert main(["score", str(saved), "--metrics", f"rouge-1,evaluate:{folder}", "--json"]) == 0
    scores = json.loads(capsys.readouterr().out)["scores"]
    assert scores[f"evaluate:{folder}"]["value"] == 0.5


def test_a_task_may_name_a_local_module(folder):
    found = Registry(load_plugins()).metrics.get(f"evaluate:{folder}")
    assert found.load()(make_pairs(["ab"], ["xy"])).value == 1.0


def test_a_path_without_a_module_is_one_clear_sentence(tmp_path, capsys):
    saved = tmp_path / "a.tsv"
    saved.write_text("SMILES\tground truth\toutput\nC\tab\txy\n")
    assert main(["score", str(saved), "--metrics", f"evaluate:{tmp_path / 'absent'}"]) == 2
    assert "evaluate cannot load" in capsys.readouterr().err
