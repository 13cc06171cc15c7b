"""medical_qa: medical questions in English and Chinese, by letters or in free words."""

from harness import TaskEntry, hookimpl
from harness.api.notice import MEDICAL

GROUP = "medical_qa"
SAMPLED = {
    "choice": ("task:Choice", "multiple choice", "choose", ("en", "zh")),
    "short": ("task:Short", "short answers", "generate", ("en", "zh")),
    "prompts": ("task:Prompts", "short answers, to be judged", "generate", ("en", "zh")),
    "preferences": ("task:Preferences", "a right and a wrong answer to each", "generate", ("en", "zh")),
    "corpus": ("task:Corpus", "the sentences that hold the facts of the sample", "perplexity", ("en", "zh")),
}
PUBLISHED = {
    "medqa-us": ("MedQaUs", "MedQA, United States, four options", "choose", "en"),
    "medqa-us-5": ("MedQaUs5", "MedQA, United States, five options", "choose", "en"),
    "medqa-mainland": ("MedQaMainland", "MedQA, mainland China, four options", "choose", "zh"),
    "medqa-mainland-5": ("MedQaMainland5", "MedQA, mainland China, five options", "choose", "zh"),
    "medmcqa": ("MedMcqa", "MedMCQA, Indian entrance exams", "choose", "en"),
    "pubmedqa": ("PubMedQa", "PubMedQA with abstracts: yes, no or maybe", "choose", "en"),
    "pubmedqa-unaided": ("PubMedQaUnaided", "PubMedQA without abstracts", "choose", "en"),
    "cmb": ("Cmb", "CMB-Exam, one or several answers", "choose", "zh"),
    "cmexam": ("CmExam", "CMExam, one or several answers", "choose", "zh"),
    "cmmlu": ("CmmluMedical", "the medical subjects of CMMLU", "choose", "zh"),
    "mmlu": ("MmluMedical", "the medical subjects of MMLU", "choose", "en"),
    "bioasq": ("BioAsq", "BioASQ, yes or no", "choose", "en"),
    "huatuo": ("Huatuo", "questions to doctors, Huatuo-26M", "generate", "zh"),
    "cmedqa": ("CMedQa", "questions to doctors, cMedQA2", "generate", "zh"),
    "promptcblue": ("PromptCblue", "PromptCBLUE, answers as texts", "generate", "zh"),
}
EXAMS = tuple(name for name, (_, _, kind, _) in PUBLISHED.items() if kind == "choose")
TAGS = ("medicine", "question-answering")


@hookimpl
def harness_tasks() -> list[TaskEntry]:
    """Return the group of what is built in, the group of the exams, and every set."""
    sampled = [
        TaskEntry(
            f"{GROUP}/{name}",
            f"medical questions: {summary}",
            f"{__name__}.{target}",
            kind=kind,
            tags=TAGS,
            languages=languages,
            notice=MEDICAL,
        )
        for name, (target, summary, kind, languages) in SAMPLED.items()
    ]
    published = [
        TaskEntry(
            f"{GROUP}/{name}",
            summary,
            f"{__name__}.sets:{target}",
            kind=kind,
            tags=TAGS,
            languages=(language,),
            notice=MEDICAL,
        )
        for name, (target, summary, kind, language) in PUBLISHED.items()
    ]
    return [
        TaskEntry(
            GROUP,
            "medical questions in English and Chinese: multiple choice and short answers",
            members=(f"{GROUP}/choice", f"{GROUP}/short"),
            tags=TAGS,
            languages=("en", "zh"),
            notice=MEDICAL,
        ),
        TaskEntry(
            f"{GROUP}/exams",
            "every published set of medical questions with options",
            members=tuple(f"{GROUP}/{name}" for name in EXAMS),
            tags=TAGS,
            languages=("en", "zh"),
            notice=MEDICAL,
        ),
        *sampled,
        *published,
    ]
