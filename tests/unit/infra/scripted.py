"""A real CloudFormation client whose answers are written down: for what AWS does and an emulator does not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import boto3
from botocore.awsrequest import AWSResponse
from botocore.compat import HTTPHeaders

if TYPE_CHECKING:
    from botocore.model import OperationModel
    from mypy_boto3_cloudformation import CloudFormationClient


class Scripted:
    """Answers each operation in the order written down for it, and its last answer from then on."""

    def __init__(self, answers: Mapping[str, Sequence[Mapping[str, Any]]]) -> None:
        self.client: CloudFormationClient = boto3.client("cloudformation")
        self.calls: list[tuple[str, dict[str, Any]]] = []
        self._answers = {operation: list(scripted) for operation, scripted in answers.items()}
        events: Any = self.client.meta.events  # whose types do not know that a handler may answer
        events.register("before-call.cloudformation", self._answer)

    def called(self, operation: str) -> list[dict[str, Any]]:
        """What an operation was asked, each time that it was."""
        return [asked for name, asked in self.calls if name == operation]

    def _answer(self, model: OperationModel, params: dict[str, Any], **_: Any) -> tuple[AWSResponse, Mapping[str, Any]]:
        self.calls.append((model.name, params["body"]))
        left = self._answers.get(model.name, [{}])
        answer = left.pop(0) if len(left) > 1 else left[0]
        return AWSResponse("https://cloudformation", 200, HTTPHeaders(), None), answer
