"""What templates and documents have to be, beyond what the linters know."""
