"""The published sets, each with its card: where its files are and which of their rows are its own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import ClassVar

from harness.data.hub import HubFiles

from . import cmedqa
from .base import Questions
from .published import Found, whole_object

ROWS, LABELS = "ori_pqal.json", "test_ground_truth.json"  # PubMedQA's rows, and what part of them is the test
CONVERTED = "refs/convert/parquet"  # where the hub keeps tables of sets that are published as scripts
_MEDQA_PAPER = "Jin et al., What disease does this patient have?, Applied Sciences 2021, arXiv:2009.13081"
_MEDQA_TERMS = "MIT"


def _tables(repository: str, config: str) -> dict[str, HubFiles]:
    """Return the files of a data set with several parts, a table or several a split."""
    return {
        split: HubFiles(repository, f"{config}/{split}[-/]*.parquet")
        for split in ("train", "validation", "test")
    }


CHOSEN: tuple[str, ...] = ("accuracy", "parse-rate", "abstention", "letter-bias", "ece", "brier")
MIRAGES = "accuracy-letter@mirage"  # of the sets that MIRAGE has: how it counts them


class Exam(Questions):
    """A set whose questions are answered by letters."""

    scored: ClassVar[tuple[str, ...]] = CHOSEN

    @property
    def metrics(self) -> tuple[str, ...]:  # type: ignore[override]
        """What is scored; how far answers hang on the order of options only where several are asked."""
        return (*self.scored, "permutation-consistency") if self.options.orders > 1 else self.scored


class MedQaUs(Exam):
    """MedQA of the United States, four options."""

    names: ClassVar[tuple[str, ...]] = ("medqa", "medqa-usmle")
    count: ClassVar[int] = 4
    scored: ClassVar[tuple[str, ...]] = (*CHOSEN, MIRAGES)
    sources: Mapping[str, str] = {
        "hub": "GBaker/MedQA-USMLE-4-options: 10,178 train, 1,273 test",
        "dir": "files of US/4_options, such as phrases_no_exclude_test.jsonl",
    }
    hub = {  # noqa: RUF012
        split: HubFiles("GBaker/MedQA-USMLE-4-options", f"phrases_no_exclude_{split}.jsonl")
        for split in ("train", "test")
    }
    homepage = "https://github.com/jind11/MedQA"
    licence = _MEDQA_TERMS
    citation = _MEDQA_PAPER


class MedQaUs5(MedQaUs):
    """MedQA of the United States, five options."""

    count = 5
    scored = CHOSEN
    sources: Mapping[str, str] = {
        "hub": "fzkuji/MedQA (med_qa_en_source): 10,178 train, 1,272 validation, 1,273 test",
        "dir": "files of US, such as test.jsonl",
    }
    hub = _tables("fzkuji/MedQA", "med_qa_en_source")


class MedQaMainland(MedQaUs):
    """MedQA of mainland China, four options."""

    names = ("medqa-mcmle",)
    scored = CHOSEN
    sources: Mapping[str, str] = {
        "hub": "fzkuji/MedQA (med_qa_zh_4options_source): 27,400 train, 3,425 validation, 3,426 test",
        "dir": "files of Mainland/4_options, or Apollo's XMedBench: test_zh.json",
    }
    hub = _tables("fzkuji/MedQA", "med_qa_zh_4options_source")


class MedQaMainland5(MedQaMainland):
    """MedQA of mainland China, five options."""

    count = 5
    sources: Mapping[str, str] = {
        "hub": "fzkuji/MedQA (med_qa_zh_source): 27,400 train, 3,425 validation, 3,426 test",
        "dir": "files of Mainland, such as test.jsonl",
    }
    hub = _tables("fzkuji/MedQA", "med_qa_zh_source")


class MedMcqa(Exam):
    """MedMCQA; its test has no public answers, so that its validation rows are the test, as elsewhere."""

    names = ("medmcqa",)
    scored: ClassVar[tuple[str, ...]] = (*CHOSEN, MIRAGES)
    sources: Mapping[str, str] = {
        "hub": "openlifescienceai/medmcqa: 182,822 train, 4,183 test (published as validation)",
        "dir": "train.json and dev.json, or the hub's tables",
    }
    hub = {  # noqa: RUF012
        "train": HubFiles("openlifescienceai/medmcqa", "data/train-*.parquet"),
        "test": HubFiles("openlifescienceai/medmcqa", "data/validation-*.parquet"),
    }
    homepage = "https://medmcqa.github.io"
    licence = "Apache-2.0"
    citation = "Pal et al., MedMCQA, CHIL 2022, arXiv:2203.14371"


class PubMedQa(Exam):
    """PubMedQA, the 500 labelled test questions with their abstracts."""

    names = ("pubmedqa",)
    shows_context = True
    scored = ("accuracy", "macro-f1", *CHOSEN[1:], MIRAGES)
    sources: Mapping[str, str] = {
        "hub": "bigbio/pubmed_qa (pubmed_qa_labeled_fold0_source)",
        "dir": "ori_pqal.json, with test_ground_truth.json beside it to name the test",
    }
    hub = _tables("bigbio/pubmed_qa", "pubmed_qa_labeled_fold0_source")
    hub_revision = CONVERTED
    homepage = "https://pubmedqa.github.io"
    licence = "MIT"
    citation = "Jin et al., PubMedQA, EMNLP 2019, arXiv:1909.06146"

    def splits(self) -> tuple[str, ...]:
        """Name the splits; the file of labels parts one file into the test and the rest."""
        return ("train", "test") if self._labels is not None else super().splits()

    def found(self, split: str) -> Iterator[Found]:
        """Yield the rows of a split."""
        named = self._labels
        for row in super().found(split):
            if named is None or row.question is None or (row.question.id in named) == (split == "test"):
                yield row

    def files_of(self, split: str) -> Sequence[Path]:
        """Return the files of a split; where labels part it, the one file that has all rows."""
        if self._labels is None:
            return super().files_of(split)
        source = Path(self.data.source)
        return [source] if source.is_file() else [source / ROWS]

    @cached_property
    def _labels(self) -> frozenset[str] | None:
        """The ids of the test, where a file beside the rows names them."""
        source = Path(self.data.source)
        folder = source if source.is_dir() else source.parent
        if self.data.source == "hub" or not all((folder / name).is_file() for name in (ROWS, LABELS)):
            return None
        return frozenset(map(str, whole_object(folder / LABELS) or ()))


class PubMedQaUnaided(PubMedQa):
    """PubMedQA without the abstracts."""

    shows_context = False


class Cmb(Exam):
    """CMB-Exam, with one or several right answers."""

    names = ("cmb", "cmb-single")
    single = False
    scored = (*CHOSEN, "multi-answer-exact@cmb")
    sources: Mapping[str, str] = {
        "hub": "FreedomIntelligence/CMB: 269,359 train, 280 validation; 11,200 test, without answers",
        "dir": "CMB-Exam's files: CMB-train, CMB-val, CMB-test with its answers beside it",
    }
    hub = {  # noqa: RUF012
        split: HubFiles("FreedomIntelligence/CMB", f"CMB-Exam/CMB-{name}/*.json")
        for split, name in (("train", "train"), ("validation", "val"), ("test", "test"))
    }
    homepage = "https://github.com/FreedomIntelligence/CMB"
    licence = "Apache-2.0"
    citation = "Wang et al., CMB, NAACL 2024, arXiv:2308.08833"


class CmExam(Exam):
    """CMExam, with one or several right answers."""

    names = ("cmexam",)
    single = False
    sources: Mapping[str, str] = {
        "hub": "fzkuji/CMExam",
        "dir": "train, val and test as CSV or JSON with Question, Options and Answer",
    }
    hub = {  # noqa: RUF012
        split: HubFiles("fzkuji/CMExam", f"{name}.json")
        for split, name in (("train", "train"), ("validation", "valid"), ("test", "test"))
    }
    homepage = "https://github.com/williamliujl/CMExam"
    licence = "Apache-2.0"
    citation = "Liu et al., CMExam, NeurIPS 2023, arXiv:2306.03030"


class CmmluMedical(Exam):
    """The seven medical subjects of CMMLU."""

    names = ("cmmlu", "cmmlu-medical")
    subjects = (
        *("anatomy", "clinical_knowledge", "college_medicine", "genetics", "nutrition"),
        *("traditional_chinese_medicine", "virology"),
    )
    sources: Mapping[str, str] = {
        "dir": "the folders dev and test of cmmlu_v1_0_1.zip (lmlmcat/cmmlu), a CSV file a subject",
    }
    homepage = "https://github.com/haonan-li/CMMLU"
    licence = "CC BY-NC-SA 4.0"
    citation = "Li et al., CMMLU, arXiv:2306.09212"


class MmluMedical(Exam):
    """The six medical subjects of MMLU."""

    names = ("mmlu", "mmlu-medical")
    subjects = (
        *("anatomy", "clinical_knowledge", "college_biology", "college_medicine"),
        *("medical_genetics", "professional_medicine"),
    )
    scored: ClassVar[tuple[str, ...]] = (*CHOSEN, MIRAGES)
    sources: Mapping[str, str] = {
        "hub": "cais/mmlu: 123 validation, 1,089 test",
        "dir": "the folders dev, val and test of MMLU, a CSV file a subject",
    }
    hub = {  # noqa: RUF012
        split: HubFiles("cais/mmlu", f"all/{split}-*.parquet") for split in ("validation", "test")
    }
    homepage = "https://github.com/hendrycks/test"
    licence = "MIT"
    citation = "Hendrycks et al., MMLU, ICLR 2021, arXiv:2009.03300"


class BioAsq(Exam):
    """BioASQ's yes or no questions."""

    names = ("bioasq",)
    scored = ("accuracy", "macro-f1", *CHOSEN[1:], MIRAGES)
    sources: Mapping[str, str] = {"dir": "BioASQ's JSON, or MIRAGE's questions"}
    homepage = "http://bioasq.org"
    licence = "CC BY 2.5 for participants; see its page"
    citation = "Krithara et al., BioASQ-QA, Scientific Data 2023"


