"""Learning from what one's own answers earn: what the policy stages share."""

from __future__ import annotations

import copy
import re
from abc import abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Annotated, Any, NamedTuple

import numpy as np
from torch import Tensor, nn

from harness.api import (
    Conversation,
    GenerateSpec,
    PromptRow,
    Request,
    TrainData,
    TrainPair,
    TrainRow,
    UsageError,
)
from harness.api.bounds import Range
from harness.training import rewards
from harness.training.batching import IGNORED, Collator, EncodedRows, Segment, Shape
from harness.training.distributed import Group
from harness.training.heads import WithHead, body_of
from harness.training.lines import Ask, numbers_of_lines, numbers_of_tokens
from harness.training.logprobs import entropy_of, model_inputs, of_labels, predicted, predicting
from harness.training.objectives import Loss, is_causal
from harness.training.replicated import Replicated
from harness.training.rewards import Answer, Judged, Rewards
from harness.training.rollouts import Asked, Lesson, Rollouts, Said, said_to
from harness.training.rows import check_rows
from harness.training.settings import FitOptions
from harness.training.stage import Collate, Stage
from harness.training.together import asked_together

from .preference import answered
from .reward import reward_of

OLD, REFERENCE = "old", "reference"  # log-likelihoods of a token: when it was said, and of the reference
ADVANTAGE, COUNT, WEIGHT = "advantage", "count", "weight"  # numbers of an answer
TAUGHT, SHARE = "taught", "share"  # of a token of the data's answers: in the loss, and in what is told of it
KNOWN = (OLD, REFERENCE, ADVANTAGE, COUNT, WEIGHT, TAUGHT, SHARE)  # what a batch holds that no model reads
REWARD, KL = "reward", "kl"  # what answers to prompts that are held out earn, and how far they are away
SHOWN = 4  # prompts of a rollout whose answers are written down


@dataclass(frozen=True, slots=True)
class PolicyOptions(FitOptions):
    """What the stages that learn from rewards may be told.

    `prompts`, `samples`: prompts of a rollout, and answers to each. `passes`, `updates`: how often a
    rollout is learned from, and in how many steps each time. `max_new_tokens`: of an answer; 0: as
    generation has it. `temperature`: of sampling. `clip_low`, `clip_high`: how far a token may become less
    or more likely than when it was said. `kl`: what leaving the reference costs. `length_penalty`: what an
    answer of the greatest length costs. `unfinished`: what an answer that did not end costs. `supervised`:
    the weight of the loss of answers in the data, as many as there are prompts. `format`: a
    regular expression that an answer has to match whole, and `format_reward` what that earns.
    `examples_every`: rollouts between two of which answers are written down. `silence`: rollouts without
    anything to learn after which the stage gives up.
    """

    prompts: Annotated[int, Range(least=1)] = 16
    samples: Annotated[int, Range(least=1)] = 8
    passes: Annotated[int, Range(least=1)] = 1
    updates: Annotated[int, Range(least=1)] = 1
    max_new_tokens: Annotated[int, Range(least=0)] = 0
    temperature: Annotated[float, Range(above=0)] = 1.0
    clip_low: Annotated[float, Range(above=0)] = 0.2
    clip_high: Annotated[float, Range(above=0)] = 0.2
    kl: Annotated[float, Range(least=0)] = 0.0
    length_penalty: Annotated[float, Range(least=0)] = 0.0
    unfinished: Annotated[float, Range(least=0)] = 0.0
    supervised: Annotated[float, Range(least=0)] = 0.0
    format: str = ""
    format_reward: float = 1.0
    examples_every: Annotated[int, Range(least=1)] = 10
    silence: Annotated[int, Range(least=1)] = 20


