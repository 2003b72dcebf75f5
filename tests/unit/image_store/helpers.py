"""The bucket's name, a client that fails, and all images that a viewer asks for."""

from vsv.pyramid.image_store import name
from vsv.pyramid.slide_index import SlideIndex
from vsv.viewing.images import Images, TileOptions

BUCKET = "pyramids"


class Refusing:
    """A client that answers every call with the same error."""

    def __init__(self, client, error) -> None:
        self.exceptions, self._error = client.exceptions, error

    def __getattr__(self, name):
        def refuse(**_):
            raise self._error

        return refuse


def asked_for_all(images: Images) -> dict[str, bytes]:
    """All that a viewer asks for by default."""
    pyramid = SlideIndex.from_bytes((images._storage.root / "204711.index").read_bytes()).pyramid
    shown = {"dzi": images.descriptor("204711", TileOptions()).load()}
    for tile in pyramid.tiles():
        shown[name(tile)] = images.tile("204711", tile, TileOptions()).load()
    for each in ("label", "thumbnail", "macro"):
        shown[each] = images.associated("204711", each, "jpeg").load()
    return shown
