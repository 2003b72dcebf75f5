"""Deploy the application to AWS and go on where it stopped: ``make deploy STACK=…``."""
