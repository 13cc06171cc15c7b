"""Mozi's yes/no probe, word for word: three solved questions before the one that is asked.

The three are of QASPER's training papers (Dasigi et al., 2021; CC BY 4.0), evidence and marked sentence as
the release shows them; two of the lists of choices lack a full stop there, and the question gets one more.
"""

from __future__ import annotations

from harness import PromptFormat

CHOICES = ("No", "Yes")  # one token each of LLaMA's; the release compares the two

_RUMORS = (
    "Rumour detection on social media is a novel research field without official data sets. Since licences "
    "agreements forbid redistribution of data, no data sets from previous publications are available. "
)
_OWN = (
    "We therefore followed previous researchers like Liu et. al (2015) and Yang et. al (2012) and created "
    "our own dataset."
)
_WIKIPEDIA = (
    "Wikipedia. We used the January 2018 English Wikipedia dataset as one of the corpora on which to train "
    "Vecsigrafo. "
)
_GENERAL = (
    "As opposed to SciGraph or SemScholar, specific of the scientific domain, Wikipedia is a source of "
    "general-purpose information."
)
_LEXICONS = (
    "While the structure of our introduced model allows us to easily include more linguistic features that "
    "could potentially improve our predictive power, such as lexicons, since our focus is to study sentence "
    "representation for emotion intensity, we do not experiment adding any additional sources of "
    "information as input."
)


def _block(evidence: str, question: str, last: str, answer: str = "") -> str:
    return (
        f"### Evidence:\n{evidence}\n### Question:\n{question}\n"
        f"### Choices:\nA. No.\nB. {last}\n### Answer:\n{answer}"
    )


PROBE = PromptFormat(
    "mozi-yes-no",
    "## Description: Please refer to the evidence to answer the question with Yes or No.\n\n\n"
    + _block(f"{_RUMORS}{_OWN}\n{_OWN}", "Do they build a dataset of rumors?", "Yes", "Yes.\n\n\n")
    + _block(f"{_WIKIPEDIA}{_GENERAL}\n{_GENERAL}", "Is the data specific to a domain?", "Yes.", "No.\n\n\n")
    + _block(f"{_LEXICONS}\n{_LEXICONS}", "did they experiment with lexicons?", "Yes", "No.\n\n\n")
    + _block("{evidence}", "{question}.", "Yes."),
)
