"""Any task of lm-evaluation-harness: its rows, prompts, examples and scoring are lm-eval's own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any

from harness.api.bounds import Range
from harness.api.errors import UsageError
from harness.api.example import Example, Request
from harness.api.spec import DataSpec
from harness.api.task import Task, TaskOptions

from . import require
from .chat import as_text, turns_of
from .documents import GENERATE, LIKELIHOOD, META, ROLLING, Document, Part, column
from .generation import settings_of

KINDS = {LIKELIHOOD: "choose", ROLLING: "perplexity", GENERATE: "generate", "multiple_choice": "choose"}
PREFIX = {True: "lm-eval:", False: "lm-eval-lower:"}  # before a metric's name: is more of it better?


@dataclass(frozen=True, slots=True)
class LmEvalOptions(TaskOptions):
    """How a task of lm-eval is asked; `shots` and their seed are lm-eval's, -1: as many as the task says."""

    shots: Annotated[int, Range(least=-1)] = -1
    shots_seed: int = 1234
    chat: bool = False  # examples and question are turns, which a model lays out by its chat template
    network: bool = False  # rows of tasks in a folder may come from the network
    trust_code: bool = False  # code beside a task, scripts of metrics and programs of a model may run


class LmEval(Task):
    """A task of lm-eval, of its own with `--data hub`, or of a folder of YAML files with `--data DIR`."""

    Options = LmEvalOptions
    options: LmEvalOptions
    sources: Mapping[str, str] = {
        "hub": "lm-eval's own tasks, whose rows come from the Hugging Face hub",
        "dir": "a folder of tasks in lm-eval's YAML, with rows of your own",
    }
    licence = "that of the task's rows"
    prose_unasked = False

    def __init__(self, data: DataSpec | None = None, options: Any = None) -> None:
        super().__init__(data, options)
        if self.options.shots_by != "seed":
            raise UsageError("a task of lm-eval draws its own examples", hint="leave task.shots_by out")
        self._shots = self.options.shots
        self.options = replace(self.options, shots=0)  # lm-eval puts them before the question

    def opened(self, name: str) -> None:
        """Open the task of lm-eval that is named behind the slash."""
        own_name = name.partition("/")[2]
        if not own_name:
            raise UsageError("no task of lm-eval is named", hint="--task lm-eval/NAME")
        require()
        from lm_eval import __version__  # here, because a task's card needs no lm-eval

        from .finding import Source, find

        own = self.data.source == "hub"
        folder = None if own else Path(self.data.source)
        network = own or self.options.network
        self._theirs = find(own_name, Source(folder, network=network, trusted=self.options.trust_code))
        self.kind = KINDS[self._theirs.OUTPUT_TYPE]
        self.version = f"{self._theirs.VERSION} in lm-eval {__version__}"
        if self.kind == "choose":
            self.options = replace(self.options, ask="likelihood")
        better = self._theirs.higher_is_better()
        self.metrics = tuple(
            PREFIX[better.get(metric, True)] + column(metric, ensemble.name)
            for ensemble in self._theirs._filters
            for metric in self._theirs.aggregation()
        )

    def settings(self) -> Mapping[str, Any]:
        """Return how the task has answers generated."""
        if self.kind != "generate":
            return {}
        found = settings_of(self._theirs.config.generation_kwargs or {})
        return {f"generate.{name}": value for name, value in found.items()}

    def splits(self) -> tuple[str, ...]:
        """Name the one split: the documents that lm-eval asks about."""
        return ("test",)

    def examples(self, split: str) -> Iterator[Example]:
        """Yield what is asked of each document, in lm-eval's order and with the examples that it draws."""
        from .finding import quietly  # as in `opened`

        with quietly():
            task = self._theirs
            task.set_fewshot_seed(self.options.shots_seed)
            for place, row in task.doc_iterator():
                document = Document(task, row, self._asked(row, place))
                parts = list(document.parts())
                for n, part in enumerate(parts):
                    yield self._example(f"{place}-{n}" if len(parts) > 1 else str(place), part)

    def _asked(self, row: Any, place: int) -> list[Any]:
        """Return what lm-eval asks of a document."""
        task, chat = self._theirs, self.options.chat
        default = task.config.num_fewshot or 0
        template = as_text if chat else None
        context = task.fewshot_context(
            row,
            num_fewshot=default if self._shots < 0 else self._shots,
            gen_prefix=task.doc_to_prefix(row),
            apply_chat_template=chat,
            fewshot_as_multiturn=True,
            chat_template=template,
        )
        told = (task.config.task, place, task.config.repeats)
        made = task.construct_requests(
            doc=row, ctx=context, metadata=told, apply_chat_template=chat, chat_template=template
        )
        return made if isinstance(made, list) else [made]

    def _example(self, name: str, part: Part) -> Example:
        if KINDS[part.kind] != self.kind:
            raise UsageError(
                f"this task asks for {part.kind} beside {self._theirs.OUTPUT_TYPE}, one of which a run has",
                hint="run-bench lm-eval run --model assay asks for both",
            )
        choices = part.continuations
        return Example(name, {"text": part.context}, self._right(part, choices), {META: part}, choices)

    def _right(self, part: Part, choices: tuple[str, ...]) -> tuple[str, ...]:
        """Return what the task takes to be right, as far as that is one of its choices or a text."""
        if part.kind == ROLLING or (len(choices) == 1 and self._theirs.OUTPUT_TYPE == LIKELIHOOD):
            return choices
        wanted = self._theirs.doc_to_target(part.document.row)
        texts = []
        for one in wanted if isinstance(wanted, list) else [wanted]:
            if isinstance(one, int) and choices:
                texts += [choices[one]] if 0 <= one < len(choices) else []
            elif choices:
                texts += [choice for choice in choices if choice.strip() == str(one).strip()]
            else:
                texts.append(str(one))
        return tuple(texts)

    def prompt(self, example: Example) -> str:
        """Return the context."""
        return example.inputs["text"]

    def request(self, example: Example, prompt: str) -> Request:
        """Ask for the context as it stands; in a chat its turns are laid out by the model."""
        if self.options.chat and self.kind != "perplexity":
            return Request(example.id, "", example.inputs, example.choices, turns_of(example.inputs["text"]))
        return Request(example.id, prompt, example.inputs, example.choices, exact=True)

    def answer(self, text: str, request: Request) -> str:
        """Leave the answer as it was said: the task's own filters read it."""
        return text
