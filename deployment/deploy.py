"""The steps of a deployment, each of which may be repeated."""

import os
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from deployment import account, pages, parameters
from deployment.errors import DeploymentError
from deployment.stack import Stack

ROOT: Final = Path(__file__).resolve().parent.parent
_RUNTIME: Final = f"python{sys.version_info.major}.{sys.version_info.minor}"
# CloudFront takes a few minutes to bring a new distribution to all edges.
_VIEWER_DEADLINE_S: Final = 600

Run = Callable[[Sequence[str]], None]
"""Runs a program to its end, with its output shown. Raises DeploymentError where it fails."""
Fetch = Callable[[str], int]
"""Returns the HTTP status of an address, 0 where nobody answers."""


@dataclass(frozen=True)
class Request:
    """What ``make deploy`` was asked for."""

    stack: str
    given: Mapping[str, str]
    confirm: bool = False


def read_request(flags: str) -> Request:
    """Return what the variables on make's command line ask for. Raises DeploymentError."""
    variables = parameters.from_make(flags)
    # PYTHON and what else the Makefile knows of are written in capitals.
    named = {name: value for name, value in variables.items() if name.upper() != name}
    if not (stack := variables.get("STACK", "")):
        raise DeploymentError(
            "name the stack: make deploy STACK=vsv-prod [Parameter=value …] [PARAMETERS=file.toml]"
        )
    file = variables.get("PARAMETERS", "")
    read = parameters.from_file(Path(file).expanduser()) if file else {}
    return Request(stack, read | named, variables.get("CONFIRM", "") not in ("", "no"))


def run(command: Sequence[str]) -> None:
    """Run a program of the virtual environment. What make was told is not passed on to it."""
    folder = Path(sys.executable).parent
    environment = {name: each for name, each in os.environ.items() if not name.startswith("MAKE")}
    environment["PATH"] = f"{folder}{os.pathsep}{environment.get('PATH', '')}"
    done = subprocess.run(command, cwd=ROOT, env=environment, check=False)  # noqa: S603
    if done.returncode:
        raise DeploymentError(f"{command[0]} {command[1]} failed: see above")


def fetch(url: str) -> int:
    """Return the HTTP status of an address, 0 where nobody answers."""
    try:
        with urllib.request.urlopen(url, timeout=10) as response:  # noqa: S310  an https output
            return int(response.status)
    except urllib.error.HTTPError as error:
        return error.code
    except OSError:
        return 0


