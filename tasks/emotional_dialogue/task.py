"""Mozi's dialogues: lists of what a person and a bot say in turn; the bot's last reply is asked for."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path

from harness import Conversation, DataError, Example, Message, Task, TrainRow
from harness.data.hub import HubFiles, fetch
from harness.data.split_files import files_of, split_of

HUB = "DataHammer/emotional_dialog"
SPEAKERS = {"Human: ": "user", "Bot: ": "assistant"}
SPLITS = ("train", "validation", "test")
HELD_OUT = 20  # one dialogue in so many, where one file is all there is


class EmotionalDialogue(Task):
    """Dialogues, each asked for its last reply and learned whole."""

    version = "1"
    metrics = ("rouge-l", "bleu-2", "distinct-answers")
    sources: Mapping[str, str] = {
        "hub": f"{HUB}: 1,069 dialogues that people wrote with ChatGPT's help from 50 beginnings",
        "dir": "train.json, or a file a split: a list of dialogues, each a list of turns",
    }
    files: Mapping[str, str] = {"train.json": '[["Human: …", "Bot: …", …], …]'}
    homepage = f"https://huggingface.co/datasets/{HUB}"
    licence = "none stated (published data)"

    def splits(self) -> tuple[str, ...]:
        """Name the splits; one file alone gives a twentieth of its dialogues to the test."""
        if self.data.source == "hub" or self._alone:
            return ("train", "test")
        return tuple(split for split in SPLITS if files_of(Path(self.data.source), split))

    @property
    def _alone(self) -> bool:
        """Whether no file but the training split's is there."""
        if self.data.source == "hub":
            return True
        named = [split for split in SPLITS if files_of(Path(self.data.source), split)]
        files = files_of(Path(self.data.source), "train")
        return named == ["train"] or (len(files) == 1 and split_of(files[0].name) is None)

    def examples(self, split: str) -> Iterator[Example]:
        """Yield the dialogues of a split in the order of its file."""
        for number, (name, turns) in enumerate(self._dialogues(split)):
            if self._alone and (number % HELD_OUT == 0) != (split == "test"):
                continue
            *before, last = turns
            yield Example(name, {}, (last.text,), messages=tuple(before))

    def prompt(self, example: Example) -> str:
        """Return nothing: the turns are all that is asked."""
        return ""

    def training_rows(self, example: Example, prompt: str) -> Iterator[TrainRow]:
        """Yield the whole dialogue; what the bot says is learned."""
        yield Conversation((*example.messages, Message("assistant", example.references[0])))

    def _dialogues(self, split: str) -> Iterator[tuple[str, list[Message]]]:
        for path in self._files("train" if self._alone else split):
            try:
                dialogues = json.loads(path.read_text(encoding="utf-8"))
            except (OSError, ValueError, RecursionError) as error:
                raise DataError(f"{path} is no JSON that can be read: {error}") from error
            if not isinstance(dialogues, list):
                raise DataError(f"{path} holds no list of dialogues", hint='[["Human: …", "Bot: …"], …]')
            for number, said in enumerate(dialogues):
                yield f"{path.stem}-{number:04d}", _turns(said, f"{path}: dialogue {number}")

    def _files(self, split: str) -> list[Path]:
        if self.data.source == "hub":
            return list(fetch(HubFiles(HUB, "train.json"), split, self.data.revision).files)
        found = files_of(Path(self.data.source), split)
        if not found:
            raise DataError(
                f"no dialogues of split '{split}' in {self.data.source}", hint="such as train.json"
            )
        return found


def _turns(said: object, where: str) -> list[Message]:
    """Return the turns of a dialogue up to the bot's last; a person who has the last word gets no reply."""
    if not isinstance(said, list) or not all(isinstance(text, str) for text in said):
        raise DataError(f"{where} is no list of turns", hint='["Human: …", "Bot: …", …]')
    turns = [_turn(text, where) for text in said]
    while turns and turns[-1].role != "assistant":
        turns.pop()
    if len(turns) < 2 or turns[0].role != "user":
        raise DataError(f"{where} has no question of a person with a reply to it")
    return turns


def _turn(text: str, where: str) -> Message:
    for prefix, role in SPEAKERS.items():
        if text.startswith(prefix.strip()):
            return Message(role, text[len(prefix.strip()) :].strip())
    raise DataError(f"{where}: a turn begins with {text[:20]!r}", hint="it is of 'Human: ' or 'Bot: '")
