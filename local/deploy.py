"""Build the application and deploy its stacks onto the emulator with the SAM CLI."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import yaml
from botocore.exceptions import ClientError
from samcli.yamlhelper import yaml_parse

from local import services, settings
from local.processes import digest_of
from local.settings import LOGS, ROOT, STATE, StackError, read_json, write_json

if TYPE_CHECKING:
    from mypy_boto3_cloudformation.client import CloudFormationClient
    from mypy_boto3_cloudformation.type_defs import StackTypeDef

_BUILD: Final = STATE / "sam" / "build"
_TEMPORARY: Final = STATE / "sam" / "tmp"
_BUCKET: Final = "vsv-local-artifacts"
_DEPLOYED: Final = STATE / "deployed.json"
_FUNC_TEMPLATE: Final = ROOT / "func.template.yaml"
# In this order: a stack's parameters are the outputs of those before it.
_STACKS: Final = {
    "vsv-auth": ROOT / "templates" / "auth.template.yaml",
    "vsv-db": ROOT / "templates" / "db.template.yaml",
    "vsv-pyramids": ROOT / "templates" / "pyramids.template.yaml",
    "vsv-archive": ROOT / "templates" / "archive.template.yaml",
    "vsv-func": _FUNC_TEMPLATE,
    "vsv-live": ROOT / "templates" / "live.template.yaml",
}
_SOURCES: Final = (
    *_STACKS.values(),
    ROOT / "functions",
    ROOT / "layers",
    ROOT / "statemachines",
)
_BROKEN: Final = {"CREATE_FAILED", "ROLLBACK_COMPLETE", "ROLLBACK_FAILED"}
# A minute is long where nothing else happens; AWS gives the CDR an hour.
_CDR_GIVE_UP_S: Final = "15"
_DEFINITION_URI: Final = re.compile(r"(?P<key>DefinitionUri: *)(?P<path>\S+\.asl\.yaml)")
_PYTHON: Final = f"python{sys.version_info.major}.{sys.version_info.minor}"

Outputs = dict[str, str]


def deploy(endpoint_url: str, viewer_urls: Sequence[str]) -> tuple[Outputs, bool]:
    """Bring the stacks up to date; return their outputs, and whether anything was deployed.

    Nothing is built while sources and parameters are those of the last deployment.
    """
    values = {
        "StageName": settings.STAGE,
        "DomainPrefix": "vsv-local",
        "CallbackUrls": ",".join(viewer_urls),
        "LogoutUrls": ",".join(viewer_urls),
        "AllowPasswordAuth": "true",
        **_runtime(),
        "ImagesPath": str(settings.EFS),
        "DataSyncTaskArn": settings.TASK_ARN,
        "PyramidStore": settings.pyramid_store(),
        "CookieKeyArn": services.cookie_key_arn(),
        "CookieKeyPairId": settings.COOKIE_KEY_PAIR_ID,
        "CdrUrl": services.cdr_url(),
        "CdrCredentials": json.dumps({"token": settings.CDR_TOKEN}),
        "CdrGiveUpSeconds": _CDR_GIVE_UP_S,
        "GraphQLUrl": f"{services.standins_url()}/graphql",
        "GraphQLApiArn": settings.GRAPHQL_API_ARN,
    }
    stacks = {
        name: template
        for name, template in _STACKS.items()
        if name != "vsv-pyramids" or settings.pyramid_store() == "s3"
    }
    cloudformation = services.session().client("cloudformation", endpoint_url=endpoint_url)
    fingerprint = digest_of(_SOURCES, json.dumps(values, sort_keys=True), sys.version)
    if read_json(_DEPLOYED).get("fingerprint") == fingerprint:
        states = {name: _describe(cloudformation, name) for name in stacks}
        if all(_is_settled(state) for state in states.values()):
            outputs = [_outputs(state) for state in states.values()]
            return {key: value for each in outputs for key, value in each.items()}, False

    _build(values, endpoint_url)
    _make_bucket(endpoint_url)
    outputs_so_far: Outputs = {}
    for name, template in stacks.items():
        built = _BUILD / "template.yaml" if template == _FUNC_TEMPLATE else template
        known = {**values, **outputs_so_far, "DeletionProtection": _unprotected(template)}
        wanted = _parameters(template)
        state = _describe(cloudformation, name)
        if state and state["StackStatus"] in _BROKEN:
            _delete(cloudformation, name)
        print(f"  deploying {name}", flush=True)
        _sam(
            [
                *("deploy", "--template-file", str(built), "--stack-name", name),
                *("--s3-bucket", _BUCKET, "--s3-prefix", name, "--region", settings.REGION),
                *("--capabilities", "CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"),
                *("--no-confirm-changeset", "--no-fail-on-empty-changeset", "--no-progressbar"),
                "--parameter-overrides",
                *(f"{key}={_quoted(known[key])}" for key in wanted if key in known),
            ],
            endpoint_url,
            log=f"deploy-{name}",
        )
        outputs_so_far |= _outputs(_describe(cloudformation, name))
    write_json(_DEPLOYED, {"fingerprint": fingerprint})
    return outputs_so_far, True


def _runtime() -> dict[str, str]:
    """Return the parameter with this interpreter, if Lambda may run it.

    Python 3.11 may not be deployed. The emulator runs functions by this interpreter anyway.
    """
    allowed = _parameters(_FUNC_TEMPLATE)["PythonRuntime"]["AllowedValues"]
    return {"PythonRuntime": _PYTHON} if _PYTHON in allowed else {}


def _build(values: Mapping[str, str], endpoint_url: str) -> None:
    print("  building functions and layers", flush=True)
    wanted = _parameters(_FUNC_TEMPLATE)
    values = {**values, "PythonRuntime": _PYTHON}
    # SAM's cache sees a layer's own folder, but not what the layers share.
    cache = STATE / "sam" / "cache" / digest_of([ROOT / "layers" / "common"], sys.version)[:16]
    _sam(
        [
            *("build", "--template-file", str(_FUNC_TEMPLATE), "--build-dir", str(_BUILD)),
            *("--cached", "--cache-dir", str(cache), "--parallel"),
            "--parameter-overrides",
            *(f"{key}={_quoted(values[key])}" for key in wanted if key in values),
        ],
        endpoint_url,
        log="build",
    )
    _definitions_as_json(_BUILD / "template.yaml")


def _definitions_as_json(template: Path) -> None:
    """Convert the built template's state machines to JSON.

    MiniStack 1.5.33 parses a definition as JSON only. No issue known. Can go when a deployment
    without this reaches CREATE_COMPLETE and StartExecution runs.
    """

    def as_json(match: re.Match[str]) -> str:
        source = (template.parent / match["path"]).resolve()
        target = template.parent / source.with_suffix(".json").name
        try:
            target.write_text(json.dumps(yaml.safe_load(source.read_text())))
        except (OSError, yaml.YAMLError) as error:
            raise StackError(f"{source} is not a state machine: {error}") from error
        return f"{match['key']}{target.name}"

    template.write_text(_DEFINITION_URI.sub(as_json, template.read_text()))


def _parameters(template: Path) -> dict[str, Any]:
    parameters: dict[str, Any] = yaml_parse(template.read_text()).get("Parameters", {})
    return parameters


def _quoted(value: str) -> str:
    """Return a parameter's value as the SAM CLI reads it: it takes quotes away."""
    return json.dumps(value) if '"' in value else value


