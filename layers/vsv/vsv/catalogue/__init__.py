"""The catalogue: one record a slide, in a DynamoDB table, and the history of each beside it."""

from vsv.catalogue.filters import SlideFilter
from vsv.catalogue.listings import Listings, Page, Search
from vsv.catalogue.record import (
    FAILED,
    IMPORTED,
    IMPORTING,
    IdSource,
    Record,
    id_source,
    instant,
    is_deleted,
    now,
    removal_of,
    warned,
)
from vsv.catalogue.table import Catalogue

__all__ = [
    "FAILED",
    "IMPORTED",
    "IMPORTING",
    "Catalogue",
    "IdSource",
    "Listings",
    "Page",
    "Record",
    "Search",
    "SlideFilter",
    "id_source",
    "instant",
    "is_deleted",
    "now",
    "removal_of",
    "warned",
]
