"""Ways in: who comes has shown who they are."""

from collections.abc import Iterator
from typing import Any

from cfnlint.rules import CloudFormationLintRule, RuleMatch
from cfnlint.template import Template

from lint.template import always, branches, items, properties

# Browsers ask with OPTIONS what they may ask, and send no token with it.
METHODS = ("get", "head", "put", "post", "patch", "delete", "x-amazon-apigateway-any-method")


class Authorizer(CloudFormationLintRule):
    """Nothing answers to anybody: REST and HTTP APIs, function URLs, GraphQL."""

    id = "E9104"
    shortdesc = "Every route has an authorizer"
    description = "Cognito, JWT, Lambda or IAM; an API key tells nobody from anybody"
    tags = ("vsv", "apigateway")

    def match(self, cfn: Template) -> list[RuleMatch]:
        """One match for each open route."""
        found = []
        for kind in ("AWS::ApiGateway::RestApi", "AWS::ApiGatewayV2::Api"):
            for name, api in cfn.get_resources(kind).items():
                for body in branches(properties(api).get("Body")):
                    for route in _open_routes(body):
                        found.append(RuleMatch(["Resources", name], f"{route} has no authorizer"))
        for kind in ("AWS::ApiGateway::Method", "AWS::ApiGatewayV2::Route"):
            for name, method in cfn.get_resources(kind).items():
                by = properties(method).get("AuthorizationType")
                if properties(method).get("HttpMethod") != "OPTIONS" and not _authorized(by):
                    found.append(RuleMatch(["Resources", name], f"{name} has no authorizer"))
        for name, url in cfn.get_resources("AWS::Lambda::Url").items():
            if branches(properties(url).get("AuthType")) != ["AWS_IAM"]:
                found.append(RuleMatch(["Resources", name], f"{name} answers to anybody"))
        for name, api in cfn.get_resources("AWS::AppSync::GraphQLApi").items():
            providers = items(properties(api).get("AdditionalAuthenticationProviders"))
            for way in (properties(api), *providers):
                if not _authorized(way.get("AuthenticationType")):
                    found.append(RuleMatch(["Resources", name], f"{name} takes an API key"))
        return found


class Caller(CloudFormationLintRule):
    """A service acts for all its customers: it is let in for one of our resources only."""

    id = "E9105"
    shortdesc = "A permission to call a function says on whose behalf"
    description = "A principal that is not everybody, and SourceArn or SourceAccount for a service"
    tags = ("vsv", "lambda")

    def match(self, cfn: Template) -> list[RuleMatch]:
        """One match for each permission that is too wide."""
        found = []
        for name, permission in cfn.get_resources("AWS::Lambda::Permission").items():
            given = properties(permission)
            principals = branches(given.get("Principal"))
            if "*" in principals:
                found.append(RuleMatch(["Resources", name], f"{name} lets everybody call"))
            elif any(str(each).endswith(".amazonaws.com") for each in principals) and not (
                always(given.get("SourceArn")) or always(given.get("SourceAccount"))
            ):
                found.append(RuleMatch(["Resources", name], f"{name} has no SourceArn"))
        return found


class Stage(CloudFormationLintRule):
    """A stage that nobody thinks of is a way in without a limit and without a log."""

    id = "E9112"
    shortdesc = "Every stage of a REST API limits requests and writes a log"
    description = (
        "AccessLogSetting and a throttle for all methods. No deployment makes a stage of its own,"
        " as SAM's does without OpenApiVersion"
    )
    tags = ("vsv", "apigateway")

    def match(self, cfn: Template) -> list[RuleMatch]:
        """One match for each stage that lacks either, and for each deployment that makes one."""
        found = [
            RuleMatch(["Resources", name], f"{name} makes a stage of its own")
            for name, deployment in cfn.get_resources("AWS::ApiGateway::Deployment").items()
            if properties(deployment).get("StageName") is not None
        ]
        for name, stage in cfn.get_resources("AWS::ApiGateway::Stage").items():
            if not always((properties(stage).get("AccessLogSetting") or {}).get("DestinationArn")):
                found.append(RuleMatch(["Resources", name], f"{name} writes no access log"))
            methods = items(properties(stage).get("MethodSettings"))
            if not any(
                (each.get("ResourcePath"), each.get("HttpMethod")) == ("/*", "*")
                and always(each.get("ThrottlingRateLimit"))
                and always(each.get("ThrottlingBurstLimit"))
                for each in methods
            ):
                found.append(RuleMatch(["Resources", name], f"{name} does not limit requests"))
        return found


def _authorized(by: Any) -> bool:
    return always(by) and not {"NONE", "API_KEY"} & {str(each) for each in branches(by)}


def _open_routes(body: dict[str, Any]) -> Iterator[str]:
    """Methods of an OpenAPI document that name no authorizer which the document defines."""
    schemes = body.get("securityDefinitions") or (body.get("components") or {}).get(
        "securitySchemes", {}
    )
    authorizers = {
        scheme
        for scheme, definition in schemes.items()
        if "x-amazon-apigateway-authorizer" in definition
        or "x-amazon-apigateway-authtype" in definition
    }
    for path, method, operation in _operations(body):
        ways = [set(way) for way in items(operation.get("security", body.get("security")))]
        if not ways or not all(way & authorizers for way in ways):
            yield f"{method.upper()} {path}"


def _operations(body: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Path, method and definition. Where a function has a condition, so has its path."""
    for path, under_conditions in (body.get("paths") or {}).items():
        for methods in branches(under_conditions):
            for method in METHODS:
                for operation in branches(methods.get(method)):
                    yield path, method, operation