@dataclass(frozen=True, slots=True)
class Rollout:
    """All that was said to some prompts: `places` tells to which of them each answer belongs.

    `rows` are the answers behind their prompts, `told` what the model and its reference said of each
    token, labels x numbers.
    """

    places: np.ndarray
    said: Sequence[Said]
    judged: Judged
    rows: EncodedRows
    told: Mapping[str, Sequence[np.ndarray]]

    @property
    def counts(self) -> np.ndarray:
        """How often each answer was given."""
        return np.array([answer.count for answer in self.said], dtype=float)

    @property
    def earned(self) -> np.ndarray:
        """What each answer earned."""
        return np.array(self.judged.total, dtype=float)

    def away(self) -> np.ndarray:
        """Return how much likelier than the reference the model held each answer."""
        both = zip(self.told[OLD], self.told[REFERENCE], strict=True)
        return np.array([(old - reference).sum() for old, reference in both])

    def groups(self) -> list[np.ndarray]:
        """Return for each prompt the places of its answers."""
        return [np.flatnonzero(self.places == place) for place in range(int(self.places.max()) + 1)]


class SaidAgain(NamedTuple):
    """Of each token of some answers the log-likelihood now, whether it is one, and how open it was."""

    logs: Tensor
    mask: Tensor
    entropy: Tensor
    values: Tensor | None = None  # what a value head expects of it

    def lines(self, chosen: Tensor) -> SaidAgain:
        """Return the same of some of the answers."""
        values = None if self.values is None else self.values[chosen]
        return SaidAgain(self.logs[chosen], self.mask[chosen], self.entropy[chosen], values)

    def means(self, facts: Mapping[str, Tensor], weights: Tensor) -> dict[str, Tensor]:
        """Return the mean of facts over the tokens of each answer, summed by what the answers weigh."""
        share = weights / self.mask.sum(-1)
        return {name: ((value * self.mask).sum(-1) * share).sum() for name, value in facts.items()}


