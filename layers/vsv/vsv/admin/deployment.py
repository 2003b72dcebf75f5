"""The parts of a deployment: its tables, its workflow, its functions that mount EFS."""

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

from vsv import aws
from vsv.catalogue.table import Catalogue
from vsv.errors import InvalidRequest, NotFound, Unavailable

__all__ = ["Deployment", "Verify"]

# Verifies a slide, or a piece of one: see vsv.imports.verify.verify.
Verify = Callable[[Mapping[str, Any]], dict[str, Any]]

# What the local stack's file calls the outputs of the templates.
_IN_FILE: Final = {
    "SlideTableName": "table_name",
    "HistoryTableName": "history_table_name",
    "TermTableName": "term_table_name",
    "ImportStateMachineArn": "import_state_machine_arn",
    "VerifySlideFunctionName": "verify_slide_function",
    "ListSlidesFunctionName": "list_slides_function",
    "CheckFileFunctionName": "check_file_function",
    "PyramidBucketName": "pyramid_bucket",
}
# A function answers within its 15 minutes; a silent connection must stay open until then.
_LONG_CALL: Final = Config(
    connect_timeout=3,
    read_timeout=910,
    tcp_keepalive=True,
    max_pool_connections=64,
    retries={"mode": "standard", "total_max_attempts": 3},
)


@dataclass(frozen=True)
class Deployment:
    """A deployment by the names of its parts. ``source`` says where they were read."""

    source: str
    names: Mapping[str, str]

    @classmethod
    def of_stack(cls, stack: str, region: str | None, profile: str | None) -> Self:
        """Return the deployment of a CloudFormation stack, from its parameters and outputs.

        The stack is of main.template.yaml, or of func.template.yaml alone: that one is told the
        tables by parameters. Raises NotFound.
        """
        boto3.setup_default_session(profile_name=profile, region_name=region)
        try:
            (found,) = aws.client("cloudformation").describe_stacks(StackName=stack)["Stacks"]
        except ClientError as error:
            if error.response["Error"]["Code"] == "ValidationError":
                raise NotFound(f"there is no stack {stack} in this account and region") from error
            raise
        parameters = {
            each["ParameterKey"]: each.get("ParameterValue", "")
            for each in found.get("Parameters", [])
        }
        outputs = {each["OutputKey"]: each["OutputValue"] for each in found.get("Outputs", [])}
        return cls(f"the stack {stack}", {**parameters, **outputs})

    @classmethod
    def of_file(cls, path: Path, region: str | None, profile: str | None) -> Self:
        """Return the deployment that a file describes, as the local stack writes it.

        Where the file names an emulator's address, that is asked, by nobody's credentials. Raises
        InvalidRequest.
        """
        try:
            described = json.loads(path.read_bytes())
            names = {name: str(described.get(key) or "") for name, key in _IN_FILE.items()}
        except (ValueError, AttributeError) as error:
            raise InvalidRequest(f"{path} is not a stack file") from error
        region = region or described.get("region")
        if endpoint_url := described.get("aws_endpoint_url"):
            os.environ["AWS_ENDPOINT_URL"] = endpoint_url
            boto3.setup_default_session(
                aws_access_key_id="test",
                aws_secret_access_key="test",  # noqa: S106  the emulator takes any
                region_name=region,
            )
        else:
            boto3.setup_default_session(profile_name=profile, region_name=region)
        return cls(str(path), names)

    def name(self, part: str) -> str:
        """Return the name of a part, by that of its output. Raises NotFound."""
        name = self.names.get(part)
        if not name:
            raise NotFound(f"{self.source} has no {part}; is it up to date?")
        return name

    @property
    def catalogue(self) -> Catalogue:
        """Return the slide table with its history and its terms."""
        tables = ("SlideTableName", "HistoryTableName", "TermTableName")
        return Catalogue(aws.dynamodb(), *map(self.name, tables))

    @property
    def pyramid_bucket(self) -> str | None:
        """Return the bucket of pyramids, unless they are files."""
        if self.names.get("PyramidStore", "s3") != "s3":
            return None
        return self.names.get("PyramidBucketName") or None

    def function(self, function: str) -> Callable[[Mapping[str, Any]], Any]:
        """Return a call of a function that mounts EFS; the call raises Unavailable if it fails."""
        name = self.name(f"{function}FunctionName")
        client = boto3.client("lambda", config=_LONG_CALL)

        def invoke(request: Mapping[str, Any]) -> Any:
            try:
                return aws.invoke(client, name, request)
            except aws.FunctionFailed as error:
                raise Unavailable(f"{function} failed: {error}") from error

        return invoke
