"""The domain library of the Virtual Slide Viewer.

It knows slides, tiles, pyramids and imports; it knows no web framework. Imports point one way:
``deepzoom`` and ``slides`` stand at the bottom, ``imports`` at the top (docs/architecture.md).
"""

__version__ = "0.1.0"
