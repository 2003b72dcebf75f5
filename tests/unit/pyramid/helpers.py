"""A slide's index, its rendered pyramid, and levels without any pixels."""

from types import SimpleNamespace

from vsv.pyramid.image_store import name
from vsv.pyramid.native import default_pyramid
from vsv.pyramid.plan import Work, check_complete, levels_to_render
from vsv.pyramid.render import Renderer
from vsv.pyramid.slide_index import SlideIndex
from vsv.slides.level import Level
from vsv.slides.tile_index import TiledImage
from vsv.storage.layout import Storage


def index_of(slide, which="all", pyramid=None):
    own = default_pyramid(slide)
    levels = (pyramid or own).levels if pyramid else levels_to_render(slide, which)
    return SlideIndex.of(slide, "x.svs", pyramid or own, quality=90, levels=levels)


def rendered(slide, index, root, **options):
    """Render all of it; return the folder."""
    store = Storage(root).images("s1")
    Renderer(slide, index, store, **options).render()
    check_complete(index, store)
    return root / "s1_files"


def path_of(root, address):
    return root / "s1_files" / f"{name(address)}.jpeg"


def levelled(size, *downsamples, tile=(256, 256), coarser_tile=None, compression=7):
    """Return a slide of these levels, as far as its pyramid is concerned."""
    images = [
        TiledImage(
            *(-(-length // downsample) for length in size),
            *(coarser_tile if coarser_tile and downsample > 1 else tile),
            *(compression, 2, b""),
        )
        for downsample in downsamples
    ]
    levels = [Level.of(number, image, images[0]) for number, image in enumerate(images)]

    def source_level(downsample):
        return max(
            (level for level in levels if level.downsample <= downsample),
            key=lambda level: level.downsample,
        )

    return SimpleNamespace(
        width=size[0],
        height=size[1],
        levels=levels,
        levels_with_losses=set(),
        source_level=source_level,
    )


def bands(slide, pyramid=None, levels=None):
    pyramid = pyramid or default_pyramid(slide)
    work = Work.of(slide, pyramid, pyramid.levels if levels is None else levels)
    return [(band.coarsest, band.finest, band.is_native) for band in work.bands]
