"""What the templates promise each other, and the documents, where no local deployment notices."""

import re

import pytest
import yaml
from samcli.yamlhelper import yaml_dump, yaml_parse

from lint.permissions import DOCUMENT, filled, roles
from lint.template import text
from local.standins.appsync import load_schema
from tests.cloudformation import expanded, packaged, resolved
from tests.conftest import ROOT, load_template

MAIN = load_template(ROOT / "main.template.yaml")
FUNC = load_template(ROOT / "func.template.yaml")["Resources"]
VPC = load_template(ROOT / "templates" / "vpc.template.yaml")["Resources"]
GRAPHQL = load_template(ROOT / "templates" / "graphql.template.yaml")["Resources"]
# What `sam build` makes of func.template.yaml has its parameters and outputs.
BUILT = {".aws-sam/build/template.yaml": "func.template.yaml"}
NESTED = {
    name: {
        **properties,
        "TemplateURL": BUILT.get(properties["TemplateURL"], properties["TemplateURL"]),
    }
    for name, resource in MAIN["Resources"].items()
    if resource["Type"] == "AWS::CloudFormation::Stack"
    for properties in [resource["Properties"]]
}
RIGHTS = {
    name.removesuffix("Function"): {right.action for right in role.rights}
    for name, role in roles(FUNC).items()
}


@pytest.mark.parametrize("stack", sorted(NESTED))
def test_a_nested_stack_gets_the_parameters_that_it_has_and_all_that_it_needs(stack):
    parameters = load_template(ROOT / NESTED[stack]["TemplateURL"]).get("Parameters", {})
    given = set(NESTED[stack].get("Parameters", {}))
    required = {name for name, each in parameters.items() if "Default" not in each}
    assert given <= set(parameters)
    assert required <= given


def outputs_used(value) -> set[tuple[str, str]]:
    """Stack and output of each reference to a nested stack's output."""
    if isinstance(value, dict):
        if "Fn::GetAtt" in value and ".Outputs." in (attribute := ".".join(value["Fn::GetAtt"])):
            stack, _, output = attribute.split(".")
            return {(stack, output)}
        return set().union(*map(outputs_used, value.values()))
    if isinstance(value, list):
        return set().union(*map(outputs_used, value))
    return (
        set(re.findall(r"\$\{(\w+)\.Outputs\.(\w+)\}", value)) if isinstance(value, str) else set()
    )


def test_outputs_that_are_used_are_there_and_those_that_are_there_are_used():
    """An output that nobody reads is a promise to nobody."""
    used = outputs_used(MAIN)
    there = {
        (stack, output)
        for stack, properties in NESTED.items()
        for output in load_template(ROOT / properties["TemplateURL"]).get("Outputs", {})
    }
    assert used == there


def test_what_a_parameter_takes_its_nested_namesake_takes():
    """Else main lets through what fails only in the middle of a deployment."""
    for stack, properties in NESTED.items():
        nested = load_template(ROOT / properties["TemplateURL"])["Parameters"]
        for name, value in properties.get("Parameters", {}).items():
            if value != {"Ref": name}:
                continue
            outer, inner = MAIN["Parameters"][name], nested[name]
            for key in ("AllowedValues", "MinValue", "MaxValue", "NoEcho"):
                assert outer.get(key) == inner.get(key), (stack, name, key)


def test_every_parameter_has_its_place_on_the_form_and_its_words():
    form = MAIN["Metadata"]["AWS::CloudFormation::Interface"]
    grouped = [name for group in form["ParameterGroups"] for name in group["Parameters"]]
    assert sorted(grouped) == sorted(MAIN["Parameters"])
    assert set(form["ParameterLabels"]) == set(MAIN["Parameters"])
    for name, parameter in MAIN["Parameters"].items():
        assert parameter["Description"], name
        # Few values are required, and none of these.
        assert "Default" in parameter, name


def test_what_nobody_may_lose_outlives_its_stack():
    kept = {"AWS::EFS::FileSystem", "AWS::Cognito::UserPool"}
    named = {"SlideTable", "HistoryTable", "ArchiveBucket", "PyramidBucket", "LogBucket"}
    seen = set()
    for path in (ROOT / "templates").glob("*.template.yaml"):
        for name, resource in load_template(path)["Resources"].items():
            if resource["Type"] in kept or name in named:
                seen.add(name)
                assert resource["DeletionPolicy"] == "RetainExceptOnCreate", name
                assert resource["UpdateReplacePolicy"] == "Retain", name
    assert seen == named | {"FileSystem", "UserPool"}


