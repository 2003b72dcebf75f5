"""The local sign-in page says which logins there are, and no password."""

import pytest
from ministack.services import cognito

from local import accounts, sign_in

CLIENT = {"AllowedOAuthFlows": ["code"], "CallbackURLs": ["http://localhost:1/"]}
QUERY = {
    "client_id": "viewer",
    "redirect_uri": "http://localhost:1/",
    "response_type": "code",
    "state": '"><script>',
}


@pytest.fixture
def sign_in_page(monkeypatch):
    """Return MiniStack's own page for this kind of client."""
    for name in ("_login_page_html", "_username_page_html"):
        monkeypatch.setattr(cognito, name, getattr(cognito, name))
    monkeypatch.setattr(cognito, "_find_pool_by_client_id", lambda _: ("pool", {"x": 1}, CLIENT))

    def page(*, chooses: bool = False) -> str:
        monkeypatch.setattr(cognito, "_use_choice_based_ui", lambda _: chooses)
        status, _, body = cognito.handle_oauth2_authorize("GET", "/oauth2/authorize", {}, QUERY)
        assert status == 200
        return body.decode()

    return page


@pytest.mark.parametrize("chooses", [False, True])
def test_the_sign_in_page_names_the_logins(sign_in_page, chooses):
    assert "pathologist" not in sign_in_page(chooses=chooses)
    sign_in.name_logins()
    page = sign_in_page(chooses=chooses)
    for name, may in accounts.MAY.items():
        assert f"<dt>{name}</dt><dd>{may}</dd>" in page
    assert page.count("<form") == page.count("</form>") == 1
    assert page.index("</form>") < page.index("<dt>")
    assert "<script>" not in page


def test_each_login_says_what_it_may_do():
    assert accounts.MAY.keys() == accounts.PEOPLE.keys()


def test_a_page_without_a_form_stays_as_it_is():
    assert sign_in.with_logins("<p>An error</p>") == "<p>An error</p>"
