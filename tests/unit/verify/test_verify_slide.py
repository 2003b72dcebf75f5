"""The function VerifySlide: it answers piece by piece, and may only read."""

import pytest

from lint.permissions import roles
from tests.conftest import ROOT, load_template
from tests.handlers import load_handler
from vsv.imports.verify import RecordedSlide, verify


def test_the_function_answers_piece_by_piece(subject, monkeypatch):
    monkeypatch.setenv("IMAGES_PATH", str(subject.storage.root))
    handler = load_handler("VerifySlide")
    request = {"slide": RecordedSlide.of(subject.record).to_dict()}
    plan = handler(request, None)
    assert plan["findings"] == []
    subject.tile("12/3_2").unlink()
    answers = [handler({**request, "piece": piece}, None) for piece in plan["pieces"]]
    findings = [finding for answer in answers for finding in answer["findings"]]
    assert findings == ["tile 12/3_2 is missing"]


def test_the_function_may_read_and_nothing_else():
    resources = load_template(ROOT / "func.template.yaml")["Resources"]
    actions = {right.action for right in roles(resources)["VerifySlideFunction"].rights}
    assert actions == {"elasticfilesystem:ClientMount", "s3:GetObject", "s3:ListBucket"}
    assert "Events" not in resources["VerifySlideFunction"]["Properties"]


def test_a_record_is_not_believed_about_paths(subject):
    recorded = {**RecordedSlide.of(subject.record).to_dict(), "filename": "../../etc/passwd.svs"}
    with pytest.raises(Exception, match="starts with a dot"):
        verify(subject.storage, {"slide": recorded})