@dataclass
class Deployment:
    """Deploys one stack; ``say`` is told what happens."""

    request: Request
    aws: boto3.Session
    template: Path = ROOT / "main.template.yaml"
    samconfig: Path = ROOT / "samconfig.toml"
    built_pages: Path = ROOT / "web" / "dist"
    run: Run = run
    fetch: Fetch = fetch
    say: Callable[[str], None] = print
    poll_s: float = 15
    step: str = field(default="", init=False)

    def __post_init__(self) -> None:
        self._stack = Stack(
            self.aws.client("cloudformation"), self.request.stack, self._note, self.poll_s
        )
        self._environment, standing = parameters.from_samconfig(self.samconfig, self.request.stack)
        self._values = standing | dict(self.request.given)

    def deploy(self) -> None:
        """Take all steps. Raises DeploymentError; ``step`` then names the one that failed."""
        with self._step("Check parameters and account"):
            self._check()
        with self._step("Build functions and layers"):
            self.run(["make", "build"])
        with self._step("Bring the stack to where it can be deployed"):
            self._stack.settle()
        with self._step("Deploy (the first time takes about 20 minutes)"):
            self._deploy(self._first())
        with self._step("Deploy once more, with the viewer's address and protected from deletion"):
            self._deploy_address()
        with self._step("Upload the pages"):
            outputs = self._outputs()
            count = pages.upload(
                self.aws.client("s3"),
                outputs["PageBucketName"],
                self.built_pages,
                outputs["PageConfig"],
            )
            self._note(f"{count} files")
        with self._step("Ask the viewer for its page and for an image"):
            self._ask(outputs["ViewerUrl"])
        if not account.remove_trial(self.aws.client("cloudfront")):
            self._note(
                "a distribution was made to check the account; the next `make deploy` or"
                " the CloudFront console deletes it. It is off, and costs nothing"
            )
        self.say(f"\nReady: {outputs['ViewerUrl']}")

    @contextmanager
    def _step(self, name: str) -> Iterator[None]:
        self.step = name
        self.say(f"\n── {name}")
        try:
            yield
        except (BotoCoreError, ClientError) as error:
            raise DeploymentError(str(error)) from error

    def _note(self, text: str) -> None:
        self.say(f"   {text}")

    def _check(self) -> None:
        known = parameters.declared(self.template)
        parameters.check(self._values, known)
        self._check_python(known["PythonRuntime"].get("AllowedValues", [_RUNTIME]))
        who = account.identify(self.aws)
        self._note(f"account {who.number}, region {who.region}, as {who.caller}")
        self._check_region(who.region)
        self._check_concurrency()
        cloudfront = self.aws.client("cloudfront")
        if self._stack.state() is None and not account.has_distribution(cloudfront):
            self._note("no distribution yet: trying whether the account may have one")
            account.try_cloudfront(cloudfront)

    def _check_python(self, runtimes: Sequence[str]) -> None:
        """Raise DeploymentError where layers would be built for a Python that Lambda cannot run."""
        if _RUNTIME not in runtimes:
            raise DeploymentError(
                f"`make setup` took Python {_RUNTIME[6:]}, but layers run with"
                f" {' and '.join(runtimes)} only. Set up with one of them, and repeat the command:"
                f" make setup PYTHON={runtimes[-1]}"
            )
        if (runtime := self._values.setdefault("PythonRuntime", _RUNTIME)) != _RUNTIME:
            raise DeploymentError(
                f"PythonRuntime={runtime}, but `make setup` took Python {_RUNTIME[6:]}, for which"
                " layers are built. Leave it out, or set up with another: make setup PYTHON=…"
            )

    def _check_region(self, region: str) -> None:
        """Leave out the viewer's log in regions whose buckets CloudFront does not write to."""
        if not account.is_opt_in(self.aws.client("ec2"), region):
            return
        days = self._values.setdefault("ViewerLogDays", "0")
        if float(days):
            raise DeploymentError(
                f"ViewerLogDays={days}, but CloudFront writes its log to no bucket in {region}, nor"
                " in any other region that an account must opt in to. Leave it out, or use another"
                " region"
            )
        self._note(
            f"{region} is a region that accounts opt in to: without CloudFront's log"
            " (ViewerLogDays=0). Not all of these regions have function URLs, without which"
            " ImageRequest cannot be deployed; whether this one has:"
            " https://docs.aws.amazon.com/lambda/latest/dg/urls-configuration.html"
        )

    def _check_concurrency(self) -> None:
        limit = account.concurrency(self.aws.client("lambda"))
        reserved = sum(
            int(self._values.get(name, "0"))
            for name in ("RenderConcurrency", "TileProvisionedConcurrency")
        )
        account.check_reservations(limit, reserved)
        if limit >= account.FULL_CONCURRENCY:
            return
        fits = account.import_concurrency(limit)
        chosen = self._values.setdefault("ImportConcurrency", str(fits))
        self._note(
            f"Lambda runs {limit} calls at once here, of 1,000 that accounts get later; one import"
            f" takes {chosen} of them (ImportConcurrency). Ask for more:\n"
            "   aws service-quotas request-service-quota-increase --service-code lambda"
            " --quota-code L-B99A9384 --desired-value 1000"
        )

    def _first(self) -> dict[str, str]:
        """Return the parameters of the first pass: of a stack that is up, the address as well."""
        state = self._stack.state()
        wanted = dict(self._values)
        if state is None or "ViewerUrl" not in state.outputs:
            wanted.pop("ViewerUrl", None)
        else:
            wanted.setdefault("ViewerUrl", state.outputs["ViewerUrl"])
        return wanted

    def _deploy_address(self) -> None:
        state = self._stack.state()
        outputs = self._outputs()
        address = self._values.get("ViewerUrl") or outputs["ViewerUrl"]
        if state and state.parameters.get("ViewerUrl") == address:
            self._note("done already")
        else:
            self._deploy({"ViewerUrl": address})

    def _deploy(self, values: Mapping[str, str]) -> None:
        with tempfile.TemporaryDirectory() as folder:
            try:
                self.run(
                    [
                        *("sam", "deploy", "--template-file", str(self.template)),
                        *("--config-file", str(self.samconfig)),
                        *("--config-env", self._environment, "--stack-name", self.request.stack),
                        *("--region", self.aws.region_name),
                        "--confirm-changeset" if self.request.confirm else "--no-confirm-changeset",
                        "--no-fail-on-empty-changeset",
                        *("--parameter-overrides", parameters.sam_file(values, Path(folder))),
                    ]
                )
            except DeploymentError as error:
                failures = self._stack.failures()
                raise DeploymentError(f"{error}\n{failures}" if failures else str(error)) from error

    def _outputs(self) -> dict[str, str]:
        state = self._stack.state()
        if state is None:
            raise DeploymentError("the stack was not deployed")
        return state.outputs

    def _ask(self, url: str) -> None:
        """Wait until the page is there, and images are refused to those without a session."""
        expected = {url: 200, f"{url}DeepZoom/none.dzi": 403}
        deadline = time.monotonic() + _VIEWER_DEADLINE_S
        while wrong := {
            each: status for each in expected if (status := self.fetch(each)) != expected[each]
        }:
            if time.monotonic() > deadline or not self.poll_s:
                raise DeploymentError(
                    "; ".join(
                        f"{each} answers {status or 'nothing'}, not {expected[each]}"
                        for each, status in wrong.items()
                    )
                )
            time.sleep(self.poll_s)
        self._note("as expected")
