"""Stand-in for AppSync: executes ``graphql/schema.graphql`` on the real SlideCatalogue function.

It enforces the directives of authorization field by field, and invokes the function with the event
that ``graphql/resolver.js`` hands on, so that the function cannot tell the difference. What
mutations return goes to those who subscribed to them; `local.standins.realtime` carries it there.

Directives count as "Using additional authorization modes" in AppSync's developer guide says. A
field's own come before its type's. Without any, a field is for Cognito's people, who are the
default. ``@aws_auth`` counts only where Cognito is the only way to authorize.
"""

from collections.abc import Awaitable, Callable, Iterator, Mapping, Set
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from graphql import (
    DirectiveNode,
    DocumentNode,
    ExecutionResult,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLError,
    GraphQLObjectType,
    GraphQLResolveInfo,
    GraphQLSchema,
    InlineFragmentNode,
    OperationDefinitionNode,
    OperationType,
    SelectionSetNode,
    build_ast_schema,
    execute,
    get_argument_values,
    get_nullable_type,
    get_operation_ast,
    get_variable_values,
    is_list_type,
    parse,
    print_ast,
    validate,
)
from graphql.execution.collect_fields import collect_fields, collect_sub_fields

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
_COGNITO: Final = "aws_cognito_user_pools"
_IAM: Final = "aws_iam"
_MODES: Final = frozenset({_COGNITO, _IAM, "aws_api_key"})
# Fields whose resolver, graphql/publish.js, returns their arguments and asks no function.
_ECHOES: Final = frozenset({"publishSlideChange"})

Claims = Mapping[str, Any]
Event = dict[str, Any]
Invoke = Callable[[Event], Awaitable[Any]]
Publish = Callable[[str, Any], None]
# Whether a role's policies allow a root field, by its type's name and its own.
Permits = Callable[[str, str], Awaitable[bool]]
# The groups that may use a field, by way of authorization; None where everybody may.
Access = Mapping[str, Set[str] | None]


class ResolverError(Exception):
    """The function behind a field failed."""


class Refused(Exception):
    """A request that is not executed; ``errors`` are in AppSync's shape."""

    def __init__(self, kind: str, *problems: GraphQLError) -> None:
        super().__init__(kind)
        self.errors = [{**_error(each), "errorType": _kind(each) or kind} for each in problems]


@dataclass(frozen=True)
class Caller:
    """Who asks, with the request's headers: the claims of a verified token, or a role.

    A role has ``permits``, and its ARN as the claim ``sub``.
    """

    claims: Claims
    issuer: str
    headers: Mapping[str, str]
    address: str
    permits: Permits | None = None

    @property
    def mode(self) -> str:
        """The directive of the way in which the caller is authorized."""
        return _IAM if self.permits else _COGNITO

    @property
    def groups(self) -> list[str]:
        """The caller's Cognito groups."""
        return list(self.claims.get("cognito:groups", []))

    def identity(self) -> dict[str, Any]:
        """Return the identity as AppSync hands it to a resolver."""
        if self.permits:
            return {"userArn": self.claims["sub"], "sourceIp": [self.address]}
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
    # AppSync refuses directives of ways that the API has not: the schema tells which it has.
    names = {each.name.value for each in _directives(schema)}
    only_cognito = names.isdisjoint(_MODES - {_COGNITO})
    for root in (schema.query_type, schema.mutation_type):
        for field in root.fields.values() if root else ():
            field.resolve = _resolve_by_function
    for kind in schema.type_map.values():
        if isinstance(kind, GraphQLObjectType) and not kind.name.startswith("__"):
            for field in kind.fields.values():
                field.extensions = {"access": _access(kind.ast_node, field.ast_node, only_cognito)}
                field.resolve = _guarded(kind, field.resolve or _from_parent)
    return schema


async def answer(
    schema: GraphQLSchema,
    request: Mapping[str, Any],
    caller: Caller,
    invoke: Invoke,
    publish: Publish = lambda *_: None,
) -> dict[str, Any]:
    """Execute one GraphQL request; return the response's body.

    ``publish`` is called for each mutation that succeeded, with its name and those fields of its
    result that the request selects, under their own names: subscribers learn of no others.
    """
    try:
        document, operation = _checked(schema, request)
        if operation.operation is OperationType.SUBSCRIPTION:
            raise Refused("BadRequestException", GraphQLError("Subscriptions need a WebSocket."))
    except Refused as refusal:
        return {"data": None, "errors": refusal.errors}
    variables = request.get("variables") or {}
    context = _RequestContext(caller, invoke, variables, [])
    result = execute(
        schema,
        document,
        context_value=context,
        variable_values=variables,
        operation_name=request.get("operationName"),
    )
    if not isinstance(result, ExecutionResult):
        result = await result
    for info, value in context.mutated:
        if (result.data or {}).get(str(info.path.key)) is not None:
            publish(info.field_name, _selected(value, info, by_alias=False))
    return _body(result)


