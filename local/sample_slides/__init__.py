"""The parts of which sample slides are made, and the slides of the demonstration."""
