"""What stops a deployment."""


class DeploymentError(Exception):
    """Its message says what is wrong, and what to do."""
