"""What ``make test`` says at its end, with a stand-in for make."""

import pytest

from tests import run

NODE = "# tests 9\n# pass 9\n# fail 0\n# cancelled 0\n# skipped 0\n"
GREEN = {
    "lint": "All checks passed!\n",
    "test-web": f"{NODE}===== 20 passed in 3.10s =====\n",
    "test-quick": "===== 300 passed, 5 deselected, 2 warnings in 63.10s (0:01:03) =====\n",
    "test-slow": "===== 7 passed in 3.10s =====\n",
    "test-stack": "===== 8 passed in 3.10s =====\n",
    "test-bench": "SKIPPED [1] tests/bench/test_x.py:47: file systems of one's own need /dev/fuse\n"
    "===== 5 passed, 1 skipped in 3.10s =====\n",
}


@pytest.fixture
def test(tmp_path, monkeypatch, capsys):
    """Run ``make test`` with these outputs and exit codes of its parts; return code and output."""

    def test(codes=None, **outputs):
        outputs = GREEN | {name.replace("_", "-"): text for name, text in outputs.items()}
        for name, text in outputs.items():
            (tmp_path / name).write_text(text)
            (tmp_path / f"{name}.code").write_text(str((codes or {}).get(name, 0)))
        make = tmp_path / "make"
        make.write_text(f'#!/bin/sh\ncd {tmp_path}\necho "$@"\ncat "$2"\nexit $(cat "$2.code")\n')
        make.chmod(0o755)
        monkeypatch.setenv("MAKE", str(make))
        code = run.main(["--seed", "42"], tmp_path / "log")
        return code, capsys.readouterr().out

    return test


def test_what_ran_stands_in_a_table_and_the_totals_in_the_last_line(test, tmp_path):
    code, out = test()
    assert code == 0
    table = [line.split() for line in out.splitlines()[-8:-2]]
    assert [row[:2] for row in table] == [[name, "passed"] for name in run.PARTS]
    assert [row[3:] for row in table] == [[], ["29"], ["300"], ["7"], ["8"], ["5", "1"]]
    assert out.splitlines()[-1].startswith("349 passed, 0 failed, 1 skipped in 0:0")
    assert out.endswith("(seed 42)\n")
    assert out.count("--no-print-directory") == len(run.PARTS)
    assert "test-quick SEED=42\n" in (tmp_path / "log" / "test-quick.log").read_text()


def test_a_failure_says_what_failed_and_how_to_run_it_alone(test, tmp_path):
    failing = (
        "FAILED tests/unit/test_x.py::test_y[a b - c] - AssertionError: no\n"
        "ERROR tests/unit/test_z.py - ImportError\n"
        "===== 1 failed, 298 passed, 1 error in 63.10s =====\n"
    )
    code, out = test({"test-quick": 2}, test_quick=failing)
    assert code == 1
    assert "make test-quick ended with exit code 2" in out
    assert "  .venv/bin/python -m pytest 'tests/unit/test_x.py::test_y[a b - c]'\n" in out
    assert "  .venv/bin/python -m pytest tests/unit/test_z.py\n" in out
    assert "make test-quick SEED=42\n" in out
    assert f"{tmp_path}/log/test-quick.log" in out
    assert "test-stack   not run" in out
    assert out.splitlines()[-1].startswith("327 passed, 2 failed, 0 skipped")


@pytest.mark.parametrize(
    ("part", "output", "reason"),
    [
        ("test-web", NODE, "1 of its 2 runs of tests came to their end"),
        ("test-slow", "", "0 of its 1 runs"),
        ("test-slow", "==== no tests ran in 0.10s ====\n", "in which none passed"),
        ("test-web", "# tests 0\n# pass 0\n# fail 0\n=== 2 passed in 1.00s ===\n", "none passed"),
        (
            "test-stack",
            "SKIPPED [2] tests/stack/test_x.py:9: all have to run\n=== 1 passed in 1.00s ===\n",
            "skipped: all have to run",
        ),
    ],
)
def test_what_should_have_run_and_did_not_is_a_failure(test, part, output, reason):
    code, out = test(**{part.replace("-", "_"): output})
    assert code == 1
    assert reason in out
    assert ", 1 failed, " in out.splitlines()[-1]


def test_checks_that_fail_are_a_failure_too(test):
    code, out = test({"lint": 2})
    assert code == 1
    assert out.splitlines()[-1].startswith("0 passed, 1 failed, 0 skipped")
    assert "  The part alone, in the same order: make lint\n" in out


def test_the_parts_are_targets_of_the_makefile():
    makefile = (run.ROOT / "Makefile").read_text()
    for name in run.PARTS:
        assert f"\n{name}: " in makefile