@pytest.mark.parametrize("domain", ["", "slides.example.org"])
def test_protection_begins_with_the_second_deployment(domain):
    """A first one that fails could not be deleted: only a deployment lifts the protection."""

    def protection(**given: str) -> list[str]:
        stacks = resolved(ROOT / "main.template.yaml", ViewerDomainName=domain, **given)
        return [
            stacks["Resources"][name]["Properties"]["Parameters"]["DeletionProtection"]
            for name in ("Db", "Auth")
        ]

    assert protection() == protection(DeletionProtection="true") == ["false", "INACTIVE"]
    second = {"ViewerUrl": "https://d111111abcdef8.cloudfront.net/"}
    assert protection(**second) == ["true", "ACTIVE"]
    assert protection(**second, DeletionProtection="false") == ["false", "INACTIVE"]


def test_cloudfront_tells_who_was_shown_what_for_as_long_as_is_said():
    """Without cookies, which open images; in a bucket that its ACL lets CloudFront write to."""
    path = ROOT / "templates" / "web.template.yaml"
    given = {
        each: "https://api.example.org/prod"
        for each, known in load_template(path)["Parameters"].items()
        if "Default" not in known
    }
    assert "LogBucket" not in resolved(path, **given, LogDays="0")["Resources"]
    web = resolved(path, **given, LogDays="30")["Resources"]
    log = web["Distribution"]["Properties"]["DistributionConfig"]["Logging"]
    assert log["IncludeCookies"] is False
    assert log["Bucket"] == {"Fn::GetAtt": ["LogBucket", "RegionalDomainName"]}
    bucket = web["LogBucket"]["Properties"]
    (rule,) = bucket["LifecycleConfiguration"]["Rules"]
    assert str(rule["ExpirationInDays"]) == "30"
    assert bucket["OwnershipControls"]["Rules"] == [{"ObjectOwnership": "BucketOwnerPreferred"}]


def test_names_do_not_meet_those_of_another_deployment():
    """Layers have the names of their logical IDs unless they are given one of their own."""
    for name, resource in FUNC.items():
        if resource["Type"] == "AWS::Serverless::LayerVersion":
            assert "${StageName}" in text(resource["Properties"].get("LayerName")), name


@pytest.mark.parametrize(("key", "other"), ["AB", "BA"])
def test_one_of_two_keys_signs_cookies_and_the_other_is_gone(key, other):
    """To change `CookieKey` ends all sessions: it leaves nothing that knows the key before."""
    path = ROOT / "templates" / "edge.template.yaml"
    edge = resolved(
        path, CookieKey=key.lower(), TemplateLookupArn="arn:l", TemplateLookupRoleArn="arn:r"
    )
    assert f"CookieKey{key}" in edge["Resources"]
    assert not [name for name in edge["Resources"] if name.endswith(f"y{other}")]
    (trusted,) = edge["Resources"]["KeyGroup"]["Properties"]["KeyGroupConfig"]["Items"]
    assert trusted == edge["Outputs"]["CookieKeyPairId"]["Value"] == {"Ref": f"PublicKey{key}"}


@pytest.mark.usefixtures("region")
@pytest.mark.parametrize("name", ["main.template.yaml", "func.template.yaml", *sorted(NESTED)])
def test_sam_expands_it(name):
    template = packaged(ROOT / (NESTED[name]["TemplateURL"] if name in NESTED else name))
    wanted = {key for key, each in template["Resources"].items() if "Layer" not in key}
    resources = expanded(template, {})["Resources"]
    assert resources.keys() >= wanted
    assert not [key for key, each in resources.items() if "Serverless" in each["Type"]]


@pytest.mark.parametrize("name", ["func.template.yaml", "templates/ops.template.yaml"])
def test_sam_writes_out_what_a_template_repeats_by_name(name):
    """CloudFormation refuses aliases."""
    path = ROOT / name
    assert re.search(r": \*\w+$", path.read_text(), re.MULTILINE)
    written = yaml_dump(load_template(path))
    assert not [e for e in yaml.parse(written) if isinstance(e, yaml.AliasEvent)]
    assert yaml_parse(written) == load_template(path)


@pytest.fixture
def region(monkeypatch):
    """SAM's translator wants to know where it is."""
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")


@pytest.mark.usefixtures("region")
def test_whatever_changes_image_request_makes_a_new_version_of_it():
    """Else viewers would keep the version before."""

    def version(**changed: str) -> str:
        template = packaged(ROOT / "func.template.yaml", **changed)
        resources = expanded(template, {})["Resources"]
        (name,) = (
            name
            for name, each in resources.items()
            if each["Type"] == "AWS::Lambda::Version" and name.startswith("ImageRequest")
        )
        description = text(resources[name]["Properties"]["Description"])
        variables = FUNC["ImageRequestFunction"]["Properties"]["Environment"]["Variables"]
        # CloudFormation replaces a version whose description changes.
        assert {text(value) for value in variables.values()} <= set(description.split())
        return name

    before = version()
    assert version() == before
    assert version(ImageRequestFunction="s3://bucket/other") != before
    assert version(VsvLayer="s3://bucket/other") != before


