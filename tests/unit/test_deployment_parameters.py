"""Parameters of ``make deploy``: every value reaches SAM as it is, and wrong ones are refused."""

import json
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st
from samcli.cli.types import CfnParameterOverridesType

from deployment import parameters
from deployment.deploy import Request, read_request
from deployment.errors import DeploymentError
from tests.conftest import ROOT, load_template
from tests.sam_speed import read_templates_once

read_templates_once()

MAIN = parameters.declared(ROOT / "main.template.yaml")

AWKWARD = [
    "",
    "/scans dir",
    '{"token": "a b"}',
    '{"username": "a\\"b", "password": "c$d e"}',
    "it's",
    '"quoted"',
    "'",
    "back\\slash \\ blank",
    "a,b=c#d",
    "$HOME $$ ${x",
    "Größe",
]

characters = st.text(st.sampled_from("\\ \"'ab$#{}:é\n\t,=-"), max_size=12)


# ─── Parameters ──────────────────────────────────────────────────────────────────────────────────


@given(st.sampled_from(AWKWARD) | characters)
def test_every_value_reaches_sam_as_it_is(tmp_path_factory, value):
    folder = tmp_path_factory.mktemp("sam")
    option = parameters.sam_file({"SmbPassword": value}, folder)
    assert CfnParameterOverridesType().convert((option,), None, None) == {"SmbPassword": value}
    assert (folder / "parameters.yaml").stat().st_mode & 0o777 == 0o600


@pytest.fixture(scope="module")
def make(tmp_path_factory):
    """Return what a recipe of make finds in MAKEFLAGS."""
    folder = tmp_path_factory.mktemp("make")
    (folder / "Makefile").write_text('all:\n\t@printf "%s" "$$MAKEFLAGS"\n')

    def flags(*arguments: str) -> str:
        command = ["make", "--no-print-directory", *arguments]
        done = subprocess.run(command, cwd=folder, capture_output=True, check=True)
        return done.stdout.decode()

    return flags


@pytest.mark.parametrize("options", [[], ["-s"], ["-j2"], ["-k", "-i"]])
def test_make_hands_on_what_was_typed(make, options):
    typed = dict(zip([*MAIN], [each for each in AWKWARD if "${x" not in each], strict=False))
    words = [f"{name}={value}" for name, value in typed.items()]
    assert parameters.from_make(make(*options, "STACK=vsv-prod", *words)) == {
        "STACK": "vsv-prod",
        **typed,
    }


def test_without_variables_make_hands_on_none(make):
    assert parameters.from_make(make()) == parameters.from_make(make("-s")) == {}


def test_the_last_of_two_values_counts(make):
    assert parameters.from_make(make("CdrUrl=a", "CdrUrl=b")) == {"CdrUrl": "b"}


def test_only_names_with_small_letters_are_parameters(tmp_path):
    file = tmp_path / "secret.toml"
    file.write_text("CdrUrl = 'https://cdr'\nSmbPassword = 'a\"b\\ c'\nJpegQuality = 80\n")
    asked = read_request(f" -- PYTHON=python3.13 CdrUrl=https://x PARAMETERS={file} STACK=vsv-x")
    assert asked == Request(
        "vsv-x", {"CdrUrl": "https://x", "SmbPassword": 'a"b\\ c', "JpegQuality": "80"}
    )


@pytest.mark.parametrize(
    ("flags", "problem"),
    [
        ("", "name the stack"),
        ("s", "name the stack"),
        (" -- STACK=", "name the stack"),
        (" -- PARAMETERS=/nowhere.toml STACK=x", "/nowhere.toml cannot be read"),
    ],
)
def test_what_is_asked_wrongly_is_told(flags, problem):
    with pytest.raises(DeploymentError, match=problem):
        read_request(flags)


@pytest.mark.parametrize(
    ("name", "value", "problem"),
    [
        ("CdrURL", "https://x", "did you mean CdrUrl"),
        ("stack", "vsv-prod", "no such parameter"),
        ("CdrUrl", "http://cdr.example.org", "not accepted"),
        ("JpegQuality", "96", "from 1 to 95"),
        ("JpegQuality", "good", "not a number"),
        ("StageName", "Prod", "not accepted"),
        ("PyramidStore", "tape", "not one of efs, s3"),
        ("SmbPassword", "x" * 105, "longer than 104"),
        ("LaboratoryName", 'The "Lab"', "not accepted"),
        ("LaboratoryName", "Lab\\", "not accepted"),
        ("Banner", "two\nlines", "not accepted"),
        ("Banner", "x" * 121, "longer than 120"),
        ("LaboratoryLogo", "https://elsewhere.example/logo.svg", "not accepted"),
        ("LaboratoryLogo", "laboratory/../index.html", "not accepted"),
    ],
)
def test_a_wrong_parameter_is_told_before_anything_is_built(name, value, problem):
    with pytest.raises(DeploymentError, match=problem):
        parameters.check({name: value}, MAIN)


def test_the_laboratorys_texts_reach_the_pages_as_they_are():
    values = {
        "LaboratoryName": "Söhne & <b>Töchter</b>, 's-Gravenhage {$x}",
        "LaboratoryLogo": "laboratory/Logo-2.svg",
        "Banner": "Research use only",
    }
    parameters.check(values, MAIN)
    template = load_template(ROOT / "main.template.yaml")
    text = template["Outputs"]["PageConfig"]["Value"]["Fn::Sub"]
    for name, value in values.items():
        text = text.replace(f"${{{name}}}", value)
    config = json.loads(text)
    assert [config[name] for name in ("laboratory", "logo", "banner")] == [*values.values()]


def test_a_secret_is_not_told():
    secret = {"OidcClientSecret": "geheim"}
    known = {"OidcClientSecret": MAIN["OidcClientSecret"] | {"AllowedPattern": "x"}}
    with pytest.raises(DeploymentError) as refusal:
        parameters.check(secret, known)
    assert "geheim" not in str(refusal.value)


def test_every_default_is_accepted_and_can_be_given_back():
    defaults = {name: str(each["Default"]) for name, each in MAIN.items()}
    parameters.check(defaults, MAIN)


def test_the_stack_names_the_environment_of_samconfig():
    path = ROOT / "samconfig.toml"
    assert parameters.from_samconfig(path, "vsv-dev")[1]["StageName"] == "dev"
    assert parameters.from_samconfig(path, "vsv-prod") == ("prod", {})
    assert parameters.from_samconfig(path, "vsv-test") == ("default", {})
