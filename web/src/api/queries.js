// The GraphQL queries and the mutation that the pages send.

const SLIDE = `ImageID Filename SlideID CaseID IdSource Status ReviewReason ReviewNote Version width height ScanDate MPP AppMag lastModified
  ImportStatus ImportError ConflictsWith ImportWarnings TilesRendered TilesTotal Barcode { text reason }
  Removal { Operation State Error } SendRequestedAt Sent { At Receipt } SendError EditedAfterSending`;

export const GET_SLIDE = `query GetSlide($ImageID: String!) { getSlide(ImageID: $ImageID) { ${SLIDE} } }`;

export const GET_SLIDES = `query GetSlides($ImageIDs: [String!]) { getSlides(ImageIDs: $ImageIDs) { ${SLIDE} } }`;

export const CASE_SLIDES = `query CaseSlides($CaseID: String!, $limit: Int, $nextToken: String) {
  querySlidesByCase(CaseID: $CaseID, limit: $limit, nextToken: $nextToken) { items { ${SLIDE} } nextToken } }`;

/** Subscribers of `onUpdateSlide` get the fields that are selected here, and no others. */
export const UPDATE_SLIDE = `mutation UpdateSlide($input: UpdateSlideInput!) {
  updateSlide(input: $input) { ${SLIDE} } }`;

export const RETRY_IMPORT = `mutation RetryImport($ImageID: String!) { retryImport(ImageID: $ImageID) { ${SLIDE} } }`;

export const SLIDE_HISTORY = `query SlideHistory($ImageID: String!, $limit: Int, $nextToken: String) {
  slideHistory(ImageID: $ImageID, limit: $limit, nextToken: $nextToken) {
    items { Version At By Action Changes { Field From To } } nextToken } }`;

/** The criteria of a search. @type {Record<string, string>} */
const CRITERIA = {
  Text: "String",
  Status: "String",
  Unidentified: "Boolean",
  Failed: "Boolean",
  Scanner: "String",
  ScannedFrom: "AWSDateTime",
  ScannedTo: "AWSDateTime",
  SlideIDPrefix: "String",
  CaseIDPrefix: "String",
};

/** The query fields that list slides, and the arguments of each besides `limit` and `nextToken`. */
const LISTINGS = {
  listSlides: {},
  listUnsentSlides: {},
  listImportFailures: {},
  listUnidentified: {},
  querySlidesByStatus: { Status: "String!" },
  searchSlides: { ...CRITERIA, Order: "SlideOrder" },
};

/**
 * Return the query for one page of a listing.
 * @param {keyof typeof LISTINGS} field
 * @returns {string}
 */
export function listingQuery(field) {
  const { variables, fieldArguments } = parameters({ ...LISTINGS[field], limit: "Int", nextToken: "String" });
  return `query Slides(${variables}) {
    ${field}(${fieldArguments}) { items { ${SLIDE} } nextToken } }`;
}

const COUNT = parameters(CRITERIA);

/** The number of slides that a search finds. */
export const COUNT_SLIDES = `query CountSlides(${COUNT.variables}) {
  countSlides(${COUNT.fieldArguments}) { Count Exact } }`;

/** @param {Record<string, string>} types those of a field's arguments, by name */
function parameters(types) {
  return {
    variables: Object.entries(types)
      .map(([name, type]) => `$${name}: ${type}`)
      .join(", "),
    fieldArguments: Object.keys(types)
      .map((name) => `${name}: $${name}`)
      .join(", "),
  };
}
