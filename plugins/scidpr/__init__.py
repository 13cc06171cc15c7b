"""scidpr: two encoders that learn which paragraph answers a question."""

from pathlib import Path

from harness import ModelEntry, Ranking, StageEntry, hookimpl


@hookimpl
def harness_models() -> list[ModelEntry]:
    """Return SciDPR."""
    return [
        ModelEntry(
            "scidpr",
            "an encoder of questions and one of paragraphs, trained to bring together what belongs together",
            f"{__name__}.model:SciDpr",
            requires=("torch", "transformers"),
            recipes=Path(__file__).parent / "recipes",
            presets=("minilm", "minilm-whole", "base"),
            stages=("ranking",),
            files=("weights", "question_weights"),
            tags=("papers", "retrieval"),
            licence="Apache-2.0",
        )
    ]


@hookimpl
def harness_stages() -> list[StageEntry]:
    """Return the way it learns."""
    return [
        StageEntry(
            "ranking",
            "tell the text that answers a question from others of its source and of the batch",
            f"{__name__}.stage:RankingStage",
            rows=(Ranking,),
            task="qasper/evidence",
            tags=("retrieval",),
        )
    ]
