"""Stand-in for AppSync: executes ``graphql/schema.graphql`` on the real SlideCatalogue function.

It checks the Cognito token, enforces ``@aws_auth`` groups field by field, and invokes the function
with the event of a direct Lambda resolver, so that the function cannot tell the difference.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from graphql import (
    DocumentNode,
    ExecutionResult,
    FieldNode,
    FragmentSpreadNode,
    GraphQLError,
    GraphQLObjectType,
    GraphQLResolveInfo,
    GraphQLSchema,
    InlineFragmentNode,
    OperationType,
    SelectionSetNode,
    build_ast_schema,
    execute,
    get_operation_ast,
    parse,
    print_ast,
    validate,
)

# What AppSync declares in every schema.
_SCALARS: Final = (
    *("AWSDate", "AWSTime", "AWSDateTime", "AWSTimestamp", "AWSEmail"),
    *("AWSJSON", "AWSURL", "AWSPhone", "AWSIPAddress"),
)
_DIRECTIVES: Final = """
directive @aws_auth(cognito_groups: [String!]) on FIELD_DEFINITION
directive @aws_cognito_user_pools(cognito_groups: [String!]) on OBJECT | FIELD_DEFINITION
directive @aws_iam on OBJECT | FIELD_DEFINITION
directive @aws_api_key on OBJECT | FIELD_DEFINITION
directive @aws_subscribe(mutations: [String!]!) on FIELD_DEFINITION
"""
_PRELUDE: Final = _DIRECTIVES + "\n".join(f"scalar {name}" for name in _SCALARS)
_GROUP_DIRECTIVES: Final = frozenset({"aws_auth", "aws_cognito_user_pools"})

Claims = Mapping[str, Any]
Event = dict[str, Any]
Invoke = Callable[[Event], Awaitable[Any]]


class ResolverError(Exception):
    """The function behind a field failed."""


@dataclass(frozen=True)
class Caller:
    """Who asks: the claims of a verified token, and the request's headers."""

    claims: Claims
    issuer: str
    headers: Mapping[str, str]
    address: str

    @property
    def groups(self) -> list[str]:
        """The caller's Cognito groups."""
        return list(self.claims.get("cognito:groups", []))

    def identity(self) -> dict[str, Any]:
        """Return the identity as AppSync hands it to a resolver."""
        return {
            "claims": dict(self.claims),
            "defaultAuthStrategy": "ALLOW",
            "groups": self.groups or None,
            "issuer": self.issuer,
            "sourceIp": [self.address],
            "sub": self.claims["sub"],
            "username": self.claims.get("cognito:username") or self.claims.get("username"),
        }


def load_schema(path: Path) -> GraphQLSchema:
    """Return the schema of an AppSync API, its root fields resolved by a Lambda function."""
    schema = build_ast_schema(parse(f"{_PRELUDE}\n{path.read_text()}"))
    for root in (schema.query_type, schema.mutation_type):
        for field in root.fields.values() if root else ():
            field.resolve = _resolve_by_function
    for kind in schema.type_map.values():
        if isinstance(kind, GraphQLObjectType) and not kind.name.startswith("__"):
            for field in kind.fields.values():
                field.resolve = _guarded(kind, field.ast_node, field.resolve or _from_parent)
    return schema


async def answer(
    schema: GraphQLSchema, request: Mapping[str, Any], caller: Caller, invoke: Invoke
) -> dict[str, Any]:
    """Execute one GraphQL request; return the response's body."""
    try:
        document = parse(str(request.get("query") or ""))
    except GraphQLError as error:
        return _refused([error], "MalformedQuery")
    if problems := validate(schema, document):
        return _refused(problems, "ValidationError")
    operation = get_operation_ast(document, request.get("operationName"))
    if operation is None:
        return _refused([GraphQLError("Which operation? Name one.")], "BadRequestException")
    if operation.operation is OperationType.SUBSCRIPTION:
        return _refused([GraphQLError("Subscriptions need a WebSocket.")], "BadRequestException")
    variables = request.get("variables") or {}
    result = execute(
        schema,
        document,
        context_value=_Context(caller, invoke, document, variables),
        variable_values=variables,
        operation_name=request.get("operationName"),
    )
    if not isinstance(result, ExecutionResult):
        result = await result
    body: dict[str, Any] = {"data": result.data}
    if result.errors:
        body["errors"] = [_error(each) for each in result.errors]
    return body


