"""The vocabulary of Assay: what plugins are written in. Standard library and pluggy only."""

from .errors import (
    DataError,
    DuplicateName,
    HarnessError,
    LostProcess,
    MissingDependency,
    PluginError,
    RunLocked,
    StageError,
    TryAgain,
    UsageError,
    nearest,
)
from .example import (
    Annotation,
    Completion,
    Example,
    Message,
    Pairs,
    Passage,
    Prediction,
    Request,
    Score,
)
from .hooks import API_VERSION, hookimpl, hookspec
from .metric import Metric, MetricEntry, Metrics
from .model import ModelEntry, ModelPlugin, NoOptions
from .prompt import PromptFormat
from .retrieval import Hit, Index, Retriever, RetrieverEntry
from .rows import (
    Conversation,
    Document,
    Evaluator,
    Judge,
    Preference,
    PromptRow,
    TrainData,
    TrainPair,
    TrainRow,
)
from .run import Checkpoint, Progress, RunContext, RunRecord, SilentProgress
from .session import Answers, ModelSession, PromptTokens
from .spec import DataSpec, GenerateSpec, LaunchSpec, RunSpec, TrainSpec
from .stage import StageEntry
from .task import DataReport, Finding, Task, TaskEntry, TaskOptions
from .verb import Verb, VerbEntry
from .workbench import ReadyModel, TaskView, Workbench

__all__ = [
    "API_VERSION",
    "Annotation",
    "Answers",
    "Checkpoint",
    "Completion",
    "Conversation",
    "DataError",
    "DataReport",
    "DataSpec",
    "Document",
    "DuplicateName",
    "Evaluator",
    "Example",
    "Finding",
    "GenerateSpec",
    "HarnessError",
    "Hit",
    "Index",
    "Judge",
    "LaunchSpec",
    "LostProcess",
    "Message",
    "Metric",
    "MetricEntry",
    "Metrics",
    "MissingDependency",
    "ModelEntry",
    "ModelPlugin",
    "ModelSession",
    "NoOptions",
    "Pairs",
    "Passage",
    "PluginError",
    "Prediction",
    "Preference",
    "Progress",
    "PromptFormat",
    "PromptRow",
    "PromptTokens",
    "ReadyModel",
    "Request",
    "Retriever",
    "RetrieverEntry",
    "RunContext",
    "RunLocked",
    "RunRecord",
    "RunSpec",
    "Score",
    "SilentProgress",
    "StageEntry",
    "StageError",
    "Task",
    "TaskEntry",
    "TaskOptions",
    "TaskView",
    "TrainData",
    "TrainPair",
    "TrainRow",
    "TrainSpec",
    "TryAgain",
    "UsageError",
    "Verb",
    "VerbEntry",
    "Workbench",
    "hookimpl",
    "hookspec",
    "nearest",
]
