// The GraphQL queries and the mutation that the pages send.

const SLIDE = `ImageID Filename SlideID CaseID IdSource Status Version width height ScanDate MPP AppMag lastModified
  ImportStatus ImportError ImportWarnings TilesRendered TilesTotal Barcode { text reason }
  Removal { Operation State Error } SendRequestedAt Sent { At Receipt } SendError EditedAfterSending`;

export const GET_SLIDE = `query GetSlide($ImageID: String!) { getSlide(ImageID: $ImageID) { ${SLIDE} } }`;

export const GET_SLIDES = `query GetSlides($ImageIDs: [String!]) { getSlides(ImageIDs: $ImageIDs) { ${SLIDE} } }`;

/** Subscribers of `onUpdateSlide` get the fields that are selected here, and no others. */
export const UPDATE_SLIDE = `mutation UpdateSlide($input: UpdateSlideInput!) {
  updateSlide(input: $input) { ${SLIDE} } }`;

export const SLIDE_HISTORY = `query SlideHistory($ImageID: String!, $limit: Int, $nextToken: String) {
  slideHistory(ImageID: $ImageID, limit: $limit, nextToken: $nextToken) {
    items { Version At By Action Changes { Field From To } } nextToken } }`;

/** The query fields that list slides, and the arguments of each besides `limit` and `nextToken`. */
const LISTINGS = {
  listSlides: {},
  listUnsentSlides: {},
  listImportFailures: {},
  listUnidentified: {},
  querySlidesByStatus: { Status: "String!" },
  searchSlides: {
    SlideIDPrefix: "String",
    CaseIDPrefix: "String",
    Scanner: "String",
    ScannedFrom: "AWSDateTime",
    ScannedTo: "AWSDateTime",
  },
};

/**
 * Return the query for one page of a listing.
 * @param {keyof typeof LISTINGS} field
 * @returns {string}
 */
export function listingQuery(field) {
  const types = { ...LISTINGS[field], limit: "Int", nextToken: "String" };
  const variables = Object.entries(types).map(([name, type]) => `$${name}: ${type}`);
  const fieldArguments = Object.keys(types).map((name) => `${name}: $${name}`);
  return `query Slides(${variables.join(", ")}) {
    ${field}(${fieldArguments.join(", ")}) { items { ${SLIDE} } nextToken } }`;
}
