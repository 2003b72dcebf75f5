"""python -m deployment, which `make deploy` runs: it reads make's variables from MAKEFLAGS."""

import os
import sys

from deployment import account
from deployment.deploy import Deployment, read_request
from deployment.errors import DeploymentError


def main() -> int:
    """Deploy; return the exit status."""
    deployment = None
    try:
        deployment = Deployment(read_request(os.environ.get("MAKEFLAGS", "")), account.session())
        deployment.deploy()
    except DeploymentError as error:
        if deployment and deployment.step:
            print(f"\nmake deploy failed at: {deployment.step}", file=sys.stderr)
        print(f"make deploy: {error}", file=sys.stderr)
        if deployment and deployment.step:
            print(
                "What is done is kept. Once the reason is gone, repeat the same command;"
                " see docs/deploy/trouble-shooting.md.",
                file=sys.stderr,
            )
        return 1
    except KeyboardInterrupt:
        print(
            "\nmake deploy: interrupted. AWS continues what it was told; repeat the command",
            file=sys.stderr,
        )
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