def _unprotected(template: Path) -> str:
    """Return the template's word for no deletion protection."""
    allowed = _parameters(template).get("DeletionProtection", {}).get("AllowedValues", [""])
    return next((word for word in ("INACTIVE", "false") if word in allowed), "")


def _sam(arguments: Sequence[str], endpoint_url: str, log: str) -> None:
    """Run the SAM CLI with its output in a log file; a failure is one line that names the file."""
    log_path = LOGS / f"{log}.log"
    log_path.parent.mkdir(parents=True, exist_ok=True)
    # SAM leaves its temporary folders behind.
    shutil.rmtree(_TEMPORARY, ignore_errors=True)
    _TEMPORARY.mkdir(parents=True)
    environment = {
        **{key: value for key, value in os.environ.items() if key != "AWS_PROFILE"},
        **settings.CREDENTIALS,
        "AWS_ENDPOINT_URL": endpoint_url,
        "TMPDIR": str(_TEMPORARY),
        "SAM_CLI_TELEMETRY": "0",
        "SAM_CLI_POLL_DELAY": "0.5",
        # What is compiled for this machine alone may ask for a newer Linux than Lambda's.
        "LAYERS_FOR_THIS_MACHINE": "1",
        # Layers are made of the wheels that `make setup` has compiled.
        "VSV_WHEELS": os.environ.get("VSV_WHEELS", str(ROOT / ".wheels")),
        "__SAM_CLI_APP_DIR": str(STATE / "sam" / "home"),
        # The build takes this interpreter, not another python3 that happens to come first.
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}",
    }
    with log_path.open("wb") as output:
        done = subprocess.run(
            [str(Path(sys.executable).with_name("sam")), *arguments, "--config-env", "local"],
            cwd=ROOT,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            check=False,
        )
    if done.returncode:
        lines = [line for line in log_path.read_text().splitlines() if line.strip()]
        reason = next((line for line in reversed(lines) if "Error" in line), lines[-1:] or "")
        raise StackError(f"sam {arguments[0]} failed: {str(reason).strip()}: see {log_path}")


def _make_bucket(endpoint_url: str) -> None:
    s3 = services.session().client("s3", endpoint_url=endpoint_url)
    try:
        s3.head_bucket(Bucket=_BUCKET)
    except ClientError:
        s3.create_bucket(Bucket=_BUCKET)


def _describe(cloudformation: "CloudFormationClient", name: str) -> "StackTypeDef | None":
    try:
        return cloudformation.describe_stacks(StackName=name)["Stacks"][0]
    except ClientError:
        return None


def _is_settled(stack: "StackTypeDef | None") -> bool:
    return stack is not None and stack["StackStatus"] in {"CREATE_COMPLETE", "UPDATE_COMPLETE"}


def _outputs(stack: "StackTypeDef | None") -> Outputs:
    outputs = stack.get("Outputs", []) if stack else []
    return {each["OutputKey"]: each["OutputValue"] for each in outputs}


def _delete(cloudformation: "CloudFormationClient", name: str) -> None:
    cloudformation.delete_stack(StackName=name)
    cloudformation.get_waiter("stack_delete_complete").wait(
        StackName=name, WaiterConfig={"Delay": 1, "MaxAttempts": 60}
    )