class Policy(Stage):
    """Prompts are answered, answers earn something, and those that earn more become more likely."""

    Options: type[PolicyOptions] = PolicyOptions
    dropout = False  # an answer has the likelihood that it was given with
    validates = False  # a prompt has no loss: its answers are scored by the task
    grouped = True  # whether answers to one prompt are compared with each other
    strategy: Replicated
    collate: Collate

    def check(self, data: TrainData) -> None:
        """Refuse what could not be learned from, before a model is loaded."""
        super().check(data)
        options, spec = self.options, self.spec
        rewards.check(spec, data.judge.metrics if data.judge else {}, model=rewards.MODEL in self.run.inputs)
        if self.grouped and options.samples < 2:
            raise UsageError(
                f"train.options.samples is {options.samples}, and an answer is compared with others to its "
                "prompt",
                hint="--set train.options.samples=8",
            )
        if spec.grad_accumulation != 1 or spec.packing == "packed":
            raise UsageError(
                f"stage '{spec.stage}' deals answers to steps by train.options.updates, one to a line",
                hint="leave train.grad_accumulation at 1, and train.packing at buckets",
            )
        if options.format:
            self._format = _compiled(options.format)
        if options.supervised:
            check_rows(data.taught, replace(self.entry, rows=(TrainPair, Conversation)))
        self.judge = data.judge

    @property
    def asking(self) -> GenerateSpec:
        """How answers are sampled: from the model's own distribution, whole."""
        options, generate = self.options, asked_together(self.run, self.spec.launch)
        return replace(
            generate,
            decoder="sampling",
            num_beams=1,
            n_best=options.samples,
            max_new_tokens=options.max_new_tokens or generate.max_new_tokens,
            temperature=options.temperature,
            top_k=0,
            top_p=1.0,
            min_p=0.0,
            repetition_penalty=1.0,
            deterministic=False,
        )

    def read(self, request: Request) -> Mapping[str, Sequence[int]]:
        """Return a prompt as the model reads it."""
        if self.learner.request is None:
            raise self._unasked()
        return self.learner.request(request)

    def sample(self, model: nn.Module, requests: Sequence[Request], asking: GenerateSpec) -> Iterable[Any]:
        """Return the answers that the model gives to each request."""
        if self.learner.sample is None:
            raise self._unasked()
        return self.learner.sample(model, requests, asking)

    def _unasked(self) -> UsageError:
        return UsageError(
            f"stage '{self.spec.stage}' asks the model while it learns, which this training does not offer",
            hint="Learner(request=..., sample=...) does",
        )

    def source(self, data: TrainData, group: Group) -> Rollouts:
        """Return where steps come from: answers that are still to be given."""
        return Rollouts(data, self, group)

    @property
    def leashed(self) -> bool:
        """Whether going far from a reference costs something."""
        return bool(self.options.kl > 0)

    @property
    def again(self) -> bool:
        """Whether the weights change while a rollout is learned from."""
        return bool(self.options.passes * self.options.updates > 1)

    @property
    def floats(self) -> tuple[str, ...]:
        """What has to be known of each token of an answer."""
        return (*((OLD,) if self.again else ()), *((REFERENCE,) if self.leashed else ()))

    def shape_of(self, *, causal: bool) -> Shape:
        """Return rows of one answer, with what is known of its tokens and what it weighs."""
        numbers = (ADVANTAGE, COUNT, WEIGHT, *((TAUGHT, SHARE) if self.options.supervised else ()))
        return Shape(causal, floats=self.floats, numbers=numbers, weighed_by=WEIGHT)

    def settle(self, strategy: Replicated, rows: Sequence[EncodedRows], collate: Collate) -> None:
        """Keep the model that training begins with, where it is needed, and open the reward model."""
        self.strategy, self.collate = strategy, collate
        self.reference = self._reference() if self.leashed else None
        earn = self._reward_model() if rewards.MODEL in self.spec.rewards else None
        self.rewards = Rewards(self.spec, self.judge, earn)
        self.rollouts = 0

    def _reference(self) -> nn.Module | None:
        """Return the reference; None is the model with its adapter switched off."""
        named = self.other(REFERENCE, self.strategy.group.device)
        if named is not None:
            return named
        if self.spec.method != "full" and not self.spec.lora_continue:
            return None
        if not self.strategy.whole:
            raise UsageError(
                "a reference beside sharded weights would be whole in every process",
                hint="--set train.method=lora keeps it under the adapter, train.options.kl=0 needs none",
            )
        return copy.deepcopy(body_of(self.strategy.module)).eval().requires_grad_(False)

    def _reward_model(self) -> rewards.Earn:
        """Open the reward model, and return what it says of answers."""
        checkpoint = self.run.inputs[rewards.MODEL]
        assert self.learner.open is not None
        opened = self.learner.open(checkpoint)
        model = WithHead(opened.model, words=False)
        model.load(checkpoint.path)
        model.to(self.strategy.group.device).eval().requires_grad_(False)
        shape = Shape(is_causal(model))

        def earn(answers: Sequence[Answer]) -> list[float]:
            rows = EncodedRows(shape)
            for place, answer in enumerate(answers):
                rows.add(answered(opened, answer.request, answer.text, causal=shape.causal), place)
            collate = Collator(rows, opened.pad, packed=False, mask=not shape.causal)
            told = numbers_of_lines(reward_of, model, rows, collate, self.strategy, self.spec.batch_size)
            return [value for (value,) in told]

        return earn

    def state(self) -> dict[str, Any]:
        """Return what is kept from one rollout to the next."""
        return {"rollouts": self.rollouts}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take over what was kept."""
        self.rollouts = state["rollouts"]

    def lesson(self, asked: Sequence[Asked], taught: Sequence[TrainRow] = ()) -> Lesson:
        """Judge what was said, and return what is learned of it and of answers in the data beside it."""
        said, places, judged, rows = self._heard(asked)
        rollout = Rollout(places, said, judged, rows, self.told(rows))
        self.rollouts += 1
        lesson = self.learnt(rollout)
        if len(lesson.rows):
            self._teach(lesson, taught)
        shown = (self.rollouts - 1) % self.options.examples_every == 0
        examples = _examples(asked[:SHOWN], rollout) if shown else ()
        return lesson._replace(facts={**_facts(rollout), **lesson.facts}, examples=examples)

    def looks(self, data: TrainData, group: Group) -> Callable[[], dict[str, float]] | None:
        """Return what answers the prompts that are held out, and tells what that earns."""
        prompts = [row.request for row in data.validation if isinstance(row, PromptRow)]
        prompts = [one for one in prompts[: self.spec.eval_limit] if self.has_room(self.read(one))]
        return partial(self._held_out, prompts, group) if prompts else None

    def has_room(self, read: Mapping[str, Sequence[int]]) -> bool:
        """Whether a prompt leaves room for an answer."""
        return len(read["input_ids"]) + self.asking.max_new_tokens <= self.spec.max_length

    def _held_out(self, prompts: Sequence[Request], group: Group) -> dict[str, float]:
        said, places, judged, rows = self._heard(said_to(self, group, prompts, f"{self.spec.seed}/held-out"))
        told = {name: self.likely(rows, name) for name in ((OLD, REFERENCE) if self.leashed else ())}
        rollout = Rollout(places, said, judged, rows, told)
        found = {REWARD: float(np.average(rollout.earned, weights=rollout.counts))}
        return found | ({KL: float(np.average(rollout.away(), weights=rollout.counts))} if told else {})

    def _heard(self, asked: Sequence[Asked]) -> tuple[list[Said], np.ndarray, Judged, EncodedRows]:
        """Return all answers, to which prompt each belongs, what they earn, and the lines they stand in."""
        said = [answer for group in asked for answer in group.said]
        places = np.repeat(np.arange(len(asked)), [len(group.said) for group in asked])
        judged = self._judged([(group.request, answer) for group in asked for answer in group.said])
        return said, places, judged, self._lines(said)

    @abstractmethod
    def learnt(self, rollout: Rollout) -> Lesson:
        """Return the rows of the answers to learn from, with how much better than expected they were."""

    def _teach(self, lesson: Lesson, taught: Sequence[TrainRow]) -> None:
        """Add answers in the data: together, their tokens weigh as much as all that was said."""
        encoded = [self.learner.encode(row) for row in taught]
        fitting = [row for row in encoded if self.shape.longest(row) <= self.spec.max_length]
        tokens = sum(self.shape.learned(row["labels"]) for row in fitting)
        said = sum(weight for (weight,) in lesson.rows.numbers[WEIGHT])
        for place, row in enumerate(fitting, start=len(lesson.rows)):
            numbers = {name: [0.0] for name in self.shape.numbers}
            numbers |= {TAUGHT: [lesson.weight / tokens], SHARE: [said / tokens]}
            floats = {name: [0.0] * len(row["labels"]) for name in self.floats}
            lesson.rows.add({key: row[key] for key in ("input_ids", "labels")} | floats | numbers, place)

    def _judged(self, said: Sequence[tuple[Request, Said]]) -> Judged:
        """Return what answers earn, penalties included; without a reward model one process judges all."""
        group = self.strategy.group
        judged = None
        if group.rank == 0 or rewards.MODEL in self.spec.rewards:
            answers = [Answer(request, one.text, len(one.tokens), one.ended) for request, one in said]
            judged = self.rewards(answers).with_terms(self._penalties(answers))
        found: Judged = group.agree(judged)
        return found

    def _penalties(self, answers: Sequence[Answer]) -> dict[str, list[float]]:
        options, longest = self.options, self.asking.max_new_tokens
        terms: dict[str, list[float]] = {}
        if options.length_penalty:
            terms["length"] = [-options.length_penalty * answer.tokens / longest for answer in answers]
        if options.unfinished:
            terms["unfinished"] = [0.0 if answer.ended else -options.unfinished for answer in answers]
        if options.format:
            matches = [self._format.fullmatch(answer.text.strip()) for answer in answers]
            terms["format"] = [options.format_reward if match else 0.0 for match in matches]
        return terms

    def _lines(self, said: Sequence[Said]) -> EncodedRows:
        """Return answers behind their prompts, as they were said."""
        rows = EncodedRows(Shape(self.shape.causal))
        for place, answer in enumerate(said):
            if further := [key for key in answer.prompt if key != "input_ids"]:
                raise UsageError(
                    f"stage '{self.spec.stage}' reads prompts of tokens alone, these hold {further[0]} too"
                )
            prompt, tokens = list(answer.prompt["input_ids"]), list(answer.tokens)
            before = prompt if self.shape.causal else []
            ids = prompt + tokens if self.shape.causal else prompt
            rows.add({"input_ids": ids, "labels": [IGNORED] * len(before) + tokens}, place)
        return rows

    def told(self, rows: EncodedRows) -> dict[str, list[np.ndarray]]:
        """Return what the model, and its reference, say of each token of the answers."""
        return {name: self.likely(rows, name) for name in (OLD, REFERENCE) if name in self.floats}

    def likely(self, rows: EncodedRows, by: str) -> list[np.ndarray]:
        """Return how likely the model, or its reference, holds each token of the answers."""
        model, ask = self.strategy.module, self.likelihoods
        if by == REFERENCE:
            ask = self.likelihoods if self.reference is not None else self._without_adapter
            model = self.reference or model
        return [line[:, 0] for line in self.asked(rows, model, ask)]

    def asked(self, rows: EncodedRows, model: nn.Module, ask: Ask) -> list[np.ndarray]:
        """Return what `ask` says of each row's labels."""
        collate = Collator(rows, self.learner.pad, packed=False, mask=not rows.causal)
        return numbers_of_tokens(ask, model, rows, collate, self.strategy, self.spec.batch_size)

    def _without_adapter(self, model: Any, batch: Mapping[str, Tensor]) -> Tensor:
        with model.disable_adapter():
            return self.likelihoods(model, batch)

    def likelihoods(self, model: nn.Module, batch: Mapping[str, Tensor]) -> Tensor:
        """Return lines x labels x 1: the log-likelihood of each label, at the temperature of sampling."""
        return aligned(Policy.said_again(self, model, batch).logs, causal=self.shape.causal)[..., None]

    def loss(self, model: nn.Module, batch: Mapping[str, Tensor]) -> Loss:
        """Return the loss of what was said, and `supervised` x that of answers in the data, a token."""
        said = self.said_again(model, batch)
        if TAUGHT not in batch:
            return self.loss_of(said, batch)
        taught = batch[TAUGHT] > 0
        loss = self.loss_of(said.lines(~taught), {name: value[~taught] for name, value in batch.items()})
        missed = -(said.logs * said.mask)[taught].sum(-1)
        total = loss.sum + self.options.supervised * (missed * batch[TAUGHT][taught]).sum()
        told = {"supervised_loss": (missed * batch[SHARE][taught]).sum()}
        return Loss(total, loss.weight, {**loss.facts, **told})

    @abstractmethod
    def loss_of(self, said: SaidAgain, batch: Mapping[str, Tensor]) -> Loss:
        """Return what is minimised of answers that the model gave."""

    def said_again(self, model: nn.Module, batch: Mapping[str, Tensor]) -> SaidAgain:
        """Return how likely the model now holds the answers of a batch."""
        causal = self.shape.causal
        inputs = {key: value for key, value in batch.items() if key not in KNOWN}
        logits = model(**model_inputs(model, inputs)).logits
        return self.read_logits(logits, predicted(batch["labels"], causal=causal))

    def read_logits(self, logits: Tensor, labels: Tensor) -> SaidAgain:
        """Return what logits at each position say of the labels."""
        shaped = predicting(logits, causal=self.shape.causal) / self.options.temperature
        return SaidAgain(of_labels(shaped, labels), (labels != IGNORED).float(), entropy_of(shaped, labels))

    def kept(self, batch: Mapping[str, Tensor], name: str, now: Tensor) -> Tensor:
        """Return what was known of each predicted token; where nothing was noted, what is known now."""
        return predicted(batch[name], causal=self.shape.causal) if name in batch else now.detach()

    def clipped(self, now: Tensor, before: Tensor, gained: Tensor) -> tuple[Tensor, Tensor]:
        """Return the clipped loss of actions that are now more or less likely, and where it is clipped."""
        ratio = (now - before).exp()
        near = ratio.clamp(1 - self.options.clip_low, 1 + self.options.clip_high)
        return -(ratio * gained).minimum(near * gained), (near * gained < ratio * gained).float()

    def rows_to_learn(
        self,
        rollout: Rollout,
        kept: np.ndarray,
        numbers: Mapping[str, np.ndarray],
        **told: Sequence[np.ndarray],
    ) -> EncodedRows:
        """Return the rows of the answers at some places, with all that is known of them."""
        rows = EncodedRows(self.shape)
        known = {**rollout.told, **told}
        for place in kept.tolist():
            segment = Segment(place)
            row: dict[str, Any] = {
                key: rollout.rows.values(key, segment).tolist() for key in rollout.rows.keys
            }
            row |= {name: known[name][place].tolist() for name in self.floats}
            row |= {name: [0.0] for name in self.shape.numbers}
            row |= {COUNT: [float(rollout.said[place].count)]}
            row |= {name: [float(values[place])] for name, values in numbers.items()}
            rows.add(row, place)
        return rows


