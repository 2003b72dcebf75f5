"""How people sign in: what templates/auth.template.yaml makes of its parameters."""

import pytest

from tests.cloudformation import references, resolved
from tests.conftest import ROOT
from tests.handlers import load_handler

REQUIRED = {
    "DomainPrefix": "vsv-test",
    "CallbackUrls": "https://slides.example.org/",
    "LogoutUrls": "https://slides.example.org/",
}
PROVIDER = {
    "OidcIssuer": "https://login.example.org",
    "OidcClientId": "slides",
    "OidcClientSecret": "secret",
}
GROUPS = {"OidcGroupsClaim": "groups", "OidcTechniciansGroup": "lab technicians"}


def resources(**given):
    return resolved(ROOT / "templates" / "auth.template.yaml", **REQUIRED, **given)["Resources"]


def web_client(**given):
    return resources(**given)["WebClient"]["Properties"]


def test_without_parameters_there_is_only_the_user_pool():
    found = resources()
    assert {each["Type"] for each in found.values()} == {
        "AWS::Cognito::UserPool",
        "AWS::Cognito::UserPoolClient",
        "AWS::Cognito::UserPoolDomain",
        "AWS::Cognito::UserPoolGroup",
        "AWS::Cognito::UserPoolResourceServer",
    }
    assert not {"LambdaConfig", "EmailConfiguration"} & set(found["UserPool"]["Properties"])
    assert found["WebClient"]["Properties"]["SupportedIdentityProviders"] == ["COGNITO"]


def test_a_provider_is_offered_beside_passwords_and_groups_stay_with_the_administrator():
    found = resources(**PROVIDER)
    client = found["WebClient"]["Properties"]
    # By reference, so that the provider is made before the client.
    assert client["SupportedIdentityProviders"] == ["COGNITO", {"Ref": "IdentityProvider"}]
    assert "profile" not in found["IdentityProvider"]["Properties"]["AttributeMapping"]
    assert "LambdaConfig" not in found["UserPool"]["Properties"]


def test_with_the_provider_alone_no_password_opens_anything():
    client = web_client(**PROVIDER, OidcOnly="true")
    assert client["SupportedIdentityProviders"] == [{"Ref": "IdentityProvider"}]
    assert client["ExplicitAuthFlows"] == ["ALLOW_REFRESH_TOKEN_AUTH"]
    # Without a provider nobody is shut out.
    assert web_client(OidcOnly="true") == web_client()


def test_the_providers_people_cannot_choose_their_groups():
    """They are read of an attribute, which this scope would let its owner write."""
    scopes = web_client(**PROVIDER, **GROUPS)["AllowedOAuthScopes"]
    assert "aws.cognito.signin.user.admin" not in scopes


def test_groups_of_the_provider_call_the_function_which_only_this_pool_may():
    found = resources(**PROVIDER, **GROUPS)
    assert found["IdentityProvider"]["Properties"]["AttributeMapping"]["profile"] == "groups"
    assert references(found["UserPool"]["Properties"]["LambdaConfig"]) == {"AssignGroupsFunction"}
    permission = found["AssignGroupsPermission"]["Properties"]
    assert permission["SourceArn"] == {"Fn::GetAtt": ["UserPool", "Arn"]}
    # The groups that it grants are those that the pool has, and its settings those it reads.
    names = {
        each["Properties"]["GroupName"]
        for each in found.values()
        if each["Type"] == "AWS::Cognito::UserPoolGroup"
    }
    settings = found["AssignGroupsFunction"]["Properties"]["Environment"]["Variables"]
    with pytest.MonkeyPatch.context() as patch:
        for name in settings:
            patch.setenv(name, "all")
        assert set(granted(federated("all"))) == names


def test_ses_sends_what_names_the_viewer():
    pool = resources(
        SesIdentityArn="arn:aws:ses:eu-central-1:123456789012:identity/example.org",
        SesFromAddress="slides@example.org",
    )["UserPool"]["Properties"]
    assert pool["EmailConfiguration"] == {
        "EmailSendingAccount": "DEVELOPER",
        "SourceArn": "arn:aws:ses:eu-central-1:123456789012:identity/example.org",
        "From": "slides@example.org",
    }
    text = pool["AdminCreateUserConfig"]["InviteMessageTemplate"]["EmailMessage"]["Fn::Sub"][0]
    # Cognito refuses a text without the first two.
    assert all(each in text for each in ("{username}", "{####}", "${ViewerUrl}"))
    assert "{####}" in pool["VerificationMessageTemplate"]["EmailMessage"]


def test_the_scanners_second_login_may_do_what_the_first_may_and_replaces_it():
    first, second = resources(), resources(ScannerLogin="b")
    assert set(first) - set(second) == {"ScannerClient"}
    old, new = (
        first["ScannerClient"]["Properties"],
        second["ScannerClientB"]["Properties"],
    )
    assert new | {"ClientName": None} == old | {"ClientName": None}


# ─── functions/AssignGroups ──────────────────────────────────────────────────────────────────────


@pytest.fixture
def mapping(monkeypatch):
    monkeypatch.setenv("OIDC_TECHNICIANS_GROUP", "lab technicians")
    monkeypatch.setenv("OIDC_PATHOLOGISTS_GROUP", "")


def event(**attributes):
    return {
        "triggerSource": "TokenGeneration_HostedAuth",
        "request": {
            "userAttributes": attributes,
            "groupConfiguration": {"groupsToOverride": ["eu-central-1_abc_Hospital"]},
        },
        "response": {"claimsOverrideDetails": None},
    }


def federated(profile):
    return event(**{"cognito:user_status": "EXTERNAL_PROVIDER", "profile": profile})


def granted(given):
    answer = load_handler("AssignGroups")(given, None)["response"]["claimsOverrideDetails"]
    return answer["groupOverrideDetails"]["groupsToOverride"]


@pytest.mark.usefixtures("mapping")
@pytest.mark.parametrize(
    "claim",
    ["lab technicians", '["staff", "lab technicians"]', "[staff, lab technicians]"],
)
def test_members_of_the_named_group_are_technicians(claim):
    assert granted(federated(claim)) == ["Technicians"]


@pytest.mark.usefixtures("mapping")
@pytest.mark.parametrize(
    "claim",
    [
        "",
        "[]",
        "[, ]",
        '[""]',
        "Technicians",  # ours, not the provider's
        "Lab Technicians",
        "staff, lab technicians",  # one name, with a comma in it
        '{"lab technicians": true}',
        '[["lab technicians"], {"lab technicians": 1}, null]',
        '["not lab technicians", "lab", "technicians"]',
    ],
)
def test_any_other_claim_gets_no_token(claim):
    with pytest.raises(Exception, match="in no group that may see slides"):
        granted(federated(claim))


@pytest.mark.usefixtures("mapping")
def test_people_without_a_claim_or_of_unknown_origin_get_no_token():
    with pytest.raises(Exception, match="in no group that may see slides"):
        granted(event(**{"cognito:user_status": "EXTERNAL_PROVIDER"}))
    with pytest.raises(KeyError, match="user_status"):
        granted(event(profile="lab technicians"))


@pytest.mark.usefixtures("mapping")
def test_cognitos_own_people_stay_as_they_are_whatever_they_write_into_their_profile():
    given = event(**{"cognito:user_status": "CONFIRMED", "profile": "lab technicians"})
    assert load_handler("AssignGroups")(given, None)["response"] == {"claimsOverrideDetails": None}
