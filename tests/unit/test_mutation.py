"""Which changes ``make mutation`` tries."""

import ast

import pytest

from tests.mutation.changes import mutants, mutated
from tests.mutation.judge import LIBRARY, ROOT
from tests.mutation.unit_tests import TESTS, path_of


@pytest.mark.parametrize(
    ("line", "changes"),
    [
        ("x = a < b", ["a <= b", "a > b"]),
        ("x = a == b", ["a != b"]),
        ("x = 0 <= n < m", ["1 <= n < m", "0 < n < m", "0 <= n <= m"]),
        ("x = a and b or c", ["(a and b) and c", "(a or b) or c"]),
        ("x = not a", ["a"]),
        ("x = a // b - 1", ["a // b + 1", "a * b - 1", "a // b - 2"]),
        ("x: int = True", ["False"]),
        ("def f(n: int = 7) -> int: return n", ["n: int=8", "return None"]),
        ("def f():\n if a: return", ["not a"]),
        ("def f():\n if a is None: return", ["a is not None"]),
        ("def f(): g()", ["pass"]),
        ("def f(): raise E", ["pass"]),
        ("def f(): n += m", ["pass"]),
        ("x = f'{y:.2f}'", []),
        ("if TYPE_CHECKING:\n x = 1", []),
    ],
)
def test_a_change_is_one_that_might_be_a_mistake(line, changes):
    tree = ast.parse(line)
    texts = [ast.unparse(mutated(tree, mutant)) for mutant in mutants(tree)]
    assert len(texts) == len(changes)
    for change in changes:
        assert any(change in text for text in texts), change
    assert ast.unparse(tree) == ast.unparse(ast.parse(line)), "the tree itself stays as it is"


def test_all_modules_and_their_tests_are_there():
    for module, tests in TESTS.items():
        assert (LIBRARY / f"{module.replace('.', '/')}.py").is_file()
        for name in tests:
            assert (ROOT / path_of(name)).exists()
