"""What the local sign-in page says beside MiniStack's form: which logins there are.

Cognito's own page on AWS says nothing of the kind, and passwords are not on this one either: other
people on this machine can open it.
"""

import html
from collections.abc import Callable
from typing import Any, Final

from ministack.services import cognito

from local import accounts

_FORM_END: Final = "</form>"
_STYLE: Final = (
    "<style>.logins{margin-top:20px;font-size:13px;color:#545b64;line-height:1.5}"
    ".logins dt{font-weight:600;color:#232f3e;margin-top:8px}.logins dl{margin-bottom:8px}"
    ".logins code{overflow-wrap:anywhere}</style>"
)


def with_logins(page: str) -> str:
    """Return a sign-in page that names the logins below its form; unchanged without a form."""
    before, form_end, after = page.rpartition(_FORM_END)
    if not form_end:
        return page
    people = "".join(
        f"<dt>{html.escape(name)}</dt><dd>{html.escape(text)}</dd>"
        for name, text in accounts.MAY.items()
    )
    logins = (
        f'{_STYLE}<div class="logins"><p>This is the local stack. Its logins:</p><dl>{people}</dl>'
        "<p><code>make demo</code> prints their passwords, and keeps them in"
        " <code>.local/stack.json</code>.</p></div>"
    )
    return before + form_end + logins + after


# 1.5.33 has no setting for what its sign-in pages say; nor has Cognito. Stays. That it still takes
# effect: test_the_sign_in_page_names_the_logins in tests/local/test_sign_in.py.
def name_logins() -> None:
    """Have MiniStack's sign-in pages name the logins."""
    for name in ("_login_page_html", "_username_page_html"):
        setattr(cognito, name, _named(getattr(cognito, name)))


def _named(make_page: Callable[..., str]) -> Callable[..., str]:
    def make_named_page(*arguments: Any, **options: Any) -> str:
        return with_logins(make_page(*arguments, **options))

    return make_named_page