@dataclass(frozen=True)
class Subscription:
    """Which results of which mutations somebody asked for, and what to show of them."""

    field_name: str
    mutations: Set[str]
    arguments: Mapping[str, Any]
    execute: Callable[[Any], dict[str, Any]]

    def payload(self, mutation: str, result: Any) -> dict[str, Any] | None:
        """Return what there is to tell of a mutation's result, or None.

        Each argument that was given, null too, must equal the result's field of that name; one
        that the mutation did not select equals nothing.
        """
        known = result if isinstance(result, Mapping) else {}
        if mutation not in self.mutations or not self.arguments.items() <= known.items():
            return None
        return self.execute({self.field_name: result})


def subscribe(schema: GraphQLSchema, request: Mapping[str, Any], caller: Caller) -> Subscription:
    """Return the subscription that a request registers; raise `Refused` for what is none."""
    document, operation = _checked(schema, request)
    root = schema.subscription_type
    if operation.operation is not OperationType.SUBSCRIPTION or root is None:
        what = f"{operation.operation.value} not supported through the realtime channel"
        raise Refused("UnsupportedOperation", GraphQLError(what))
    inputs = request.get("variables") or {}
    variables = get_variable_values(schema, operation.variable_definitions, inputs)
    if isinstance(variables, list):
        raise Refused("ValidationError", *variables)
    fragments = {
        each.name.value: each
        for each in document.definitions
        if isinstance(each, FragmentDefinitionNode)
    }
    # A valid subscription has one field, unless a directive skips it.
    fields = collect_fields(schema, fragments, variables, root, operation.selection_set)
    if not fields:
        raise Refused("ValidationError", GraphQLError("There is nothing to subscribe to."))
    ((node, *_),) = fields.values()
    name = node.name.value
    try:
        _authorize(root, name, caller)
        arguments = get_argument_values(root.fields[name], node, variables)
    except GraphQLError as error:
        raise Refused("ValidationError", error) from error

    def show(root_value: Any) -> dict[str, Any]:
        result = execute(
            schema,
            document,
            root_value,
            context_value=_Context(caller),
            variable_values=inputs,
            operation_name=request.get("operationName"),
        )
        # No field of a subscription has anything to wait for.
        assert isinstance(result, ExecutionResult)  # noqa: S101
        return _body(result)

    mutations = _listed(root.fields[name].ast_node, {"aws_subscribe"}, "mutations") or frozenset()
    return Subscription(name, mutations, arguments, show)


@dataclass(frozen=True)
class _Context:
    """What the resolvers of a subscription are told."""

    caller: Caller


@dataclass(frozen=True)
class _RequestContext(_Context):
    """What the resolvers of a query or mutation are told, and which mutations they made."""

    invoke: Invoke
    variables: Mapping[str, Any]
    mutated: list[tuple[GraphQLResolveInfo, Any]]


def _checked(
    schema: GraphQLSchema, request: Mapping[str, Any]
) -> tuple[DocumentNode, OperationDefinitionNode]:
    """Return a request's document, which is valid, and the operation that it asks for."""
    try:
        document = parse(str(request.get("query") or ""))
    except GraphQLError as error:
        raise Refused("MalformedQuery", error) from error
    if problems := validate(schema, document):
        raise Refused("ValidationError", *problems)
    operation = get_operation_ast(document, request.get("operationName"))
    if operation is None:
        raise Refused("BadRequestException", GraphQLError("Which operation? Name one."))
    if not isinstance(request.get("variables") or {}, Mapping):
        raise Refused("BadRequestException", GraphQLError("Variables are an object."))
    return document, operation


