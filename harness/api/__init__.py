"""The vocabulary of Assay: what plugins are written in. Standard library and pluggy only."""

from .errors import (
    DataError,
    DuplicateName,
    HarnessError,
    MissingDependency,
    PluginError,
    RunLocked,
    StageError,
    UsageError,
    nearest,
)
from .example import (
    Completion,
    Conversation,
    Document,
    Evaluator,
    Example,
    Pairs,
    Prediction,
    PromptFormat,
    Request,
    Score,
    TrainData,
    TrainPair,
    TrainRow,
)
from .hooks import API_VERSION, hookimpl, hookspec
from .metric import Metric, MetricEntry
from .model import ModelEntry, ModelPlugin, NoOptions
from .run import Checkpoint, Progress, RunContext, RunRecord, SilentProgress
from .spec import DataSpec, GenerateSpec, LaunchSpec, RunSpec, TrainSpec
from .task import Task, TaskEntry

__all__ = [
    "API_VERSION",
    "Checkpoint",
    "Completion",
    "Conversation",
    "DataError",
    "DataSpec",
    "Document",
    "DuplicateName",
    "Evaluator",
    "Example",
    "GenerateSpec",
    "HarnessError",
    "LaunchSpec",
    "Metric",
    "MetricEntry",
    "MissingDependency",
    "ModelEntry",
    "ModelPlugin",
    "NoOptions",
    "Pairs",
    "PluginError",
    "Prediction",
    "Progress",
    "PromptFormat",
    "Request",
    "RunContext",
    "RunLocked",
    "RunRecord",
    "RunSpec",
    "Score",
    "SilentProgress",
    "StageError",
    "Task",
    "TaskEntry",
    "TrainData",
    "TrainPair",
    "TrainRow",
    "TrainSpec",
    "UsageError",
    "hookimpl",
    "hookspec",
    "nearest",
]
