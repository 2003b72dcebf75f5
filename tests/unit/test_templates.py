"""What the templates promise each other, where no deployment without a VPC would notice."""

from local.appsync import load_schema
from tests.conftest import ROOT, load_template

FUNC = load_template(ROOT / "func.template.yaml")["Resources"]
VPC = load_template(ROOT / "templates" / "vpc.template.yaml")["Resources"]
GRAPHQL = load_template(ROOT / "templates" / "graphql.template.yaml")["Resources"]


def statements(policies):
    """All statements of a function's policies, those under a condition as well."""
    for policy in policies:
        for each in policy.get("Fn::If", [None, policy])[1:]:
            yield from each.get("Statement", [])


def actions(function) -> set[str]:
    """What a function's policies allow, whatever the conditions."""
    found = set()
    for statement in statements(function["Properties"].get("Policies", [])):
        for action in statement["Action"]:
            choices = action.get("Fn::If", [])[1:] if isinstance(action, dict) else [action]
            found |= {choice for choice in choices if isinstance(choice, str)}
    return found


def test_the_endpoints_let_through_what_functions_in_the_vpc_do():
    inside = [
        function
        for function in FUNC.values()
        if function["Type"] == "AWS::Serverless::Function" and "VpcConfig" in function["Properties"]
    ]
    assert len(inside) > 5
    for endpoint, service in (("S3Endpoint", "s3:"), ("DynamoDbEndpoint", "dynamodb:")):
        (statement,) = VPC[endpoint]["Properties"]["PolicyDocument"]["Statement"]
        wanted = {action for each in inside for action in actions(each)}
        assert {each for each in wanted if each.startswith(service)} <= set(statement["Action"])


def test_every_field_of_the_schema_has_its_resolver():
    schema = load_schema(ROOT / "graphql" / "schema.graphql")
    fields = {
        (root.name, field)
        for root in (schema.query_type, schema.mutation_type)
        for field in root.fields
    }
    resolvers = [
        resource["Properties"]
        for resource in GRAPHQL.values()
        if resource["Type"] == "AWS::AppSync::Resolver"
    ]
    assert {(each["TypeName"], each["FieldName"]) for each in resolvers} == fields
    assert {each["CodeS3Location"] for each in resolvers} == {"../graphql/resolver.js"}
