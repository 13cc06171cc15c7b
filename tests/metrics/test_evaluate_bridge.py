"""Bundled metrics work as `evaluate` modules, and local `evaluate` modules as metrics, both offline."""

from textwrap import dedent

import pytest

from harness import UsageError
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


def test_a_local_module_is_a_metric(tmp_path):
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
    score = metric(str(folder))(make_pairs(["ab", "c"], ["xy", "zz"]))
    assert score.value == 0.5 and score.metric == f"evaluate:{folder}"