def aligned(values: Tensor, *, causal: bool) -> Tensor:
    """Return values of predicted tokens with one for each label again, which a decoder's first has not."""
    return nn.functional.pad(values, (1, 0)) if causal else values


def _compiled(pattern: str) -> re.Pattern[str]:
    try:
        return re.compile(pattern, re.DOTALL)
    except re.error as error:
        raise UsageError(f"train.options.format is no regular expression: {error}") from error


def _facts(rollout: Rollout) -> dict[str, float]:
    """Return what a rollout was like, over all answers that were given."""
    counts, judged = rollout.counts, rollout.judged

    def mean(values: Sequence[float | None]) -> float:
        known = [(value, count) for value, count in zip(values, counts, strict=True) if value is not None]
        whole = sum(count for _, count in known)
        return float(sum(value * count for value, count in known) / whole) if whole else 0.0

    groups = rollout.groups()
    earned = rollout.earned
    texts = [len({rollout.said[place].text for place in group}) / counts[group].sum() for group in groups]
    return {
        "reward": mean(judged.total),
        **{f"reward/{name}": mean(values) for name, values in judged.terms.items()},
        **{f"metric/{name}": mean(values) for name, values in judged.beside.items()},
        "told_apart": float(np.mean([np.ptp(earned[group]) > 0 for group in groups])),
        "distinct": float(np.mean(texts)),
        "answer_tokens": mean([len(answer.tokens) for answer in rollout.said]),
        "ended": mean([float(answer.ended) for answer in rollout.said]),
        "answers": float(counts.sum()),
        "different_answers": float(len(counts)),
    }


def _examples(asked: Sequence[Asked], rollout: Rollout) -> list[dict[str, Any]]:
    """Return some prompts with all that was said to them, the best first."""
    found = []
    for group, places in zip(asked, rollout.groups(), strict=False):
        order = sorted(places.tolist(), key=lambda place: -rollout.judged.total[place])
        said = [
            {
                "text": rollout.said[place].text,
                "reward": round(rollout.judged.total[place], 4),
                "times": rollout.said[place].count,
                "terms": {name: round(values[place], 4) for name, values in rollout.judged.terms.items()},
            }
            for place in order
        ]
        found.append({"id": group.request.id, "prompt": group.request.prompt, "answers": said})
    return found
