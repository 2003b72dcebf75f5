"""The local stack's commands: ``python -m local.stack up | down | status | demo``."""

import argparse
import fcntl
import os
import re
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

from botocore.exceptions import BotoCoreError, ClientError

from local import accounts, demo, deploy, services, settings
from local.settings import STACK_FILE, STATE, StackError, read_json, write_json

_API_URL: Final = re.compile(r"https://(?P<api>[^.]+)\.execute-api\.[^/]+/(?P<stage>[^/]+)/?")

_FUNCTION_URL: Final = re.compile(r"https?://(?P<id>[^./]+)\.lambda-url\.[^/]+/")


def up() -> dict[str, str]:
    """Start the stack, deploy what changed, and return what ``.local/stack.json`` says."""
    with _lock():
        for folder in (settings.EFS, settings.SCANNER, settings.LOGS):
            folder.mkdir(parents=True, exist_ok=True)
        _claim_ports()
        emulator = services.emulator()
        if emulator.ensure_running():
            print("  started the AWS emulator", flush=True)
        viewer = services.viewer_url()
        outputs, changed = deploy.deploy(
            services.endpoint_url(), [viewer, viewer.replace("localhost", settings.HOST)]
        )
        stack = _describe(outputs)
        write_json(STACK_FILE, stack, mode=0o600)
        write_json(
            STATE / "standins.json",
            {
                "slide_catalogue": outputs.get("SlideCatalogueFunctionName", ""),
                "web_client_id": outputs["WebClientId"],
                "user_pool_id": outputs["UserPoolId"],
                "api_url": stack["api_url"],
                "images_url": _images_url(outputs),
                "cookie_key_arn": services.cookie_key_arn(),
                "token_url": stack["token_url"],
                "authorize_url": f"{services.endpoint_url()}/oauth2/authorize",
                "logout_url": f"{services.endpoint_url()}/logout",
            },
        )
        services.standins().ensure_running()
        services.cdr().ensure_running()
        if changed:
            emulator.signal(signal.SIGUSR1)  # save the deployment now
        return stack


def down() -> bool:
    """Stop the stack, its state saved; return whether anything ran."""
    with _lock():
        stopped = [service.stop() for service in services.all_services()]
        return any(stopped)


def _claim_ports() -> None:
    """Move to other ports where somebody else has taken ours."""
    web, aws, cdr, control = settings.ports()
    for service, port in (
        (services.standins(), web),
        (services.emulator(), aws),
        (services.cdr(), cdr),
        (services.cdr(), control),
    ):
        if service.pid is None and not settings.is_free(port):
            if "VSV_PORT" in os.environ:
                raise StackError(f"port {port} is in use: choose another VSV_PORT")
            print(f"  port {port} is taken: choosing new ones", flush=True)
            settings.forget_ports()
            return


def _describe(outputs: deploy.Outputs) -> dict[str, str]:
    known = read_json(STACK_FILE)
    endpoint_url = services.endpoint_url()
    cognito = services.session().client("cognito-idp", endpoint_url=endpoint_url)
    pool_id = outputs["UserPoolId"]
    passwords = {
        name: known.get(f"{name}_password") or accounts.new_password() for name in accounts.PEOPLE
    }
    for name, password in passwords.items():
        accounts.ensure_person(cognito, pool_id, name, password)
    scanner = cognito.describe_user_pool_client(
        UserPoolId=pool_id, ClientId=outputs["ScannerClientId"]
    )["UserPoolClient"]
    api = _API_URL.fullmatch(outputs["ApiUrl"])
    if api is None:
        raise StackError(f"the output ApiUrl is not a REST API's address: {outputs['ApiUrl']}")
    return {
        "api_url": f"{endpoint_url}/restapis/{api['api']}/{api['stage']}/_user_request_",
        "graphql_url": f"{services.standins_url()}/graphql",
        "realtime_url": f"{services.standins_url()}/graphql/realtime".replace("http", "ws", 1),
        "viewer_url": services.viewer_url(),
        "token_url": f"{endpoint_url}/oauth2/token",
        "scanner_client_id": outputs["ScannerClientId"],
        "scanner_client_secret": scanner["ClientSecret"],
        "technician_username": "technician",
        "technician_password": passwords["technician"],
        "pathologist_username": "pathologist",
        "pathologist_password": passwords["pathologist"],
        "user_pool_id": pool_id,
        "user_pool_client_id": outputs["WebClientId"],
        "region": settings.REGION,
        "aws_endpoint_url": endpoint_url,
        "table_name": outputs["SlideTableName"],
        "history_table_name": outputs["HistoryTableName"],
        "term_table_name": outputs["TermTableName"],
        "archive_bucket": outputs["ArchiveBucketName"],
        "dead_letter_queue_url": outputs["DeadLetterQueueUrl"],
        "import_state_machine_arn": outputs["ImportStateMachineArn"],
        "verify_slide_function": outputs["VerifySlideFunctionName"],
        "list_slides_function": outputs["ListSlidesFunctionName"],
        "check_file_function": outputs["CheckFileFunctionName"],
        "cdr_control_url": services.cdr_control_url(),
        "images_path": str(settings.EFS),
        "pyramid_bucket": outputs.get("PyramidBucketName", ""),
        "scanner_path": str(settings.SCANNER),
    }


def _images_url(outputs: deploy.Outputs) -> str:
    """Return where the emulator answers for ImageRequest's own address."""
    url = _FUNCTION_URL.fullmatch(outputs["ImageRequestUrl"])
    if url is None:
        raise StackError(
            f"the output ImageRequestUrl is not an address: {outputs['ImageRequestUrl']}"
        )
    return f"{services.endpoint_url()}/_aws/lambda-url/{url['id']}"


@contextmanager
def _lock() -> Iterator[None]:
    """Let one command at a time change the stack."""
    STATE.mkdir(exist_ok=True)
    with (STATE / "lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _up() -> None:
    start = time.monotonic()
    print("Local stack", flush=True)
    stack = up()
    print(f"  up in {time.monotonic() - start:.1f} s: {stack['viewer_url']}")
    print(f"  addresses and logins: {STACK_FILE.relative_to(settings.ROOT)}")


def _demo() -> None:
    # A process in the background ignores Ctrl-C; this one must always be able to clean up.
    for signum in (signal.SIGINT, signal.SIGTERM):
        signal.signal(signum, signal.default_int_handler)
    print("Starting the local stack", flush=True)
    try:
        demo.run(up())
    finally:
        print("\nStopping", flush=True)
        down()


def _down() -> None:
    print("Local stack stopped." if down() else "The local stack was not running.")


def _status() -> None:
    for service in services.all_services():
        state = f"running, pid {service.pid}" if service.pid else "stopped"
        print(f"{service.name:10} {state}, log {service.log.relative_to(settings.ROOT)}")
    stack = read_json(STACK_FILE)
    for key in ("viewer_url", "api_url", "graphql_url"):
        if key in stack:
            print(f"{key:12} {stack[key]}")


def main() -> int:
    """Run one command; return the exit status."""
    commands: dict[str, Callable[[], Any]] = {
        "up": _up,
        "down": _down,
        "status": _status,
        "demo": _demo,
    }
    parser = argparse.ArgumentParser(prog="python -m local.stack", description=__doc__)
    parser.add_argument("command", choices=commands)
    arguments = parser.parse_args()
    try:
        commands[arguments.command]()
    except (StackError, BotoCoreError, ClientError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\ninterrupted", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