@dataclass(frozen=True)
class _Context:
    caller: Caller
    invoke: Invoke
    document: DocumentNode
    variables: Mapping[str, Any]


async def _resolve_by_function(source: Any, info: GraphQLResolveInfo, **arguments: Any) -> Any:
    context: _Context = info.context
    selected = [node.selection_set for node in info.field_nodes if node.selection_set]
    return await context.invoke(
        {
            "arguments": arguments,
            "identity": context.caller.identity(),
            "source": source,
            "request": {"headers": dict(context.caller.headers), "domainName": None},
            "prev": None,
            "stash": {},
            "info": {
                "fieldName": info.field_name,
                "parentTypeName": info.parent_type.name,
                "variables": dict(context.variables),
                "selectionSetList": _selected_paths(selected, info),
                "selectionSetGraphQL": "\n".join(print_ast(each) for each in selected),
            },
        }
    )


def _from_parent(source: Any, info: GraphQLResolveInfo, **_: Any) -> Any:
    return source.get(info.field_name) if isinstance(source, Mapping) else None


def _guarded(kind: GraphQLObjectType, node: Any, resolve: Any) -> Any:
    """Return ``resolve``, open only to the groups that the field's directives name."""
    allowed = _allowed_groups(node)
    if allowed is None:
        return resolve

    def guarded(source: Any, info: GraphQLResolveInfo, **arguments: Any) -> Any:
        if allowed.isdisjoint(info.context.caller.groups):
            raise GraphQLError(
                f"Not Authorized to access {info.field_name} on type {kind.name}",
                extensions={"errorType": "Unauthorized"},
            )
        return resolve(source, info, **arguments)

    return guarded


def _allowed_groups(node: Any) -> frozenset[str] | None:
    """Return the groups of a field's definition, or None where everybody signed in may ask."""
    for directive in node.directives if node else ():
        if directive.name.value in _GROUP_DIRECTIVES:
            for argument in directive.arguments:
                if argument.name.value == "cognito_groups":
                    return frozenset(each.value for each in argument.value.values)
    return None


def _selected_paths(selections: list[SelectionSetNode], info: GraphQLResolveInfo) -> list[str]:
    """Return what is asked of a field as flat paths: ``items``, ``items/ImageID``, …"""
    paths: dict[str, None] = {}

    def walk(selection: SelectionSetNode, prefix: str) -> None:
        for node in selection.selections:
            if isinstance(node, FieldNode):
                path = f"{prefix}{(node.alias or node.name).value}"
                paths[path] = None
                if node.selection_set:
                    walk(node.selection_set, f"{path}/")
            elif isinstance(node, InlineFragmentNode):
                walk(node.selection_set, prefix)
            elif isinstance(node, FragmentSpreadNode):
                walk(info.fragments[node.name.value].selection_set, prefix)

    for each in selections:
        walk(each, "")
    return list(paths)


def _error(error: GraphQLError) -> dict[str, Any]:
    """Return an error in AppSync's shape; what is not ours to tell stays a bare message."""
    kind = (error.extensions or {}).get("errorType")
    if kind is None and isinstance(error.original_error, ResolverError):
        kind = "Lambda:Unhandled"
    return {
        "path": error.path,
        "data": None,
        "errorType": kind,
        "errorInfo": None,
        "locations": [
            {"line": place.line, "column": place.column, "sourceName": None}
            for place in error.locations or ()
        ],
        "message": error.message,
    }


def _refused(problems: list[GraphQLError], kind: str) -> dict[str, Any]:
    return {"data": None, "errors": [{**_error(each), "errorType": kind} for each in problems]}
