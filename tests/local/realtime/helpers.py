"""A schema with subscriptions, and who may subscribe."""

from local.standins import appsync
from local.standins.tokens import Unauthorized

SCHEMA = """
type Query { getSlide(ImageID: ID!): Slide }
type Mutation {
  updateSlide(input: SlideInput!): Slide @aws_auth(cognito_groups: ["Technicians"])
  touchSlide(ImageID: ID!): Slide
}
type Subscription {
  onUpdateSlide(CaseID: String, SlideID: String, ScanDate: AWSDateTime): Slide
    @aws_subscribe(mutations: ["updateSlide"])
  onAnyChange: Slide @aws_subscribe(mutations: ["updateSlide", "touchSlide"])
  onSecret: Slide
    @aws_subscribe(mutations: ["updateSlide"]) @aws_auth(cognito_groups: ["Technicians"])
}
type Slide {
  ImageID: ID!
  Filename: String!
  CaseID: String
  SlideID: String
  ScanDate: AWSDateTime
  Notes: String @aws_auth(cognito_groups: ["Technicians"])
  Barcode: Barcode
}
type Barcode { text: String reason: String }
input SlideInput { ImageID: ID! CaseID: String SlideID: String }
"""


UNAUTHORIZED = {
    "errorType": "UnauthorizedException",
    "message": "You are not authorized to make this call.",
}
GROUPS = {"technician": ["Technicians"], "pathologist": ["Pathologists"]}

ALL = "subscription { onUpdateSlide { ImageID SlideID } }"
OF_A_CASE = "subscription ($case: String) { onUpdateSlide(CaseID: $case) { ImageID } }"


async def identify(authorization, asked):
    """Take the token as the name: a token is a person's name here."""
    name = (authorization or "").removeprefix("Bearer ")
    if name not in GROUPS:
        raise Unauthorized(name)
    claims = {"sub": name, "cognito:groups": GROUPS[name]}
    return appsync.Caller(claims, "https://issuer", dict(asked.headers), "127.0.0.1")


def nothing_more(client, *names) -> bool:
    """Whether subscriptions were told of nothing: a message that was sent comes before this one."""
    for name in names:
        client.stop(name)
    return not client.waiting