class FreeForm(Questions):
    """A set whose questions are answered in free words."""

    chosen = False
    metrics: tuple[str, ...] = ("rouge-1@zh", "rouge-2@zh", "rouge-l@zh", "bleu-4@zh")


class Huatuo(FreeForm):
    """Questions to doctors, as Huatuo-26M publishes them."""

    sources: Mapping[str, str] = {
        "hub": "FreedomIntelligence/huatuo26M-testdatasets: 6,000 test",
        "dir": "JSON lines of questions and answers",
    }
    hub = {"test": HubFiles("FreedomIntelligence/huatuo26M-testdatasets", "*.jsonl")}  # noqa: RUF012
    homepage = "https://github.com/FreedomIntelligence/Huatuo-26M"
    licence = "Apache-2.0"
    citation = "Li et al., Huatuo-26M, arXiv:2305.01526"


class CMedQa(FreeForm):
    """cMedQA2: questions to doctors with all answers that count as right."""

    sources: Mapping[str, str] = {
        "dir": "question, answer and train, dev and test candidates (.csv, .txt, .zip)"
    }
    homepage = "https://github.com/zhangsheng93/cMedQA2"
    licence = "non-commercial research"
    citation = "Zhang et al., Multi-scale attentive interaction networks for Chinese medical QA, 2018"

    def splits(self) -> tuple[str, ...]:
        """Name the splits whose candidates are there."""
        return cmedqa.splits(Path(self.data.source)) or super().splits()

    def found(self, split: str) -> Iterator[Found]:
        """Yield the questions of a split with their answers."""
        folder = Path(self.data.source)
        return cmedqa.read(folder, split) if cmedqa.splits(folder) else super().found(split)


class PromptCblue(FreeForm):
    """PromptCBLUE, answers as texts; the scores by structure of its own evaluation are not computed here."""

    metrics: ClassVar[tuple[str, ...]] = ("exact-match", "rouge-l@zh", "bleu-4@zh")  # type: ignore[misc]
    sources: Mapping[str, str] = {"dir": "train.json, dev.json and test.json: lines of input and target"}
    homepage = "https://github.com/michael-wzhu/PromptCBLUE"
    licence = "see its page"
    citation = "Zhu et al., PromptCBLUE, arXiv:2310.14151"