async def _resolve_by_function(source: Any, info: GraphQLResolveInfo, **arguments: Any) -> Any:
    context: _RequestContext = info.context
    permits = context.caller.permits
    if permits and not await permits(info.parent_type.name, info.field_name):
        raise _unauthorized(info.parent_type, info.field_name)
    if info.field_name in _ECHOES:
        context.mutated.append((info, arguments))
        return arguments
    selected = [node.selection_set for node in info.field_nodes if node.selection_set]
    result = await context.invoke(
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
    if isinstance(result, Mapping) and (failure := result.get("__error")):
        raise GraphQLError(
            str(failure.get("message")),
            extensions={
                "errorType": failure.get("type"),
                "data": _selected(failure.get("data"), info),
                "errorInfo": failure.get("info"),
            },
        )
    if info.operation.operation is OperationType.MUTATION:
        context.mutated.append((info, result))
    return result


def _from_parent(source: Any, info: GraphQLResolveInfo, **_: Any) -> Any:
    return source.get(info.field_name) if isinstance(source, Mapping) else None


def _guarded(kind: GraphQLObjectType, resolve: Any) -> Any:
    """Return ``resolve``, open only to those whom the field's directives name."""

    def guarded(source: Any, info: GraphQLResolveInfo, **arguments: Any) -> Any:
        _authorize(kind, info.field_name, info.context.caller)
        return resolve(source, info, **arguments)

    return guarded


def _authorize(kind: GraphQLObjectType, field_name: str, caller: Caller) -> None:
    """Raise what AppSync answers to somebody who may not use a field."""
    access: Access = kind.fields[field_name].extensions["access"]
    groups = access.get(caller.mode)
    if caller.mode not in access or (groups is not None and groups.isdisjoint(caller.groups)):
        raise _unauthorized(kind, field_name)


def _unauthorized(kind: GraphQLObjectType, field_name: str) -> GraphQLError:
    return GraphQLError(
        f"Not Authorized to access {field_name} on type {kind.name}",
        extensions={"errorType": "Unauthorized"},
    )


def _access(kind: Any, field: Any, only_cognito: bool) -> Access:
    """Return who may use a field, by the definitions of its type and of itself."""
    for node in (field, kind):
        access = {
            each.name.value: _listed(node, {each.name.value}, "cognito_groups")
            for each in node.directives
            if each.name.value in _MODES
        }
        if access:
            return access
    return {_COGNITO: _listed(field, {"aws_auth"}, "cognito_groups") if only_cognito else None}


def _directives(schema: GraphQLSchema) -> Iterator[DirectiveNode]:
    """Yield all directives of the schema's types and fields."""
    for kind in schema.type_map.values():
        if isinstance(kind, GraphQLObjectType) and kind.ast_node:
            yield from kind.ast_node.directives
            for field in kind.fields.values():
                yield from field.ast_node.directives if field.ast_node else ()


def _listed(node: Any, directives: Set[str], argument: str) -> frozenset[str] | None:
    """Return the texts that one of the directives of a field's definition lists, or None."""
    for directive in node.directives if node else ():
        if directive.name.value in directives:
            for each in directive.arguments:
                if each.name.value == argument:
                    return frozenset(text.value for text in each.value.values)
    return None


def _selected(value: Any, info: GraphQLResolveInfo, *, by_alias: bool = True) -> Any:
    """Return of a function's value what the request selects of its field and may see.

    Absent fields are null, and fields are not checked for their type.
    """

    def select(value: Any, kind: Any, nodes: list[FieldNode]) -> Any:
        kind = get_nullable_type(kind)
        if is_list_type(kind) and isinstance(value, list):
            return [select(each, kind.of_type, nodes) for each in value]
        if not isinstance(kind, GraphQLObjectType) or not isinstance(value, Mapping):
            return value
        by_key: dict[str, list[FieldNode]] = {}
        for alias, asked in collect_sub_fields(
            info.schema, info.fragments, info.variable_values, kind, nodes
        ).items():
            by_key.setdefault(alias if by_alias else asked[0].name.value, []).extend(asked)
        return {key: of_field(value, kind, asked) for key, asked in by_key.items()}

    def of_field(value: Mapping[str, Any], kind: GraphQLObjectType, nodes: list[FieldNode]) -> Any:
        name = nodes[0].name.value
        if name == "__typename":
            return kind.name
        try:
            _authorize(kind, name, info.context.caller)
        except GraphQLError:
            return None
        return select(value.get(name), kind.fields[name].type, nodes)

    return select(value, info.return_type, info.field_nodes)


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


def _body(result: ExecutionResult) -> dict[str, Any]:
    body: dict[str, Any] = {"data": result.data}
    if result.errors:
        body["errors"] = [_error(each) for each in result.errors]
    return body


def _error(error: GraphQLError) -> dict[str, Any]:
    """Return an error in AppSync's shape; what is not ours to tell stays a bare message."""
    extensions = error.extensions or {}
    return {
        "path": error.path,
        "data": extensions.get("data"),
        "errorType": _kind(error),
        "errorInfo": extensions.get("errorInfo"),
        "locations": [
            {"line": place.line, "column": place.column, "sourceName": None}
            for place in error.locations or ()
        ],
        "message": error.message,
    }


def _kind(error: GraphQLError) -> str | None:
    """Return AppSync's name for an error, where it has one."""
    if isinstance(error.original_error, ResolverError):
        return "Lambda:Unhandled"
    return (error.extensions or {}).get("errorType")
