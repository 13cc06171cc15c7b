"""What goes over the wire: OpenAI's words as typed values. A field that is not here is refused by name."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StrictBool, StrictInt, StrictStr, field_validator
from pydantic_core import PydanticCustomError

MOST_CHOICES = 400  # questions in one request, as OpenAI allows
TokenIds = Annotated[list[Annotated[StrictInt, Field(ge=0)]], Field(min_length=1)]


def can_be_written(text: str) -> bool:
    """Tell whether a text has bytes: JSON can name half of a character, which no tokenizer takes."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


class Wire(BaseModel):
    """Base of what is sent: unknown fields are refused, and texts that hold half a character."""

    model_config = ConfigDict(extra="forbid", strict=True)

    @field_validator("*")
    @classmethod
    def _is_text(cls, value: Any) -> Any:
        for text in value if isinstance(value, list) else [value]:
            if isinstance(text, str) and not can_be_written(text):
                raise PydanticCustomError(
                    "text", "input holds half of a character, a surrogate without its other"
                )
        return value


class TextPart(Wire):
    """A piece of a message's content."""

    type: Literal["text", "input_text", "output_text"]
    text: str


class ChatMessage(Wire):
    """One turn of a conversation."""

    role: Literal["system", "developer", "user", "assistant"]
    content: str | list[TextPart]
    type: Literal["message"] = "message"

    @property
    def said(self) -> str:
        """The text of a message, its parts put together."""
        return self.content if isinstance(self.content, str) else "".join(part.text for part in self.content)


class StreamOptions(Wire):
    """What is told at the end of a stream."""

    include_usage: bool = False
    include_obfuscation: Literal[False] = False


class Settings(Wire):
    """How an answer is decoded; what is left out is as the server was told.

    OpenAI's words and, below, those that this server knows beside them.
    """

    model: str
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    n: Annotated[int, Field(ge=1, le=128)] | None = None
    stop: Annotated[str, Field(min_length=1)] | list[Annotated[str, Field(min_length=1)]] | None = None
    seed: int | None = None
    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    top_p: Annotated[float, Field(gt=0, le=1)] | None = None
    frequency_penalty: Literal[0] | None = None  # what clients send by themselves
    presence_penalty: Literal[0] | None = None
    decoder: Literal["greedy", "sampling", "beam", "contrastive"] | None = None
    top_k: Annotated[int, Field(ge=0)] | None = None
    min_p: Annotated[float, Field(ge=0, le=1)] | None = None
    repetition_penalty: Annotated[float, Field(gt=0)] | None = None
    penalty_alpha: Annotated[float, Field(ge=0, le=1)] | None = None
    num_beams: Annotated[int, Field(ge=1, le=64)] | None = None
    constraint: Literal["", "smiles"] | None = None


class ChatRequest(Settings):
    """`POST /v1/chat/completions`."""

    messages: Annotated[list[ChatMessage], Field(min_length=1)]
    max_tokens: Annotated[int, Field(ge=1)] | None = None
    max_completion_tokens: Annotated[int, Field(ge=1)] | None = None
    template: str | None = None  # another than the model's own
    logprobs: bool | None = None
    top_logprobs: Annotated[int, Field(ge=0, le=20)] | None = None


class CompletionRequest(Settings):
    """`POST /v1/completions`: prompts are texts, or token ids."""

    prompt: str | TokenIds | Annotated[list[str] | list[TokenIds], Field(min_length=1)]
    max_tokens: Annotated[int, Field(ge=0)] | None = None
    logprobs: Annotated[int, Field(ge=0, le=20)] | None = None
    echo: bool | None = None


class Choice(Wire):
    """One of the answers to choose from; a string and a boolean of the same text are distinct."""

    value: StrictStr | StrictBool
    description: str | None = None


class Level(Wire):
    """One of the levels of a score, the lowest first."""

    label: str
    description: str | None = None


class Question(Wire):
    """A question about the input of a decision."""

    instructions: str | list[TextPart]
    name: str | None = None

    @property
    def asked(self) -> str:
        """The text of the question."""
        asked = self.instructions
        return asked if isinstance(asked, str) else "".join(part.text for part in asked)


class PredicateQuestion(Question):
    """Is it so?"""

    type: Literal["predicate"]


class ChoiceQuestion(Question):
    """Which of these?"""

    type: Literal["choice"]
    choices: Annotated[list[Choice], Field(min_length=2, max_length=64)]


class ScoreQuestion(Question):
    """How much, on these levels?"""

    type: Literal["score"]
    levels: Annotated[list[Level], Field(min_length=2, max_length=64)]


AnyQuestion = Annotated[PredicateQuestion | ChoiceQuestion | ScoreQuestion, Field(discriminator="type")]


class DecisionRequest(Wire):
    """`POST /v1/decisions`."""

    model: str
    input: str | Annotated[list[ChatMessage], Field(min_length=1)]
    questions: Annotated[list[AnyQuestion], Field(min_length=1, max_length=MOST_CHOICES)]


class Usage(BaseModel):
    """What an answer took."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int


class Problem(BaseModel):
    """What is wrong with a request."""

    message: str
    type: str
    param: str | None = None
    code: str | None = None


class ProblemReply(BaseModel):
    """OpenAI's error shape."""

    error: Problem


class Reply(BaseModel):
    """An answer; `object` says of which kind."""

    model_config = ConfigDict(extra="allow")

    id: str
    object: str
    created: int
    model: str
    choices: list[dict[str, Any]]
    usage: Usage | None = None
