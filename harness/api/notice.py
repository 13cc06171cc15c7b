"""What people are told beside answers and numbers, such as that they are no medical advice."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .model import ModelEntry
    from .spec import RunSpec
    from .task import TaskEntry

Notice = Mapping[str, str]  # by language: en, zh
SAMPLE = "built-in sample: not comparable with published numbers"
MEDICAL: Notice = {
    "en": "Answers come from a language model and may be wrong. They are no medical advice: ask a doctor.",
    "zh": "回答由语言模型生成，可能有误，不构成医疗建议。如有不适，请咨询医生。",
}


def notice_of(spec: RunSpec, *entries: ModelEntry | TaskEntry) -> Notice:
    """Return what the setting `notice` says, or else the first of the entries that has something to say."""
    if spec.notice is not None:
        return {"en": spec.notice} if spec.notice else {}
    return next((entry.notice for entry in entries if entry.notice), {})
