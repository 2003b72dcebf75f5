"""The library without AWS: ``vsv info``, ``vsv prerender``, ``vsv serve``."""
