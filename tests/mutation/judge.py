"""Run unit tests with a changed module, and say whether they notice.

Each change is made in memory, in a process of its own, in which pytest runs the module's tests up
to the first that fails.
"""

import ast
import builtins
import copy
import importlib.abc
import importlib.util
import json
import os
import random
import resource
import signal
import sys
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import pytest

from tests.mutation.changes import Mutant, mutants, mutated
from tests.mutation.unit_tests import TESTS, path_of

ROOT = Path(__file__).parents[2]
LIBRARY = ROOT / "layers" / "vsv" / "vsv"

# How many times its CPU time a change may take on a busy machine, before it counts as endless.
_PATIENCE = 5

# What a watched module calls before each of its statements.
_RAN = "_lines_ran"


class _Finder(importlib.abc.MetaPathFinder):
    """Has one module imported as this tree has it."""

    def __init__(self, name: str, path: Path, tree: ast.Module) -> None:
        self.name, self.path, self.tree = name, path, tree

    def find_spec(self, name: str, *_: object) -> object:
        if name != self.name:
            return None
        loader = _Loader(name, str(self.path))
        loader.tree = self.tree
        return importlib.util.spec_from_file_location(name, self.path, loader=loader)


class _Loader(importlib.machinery.SourceFileLoader):
    tree: ast.Module

    def get_code(self, fullname: str) -> object:
        return compile(self.tree, self.path, "exec")


class _Watch:
    """Pytest's plug-in that notes which lines of the library each test runs, and its CPU time.

    Lines are kept by module.
    """

    def __init__(self, notes: Path) -> None:
        self.notes = notes
        self.lines: dict[str, set[int]] = defaultdict(set)
        self.tests: dict[str, tuple[float, dict[str, list[int]]]] = {}
        setattr(builtins, _RAN, self.ran)

    def ran(self, module: str, first: int, last: int) -> None:
        self.lines[module].update(range(first, last + 1))

    @pytest.hookimpl(hookwrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        self.lines.clear()
        begun = time.process_time()
        yield
        lines = {module: sorted(run) for module, run in self.lines.items()}
        self.tests[item.nodeid] = (time.process_time() - begun, lines)

    def pytest_sessionfinish(self) -> None:
        self.notes.write_text(json.dumps(self.tests))


def watched(module: str, tree: ast.Module) -> ast.Module:
    """Return the module's tree with a call before each statement that tells which lines are run."""
    tree = copy.deepcopy(tree)
    for node in list(ast.walk(tree)):
        for name in ("body", "orelse", "finalbody"):
            statements = getattr(node, name, None)
            if isinstance(statements, list) and not isinstance(node, ast.Module | ast.ClassDef):
                setattr(
                    node, name, [each for one in statements for each in (_note(module, one), one)]
                )
    return ast.fix_missing_locations(tree)


def _note(module: str, statement: ast.stmt) -> ast.stmt:
    body = getattr(statement, "body", None)
    last = body[0].lineno - 1 if body else statement.end_lineno or statement.lineno
    told = [*map(ast.Constant, (module, statement.lineno, max(last, statement.lineno)))]
    return ast.copy_location(ast.Expr(ast.Call(ast.Name(_RAN, ast.Load()), told, [])), statement)


class _Only:
    """Pytest's plug-in that leaves out all other tests, and has a file's quickest run first."""

    def __init__(self, durations_s: Mapping[str, float]) -> None:
        self.durations_s = durations_s

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        items[:] = [item for item in items if item.nodeid in self.durations_s]
        items.sort(key=lambda item: (item.path, self.durations_s[item.nodeid]))


Seen = Mapping[str, tuple[float, Mapping[str, list[int]]]]


def concerned(module: str, mutant: Mutant, seen: Seen) -> dict[str, float]:
    """Return those of the module's tests that run the changed lines, and each one's CPU time.

    All of them where none does: such lines are run as the module is imported, or by nothing.
    """
    files = tuple(map(path_of, TESTS[module]))
    own = {test: noted for test, noted in seen.items() if test.startswith(files)}
    changed = range(mutant.line, mutant.end + 1)
    found = {
        test: duration_s
        for test, (duration_s, lines) in own.items()
        if any(line in changed for line in lines.get(module, ()))
    }
    return found or {test: duration_s for test, (duration_s, _) in own.items()}


def judged(
    trees: Mapping[str, ast.Module],
    files: Iterable[str],
    plugin: object,
    most_cpu_s: float | None = None,
) -> str:
    """Run tests of these files with these trees; say what came of it: noticed, hangs, survived.

    What hangs takes more than so much CPU time (a busy machine changes nothing), or waits for ever.
    """
    child = os.fork()
    if child == 0:
        os.setpgid(0, 0)
        code = 1
        try:
            nothing = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nothing, 1)
            os.dup2(nothing, 2)
            if most_cpu_s:
                resource.setrlimit(resource.RLIMIT_CPU, (int(most_cpu_s), int(most_cpu_s) + 1))
            for module, tree in trees.items():
                sys.meta_path.insert(0, _Finder(f"vsv.{module}", _path(module), tree))
            plugins = ("randomly", "cacheprovider", "xdist", "anyio")
            without = [part for name in plugins for part in ("-p", f"no:{name}")]
            code = pytest.main(["-xq", *without, *files], [plugin])
        finally:
            os._exit(int(code))
    end = time.monotonic() + _PATIENCE * most_cpu_s if most_cpu_s else None
    while not (done := os.waitpid(child, os.WNOHANG if end else 0))[0]:
        if end and time.monotonic() > end:
            os.killpg(child, signal.SIGKILL)
            os.waitpid(child, 0)
            return "hangs"
        time.sleep(0.05)
    if os.WIFSIGNALED(done[1]) and os.WTERMSIG(done[1]) in (signal.SIGXCPU, signal.SIGKILL):
        return "hangs"
    return "noticed" if done[1] else "survived"


def watch(modules: Iterable[str], notes: Path) -> Seen:
    """Run the modules' tests without any change; return what each runs."""
    trees = {module: watched(module, _tree(module)) for module in modules}
    names = dict.fromkeys(name for module in trees for name in TESTS[module])
    if judged(trees, map(path_of, names), _Watch(notes)) != "survived":
        raise SystemExit("tests fail without any change")
    seen: Seen = json.loads(notes.read_text())
    return seen


def examine(module: str, seen: Seen, most: int, seed: int) -> tuple[int, list[Mutant]]:
    """Try changes of a module; return how many, and those that no test noticed."""
    tree = _tree(module)
    tried = mutants(tree)
    if most and most < len(tried):
        drawn = random.Random(f"{seed} {module}").sample(range(len(tried)), most)
        tried = [tried[number] for number in sorted(drawn)]
    survivors = []
    for mutant in tried:
        found = verdict(module, tree, mutant, seen)
        if found == "survived":
            survivors.append(mutant)
        if found != "noticed":
            print(f"  {module}, {mutant}{'  (hangs)' * (found == 'hangs')}", flush=True)
    return len(tried), survivors


def verdict(module: str, tree: ast.Module, mutant: Mutant, seen: Seen) -> str:
    """Say what comes of a change."""
    tests = concerned(module, mutant, seen)
    files = dict.fromkeys(test.partition("::")[0] for test in tests)
    most_cpu_s = 60 + 5 * sum(tests.values())
    return judged({module: mutated(tree, mutant)}, files, _Only(tests), most_cpu_s)


def _tree(module: str) -> ast.Module:
    return ast.parse(_path(module).read_text())


def _path(module: str) -> Path:
    return LIBRARY / f"{module.replace('.', '/')}.py"
