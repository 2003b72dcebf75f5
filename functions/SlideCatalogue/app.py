"""SlideCatalogue: resolve every field of the GraphQL API from the slide table."""

from functools import cache
from typing import Any

from aws_lambda_powertools.event_handler import AppSyncResolver

from vsv.api import graphql
from vsv.catalogue.filters import SlideFilter
from vsv.catalogue.listings import Listings
from vsv.catalogue.review import Edit, IdPatterns
from vsv.catalogue.same_ids import edit_slide
from vsv.catalogue.search import Search, SlideOrder
from vsv.catalogue.slide_search import SlideSearch
from vsv.logs import log_unexpected, observed
from vsv.settings import ReviewSettings
from vsv.wiring import catalogue, import_retries

# Arguments have the schema's names.
# ruff: noqa: N803

app = AppSyncResolver()  # type: ignore[no-untyped-call]


@cache
def _listings() -> Listings:
    return Listings(catalogue())


@cache
def _slide_search() -> SlideSearch:
    return SlideSearch(catalogue())


@cache
def _patterns() -> IdPatterns:
    settings = ReviewSettings.read()
    return IdPatterns(settings.slide_id_pattern, settings.case_id_pattern)


@app.resolver(type_name="Query", field_name="getSlide")
def get_slide(ImageID: str) -> dict[str, Any] | None:
    """Return one slide, or null."""
    return graphql.slide(catalogue().get(ImageID))


@app.resolver(type_name="Query", field_name="getSlides")
def get_slides(ImageIDs: list[str] | None = None) -> list[dict[str, Any] | None]:
    """Return the slides in the requested order, null for each unknown one."""
    return [graphql.slide(record) for record in catalogue().get_many(ImageIDs or [])]


@app.resolver(type_name="Query", field_name="querySlidesByStatus")
def query_slides_by_status(
    Status: str, limit: int | None = None, nextToken: str | None = None
) -> dict[str, Any]:
    """Return a page of the slides of one review status, by slide ID."""
    return graphql.slides_page(_listings().by_status(Status, limit, nextToken))


@app.resolver(type_name="Query", field_name="querySlidesByCase")
def query_slides_by_case(
    CaseID: str, limit: int | None = None, nextToken: str | None = None
) -> dict[str, Any]:
    """Return a page of the slides of one case."""
    return graphql.slides_page(_listings().by_case(CaseID, limit, nextToken))


@app.resolver(type_name="Query", field_name="listSlides")
def list_slides(
    filter: dict[str, Any] | None = None,
    limit: int | None = None,
    nextToken: str | None = None,
) -> dict[str, Any]:
    """Return a page of all slides that pass the filter."""
    return graphql.slides_page(_listings().all_slides(SlideFilter.parse(filter), limit, nextToken))


@app.resolver(type_name="Query", field_name="searchSlides")
def search_slides(
    Order: str | None = None,
    limit: int | None = None,
    nextToken: str | None = None,
    **criteria: Any,
) -> dict[str, Any]:
    """Return a page of the slides that match a search."""
    order = SlideOrder(Order) if Order else None
    return graphql.slides_page(
        _slide_search().page(Search.parse(criteria), order, limit, nextToken)
    )


@app.resolver(type_name="Query", field_name="countSlides")
def count_slides(**criteria: Any) -> dict[str, Any]:
    """Return how many slides match a search."""
    counted = _slide_search().count(Search.parse(criteria))
    return {"Count": counted.number, "Exact": counted.exact}


@app.resolver(type_name="Query", field_name="listUnsentSlides")
def list_unsent_slides(limit: int | None = None, nextToken: str | None = None) -> dict[str, Any]:
    """Return a page of the slides that technicians still have to act on."""
    return graphql.slides_page(_listings().unsent(limit, nextToken))


@app.resolver(type_name="Query", field_name="listImportFailures")
def list_import_failures(limit: int | None = None, nextToken: str | None = None) -> dict[str, Any]:
    """Return a page of the slides whose import failed."""
    return graphql.slides_page(_listings().failed(limit, nextToken))


@app.resolver(type_name="Query", field_name="listUnidentified")
def list_unidentified(limit: int | None = None, nextToken: str | None = None) -> dict[str, Any]:
    """Return a page of the slides whose IDs nobody has read or typed."""
    return graphql.slides_page(_listings().unidentified(limit, nextToken))


@app.resolver(type_name="Query", field_name="listCaseIDs")
def list_case_ids(limit: int | None = None, nextToken: str | None = None) -> dict[str, Any]:
    """Return a page of all identified slides' image and case IDs."""
    page = _listings().case_ids(limit, nextToken)
    return {"items": page.items, "nextToken": page.token}


@app.resolver(type_name="Query", field_name="slideHistory")
def slide_history(
    ImageID: str, limit: int | None = None, nextToken: str | None = None
) -> dict[str, Any]:
    """Return a page of the changes of a slide's record."""
    return graphql.changes_page(_listings().history(ImageID, limit, nextToken))


@app.resolver(type_name="Mutation", field_name="updateSlide")
def update_slide(input: dict[str, Any]) -> dict[str, Any] | None:
    """Apply a technician's edit; return the slide."""
    technician = graphql.caller(app.current_event).technician()
    edit = Edit.parse(input, _patterns())
    return graphql.slide(edit_slide(catalogue(), edit, technician))


@app.resolver(type_name="Mutation", field_name="retryImport")
def retry_import(ImageID: str) -> dict[str, Any] | None:
    """Start a slide's failed import again; return the slide."""
    technician = graphql.caller(app.current_event).technician()
    return graphql.slide(import_retries().retry(ImageID, technician))


@observed
def lambda_handler(event: dict[str, Any], context: Any) -> Any:
    """Resolve one field for AppSync. All are for people, none for machines."""

    def resolve() -> Any:
        graphql.caller(event).person()
        graphql.check_arguments(event)
        return app.resolve(event, context)

    return graphql.resolved(resolve, log_unexpected)
