"""What viewers ask for, and the slides that are kept open for them."""