def test_the_page_of_permissions_is_that_of_the_templates():
    """`python -m lint.permissions --write` renews it."""
    page = DOCUMENT.read_text()
    assert filled(page) == page
    for name in RIGHTS:
        assert re.search(rf"^\| .*\b{name}\b.* \|", page, re.MULTILINE) or "Machine" in name, name


def test_the_endpoints_let_through_what_functions_in_the_vpc_do():
    inside = [
        name.removesuffix("Function")
        for name, resource in FUNC.items()
        if resource["Type"] == "AWS::Serverless::Function" and "VpcConfig" in resource["Properties"]
    ]
    assert len(inside) > 5
    for endpoint, service in (("S3Endpoint", "s3:"), ("DynamoDbEndpoint", "dynamodb:")):
        (statement,) = VPC[endpoint]["Properties"]["PolicyDocument"]["Statement"]
        wanted = set().union(*(RIGHTS[name] for name in inside))
        assert {each for each in wanted if each.startswith(service)} <= set(statement["Action"])


@pytest.mark.parametrize("existing", [{}, {"ExistingVpcId": "vpc-1", "ExistingSubnetIds": "a,b"}])
def test_functions_may_reach_x_ray_where_it_has_an_endpoint(existing):
    def network(endpoint):
        path = ROOT / "templates" / "vpc.template.yaml"
        given = {"TemplateLookupArn": "arn", "XRayEndpoint": endpoint, **existing}
        resources = resolved(path, **given)["Resources"]
        return {name: each["Properties"] for name, each in resources.items() if "Traces" in name}

    assert network("false") == {}
    made = network("true")
    endpoint, there = made["TracesEndpoint"], {"Ref": "TracesSecurityGroup"}
    assert len(endpoint["SubnetIds"]) == 2
    assert endpoint["SecurityGroupIds"] == [there]
    assert made["TracesToEndpoint"]["DestinationSecurityGroupId"] == there
    assert made["TracesToEndpoint"]["GroupId"] == {"Ref": "FunctionSecurityGroup"}
    assert made["TracesFromFunctions"]["GroupId"] == there
    assert made["TracesFromFunctions"]["SourceSecurityGroupId"] == {"Ref": "FunctionSecurityGroup"}
    (allowed,) = endpoint["PolicyDocument"]["Statement"]
    run = FUNC["RunPolicy"]["Properties"]["PolicyDocument"]["Statement"]
    assert allowed["Action"] in [each["Action"] for each in run]


def test_the_workflow_may_call_the_functions_that_it_calls_and_no_others():
    machine = FUNC["ImportSlideStateMachine"]["Properties"]
    definition = (ROOT / machine["DefinitionUri"]).read_text()
    named = set(re.findall(r"\$\{(\w+FunctionArn)\}", definition))
    passed = machine["DefinitionSubstitutions"]
    assert named == {name for name in passed if name.endswith("FunctionArn")}
    allowed = {
        right.resource
        for right in roles(FUNC)["ImportSlideStateMachine"].rights
        if right.action == "lambda:InvokeFunction"
    }
    assert allowed == {text(passed[name]) for name in named}


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
    by_code = {each["FieldName"]: each["CodeS3Location"] for each in resolvers}
    assert by_code.pop("publishSlideChange") == "../graphql/publish.js"
    assert set(by_code.values()) == {"../graphql/resolver.js"}


def test_with_roles_beside_people_the_schema_says_of_each_field_who_may():
    """AppSync ignores @aws_auth then, and a field without a directive is for all people."""
    (other,) = GRAPHQL["Api"]["Properties"]["AdditionalAuthenticationProviders"]
    assert other == {"AuthenticationType": "AWS_IAM"}
    assert GRAPHQL["Api"]["Properties"]["AuthenticationType"] == "AMAZON_COGNITO_USER_POOLS"
    source = (ROOT / "graphql" / "schema.graphql").read_text()
    assert re.findall(r"^[^#\n]*@aws_auth", source, re.MULTILINE) == []
    schema = load_schema(ROOT / "graphql" / "schema.graphql")
    people, roles_ = "aws_cognito_user_pools", "aws_iam"
    access = {
        (kind.name, name): field.extensions["access"]
        for kind in schema.type_map.values()
        if hasattr(kind, "fields") and not kind.name.startswith("__")
        for name, field in kind.fields.items()
        if field.extensions
    }
    for (kind, name), who in access.items():
        if (kind, name) == ("Mutation", "publishSlideChange"):
            assert who == {roles_: None}
        elif kind == "Mutation":
            assert who[people], f"{name} is open to everybody who signs in"
            assert set(who) == {people}
        elif kind == "Slide":
            assert set(who) == {people, roles_}
        else:
            assert who == {people: None}, (kind, name)
