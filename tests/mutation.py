"""``make mutation``: how many small changes to the library do a module's own unit tests notice?

Each change is made in memory, in a process of its own, in which pytest runs the module's tests up
to the first that fails. What no test notices survives: nothing holds it. Which changes are tried is
drawn by a seed, so that a run can be repeated. Why this is not a tool of others:
docs/decisions/0022-mutation.md.
"""

import argparse
import ast
import builtins
import copy
import hashlib
import importlib.abc
import importlib.util
import json
import os
import random
import resource
import shutil
import signal
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from local import samples

ROOT = Path(__file__).parents[1]
LIBRARY = ROOT / "layers" / "vsv" / "vsv"
WANTED = 0.92

# How many times its CPU time a change may take on a busy machine, before it counts as endless.
_PATIENCE = 5

# What a watched module calls before each of its statements.
_RAN = "_lines_ran"

# The unit tests that hold each module, the quickest first.
TESTS = {
    "pyramid.deepzoom": ["deepzoom"],
    "pyramid.encoding": ["encoding", "tiles"],
    "pyramid.native": ["tiles", "tile_index", "pyramid", "field_slides", "associated_images"],
    "pyramid.tile": ["tiles", "pyramid"],
    "viewing.images": ["image_request", "tile_index"],
    "viewing.slide_cache": ["slide_cache", "odd_index", "tile_index"],
    "pyramid.slide_index": ["odd_index", "tile_index", "pyramid", "image_request"],
    "storage.image_bucket": ["bucket"],
    "storage.atomic_files": ["storage", "odd_index", "tile_index"],
    "storage.layout": [
        "storage",
        "odd_index",
        "import_rules",
        "image_request",
        "import",
        "import_transfers",
        "import_damage",
        "archive",
        "archive_fetch",
        "archived_slides",
        "removed_files",
    ],
    "storage.image_folder": ["storage", "odd_index", "bucket", "pyramid"],
    "pyramid.plan": ["pyramid"],
    "pyramid.render": ["pyramid", "tiles"],
    "slides.aperio": ["aperio"],
    "slides.associated": ["pages", "field_slides", "associated_images", "tiles"],
    "slides.damage": ["levels", "field_slides", "associated_images"],
    "slides.decoding": ["white_is_zero", "field_slides", "associated_images", "tiles"],
    "slides.openslide_reader": ["fallback", "field_slides", "associated_images", "tiles"],
    "slides.file": ["storage", "odd_index", "tile_index", "slide_cache", "tiles"],
    "slides.tile_index": ["odd_index", "tile_index", "field_slides", "associated_images"],
    "slides.jpeg": ["jpeg", "white_is_zero", "field_slides", "associated_images", "tiles"],
    "slides.jpeg2000": ["jpeg2000", "jpeg2000_kinds"],
    "slides.level": ["levels", "tiles", "field_slides", "associated_images"],
    "slides.lost_tiles": ["levels", "field_slides", "associated_images", "tiles"],
    "slides.pages": ["pages", "field_slides", "associated_images", "tiles"],
    "slides.regions": ["tiles", "field_slides", "associated_images", "fallback", "jpeg2000_kinds"],
    "slides.slide": ["tiles", "field_slides", "associated_images", "jpeg2000", "image_request"],
    "slides.tiff": ["tiff", "tiles", "tile_index", "field_slides", "associated_images"],
    "catalogue.filters": ["catalogue_rules", "catalogue"],
    "catalogue.listings": ["catalogue_rules", "catalogue"],
    "catalogue.history": ["catalogue", "import_identity"],
    "catalogue.indexes": ["catalogue"],
    "catalogue.projections": ["odd_records", "cdr", "admin"],
    "catalogue.record": ["record", "catalogue", "import_records", "removal"],
    "catalogue.table": ["catalogue"],
    "imports.jobs": ["import_records", "import", "import_transfers", "import_damage"],
    "imports.service": ["import_rules", "import", "import_transfers", "import_damage"],
    "imports.failure": ["import_rules", "import_identity", "failures", "import_workflow"],
    "imports.check_file": ["import_rules", "import", "import_transfers", "import_damage"],
    "imports.identity": ["import_identity", "import", "import_transfers", "import_damage"],
    "imports.listing": ["import_rules", "admin"],
    "imports.naming": ["import_rules", "import_identity"],
    "imports.others": ["import_records", "import_rules", "import_identity"],
    "imports.records": [
        "import_records",
        "import",
        "import_transfers",
        "import_damage",
        "import_identity",
    ],
    "imports.request": ["import_rules", "import", "import_transfers", "import_damage"],
    "imports.steps": [
        "import_records",
        "import",
        "import_transfers",
        "import_damage",
        "import_identity",
    ],
    "imports.transfers": ["import_rules", "import", "import_transfers", "import_damage"],
    "imports.workflow": [
        "import_rules",
        "import",
        "import_transfers",
        "import_damage",
        "import_workflow",
    ],
    "removal.service": ["removal"],
    "removal.request": ["import_rules", "removal"],
    "removal.steps": ["removal"],
    "identifiers": ["import_rules", "storage", "import", "import_transfers", "import_damage"],
    "slides.fingerprint": ["odd_index", "tile_index", "field_slides", "associated_images"],
    "pyramid.tile_blocks": ["odd_index", "tile_index"],
    "imports.file_state": ["import_rules", "import", "import_transfers", "import_damage"],
    "imports.remote_files": ["import_rules", "import", "import_transfers", "import_damage"],
    "viewing.request": ["image_request"],
}

_COMPARISONS: dict[type[ast.cmpop], tuple[type[ast.cmpop], ...]] = {
    ast.Lt: (ast.LtE, ast.Gt),
    ast.LtE: (ast.Lt, ast.GtE),
    ast.Gt: (ast.GtE, ast.Lt),
    ast.GtE: (ast.Gt, ast.LtE),
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
}
_OPERATORS: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.FloorDiv,
    ast.FloorDiv: ast.Mult,
    ast.Mod: ast.FloorDiv,
    ast.LShift: ast.RShift,
    ast.RShift: ast.LShift,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
}


@dataclass(frozen=True)
class Mutant:
    """A change: what stands at a node of the tree (by its number) is replaced."""

    number: int
    line: int
    end: int
    before: str
    after: str
    node: ast.AST

    def __str__(self) -> str:
        return f"line {self.line}: {self.before} -> {self.after}"


def mutants(tree: ast.Module) -> list[Mutant]:
    """Return all changes that are tried of a module, in the order of its text."""
    found = []
    for number, node in enumerate(ast.walk(tree)):
        for changed in _changes(node):
            ast.copy_location(changed, node)
            before, after = _text(node), _text(changed)
            found.append(
                Mutant(
                    *(number, node.lineno, node.end_lineno or node.lineno, before, after),
                    ast.fix_missing_locations(changed),
                )
            )
    unseen = {id(each) for each in _unseen(tree)}
    numbers = {n for n, node in enumerate(ast.walk(tree)) if id(node) in unseen}
    kept = [each for each in found if each.number not in numbers]
    return sorted(kept, key=lambda each: (each.line, each.number, each.after))


def mutated(tree: ast.Module, mutant: Mutant) -> ast.Module:
    """Return the tree with the change."""
    tree = copy.deepcopy(tree)
    (old,) = (node for number, node in enumerate(ast.walk(tree)) if number == mutant.number)

    class Replace(ast.NodeTransformer):
        def visit(self, node: ast.AST) -> ast.AST:
            return mutant.node if node is old else self.generic_visit(node)

    return ast.fix_missing_locations(Replace().visit(tree))


def _changes(node: ast.AST) -> Iterator[ast.AST]:
    match node:
        case ast.Compare(ops=[op]):
            for other in _COMPARISONS[type(op)]:
                yield ast.Compare(node.left, [other()], node.comparators)
        case ast.Compare():
            for place, op in enumerate(node.ops):
                ops = list(node.ops)
                ops[place] = _COMPARISONS[type(op)][0]()
                yield ast.Compare(node.left, ops, node.comparators)
        case ast.BoolOp(op, values):
            yield ast.BoolOp(ast.Or() if isinstance(op, ast.And) else ast.And(), values)
        case ast.UnaryOp(ast.Not(), operand):
            yield operand
        case ast.BinOp(left, op, right) if type(op) in _OPERATORS:
            yield ast.BinOp(left, _OPERATORS[type(op)](), right)
        case ast.Constant(bool(value)):
            yield ast.Constant(not value)
        case ast.Constant(int(value)):
            yield ast.Constant(value + 1)
        case ast.If(test, body, orelse) if not _has_its_own_opposite(test):
            yield ast.If(ast.UnaryOp(ast.Not(), test), body, orelse)
        case ast.IfExp(test, body, orelse) if not _has_its_own_opposite(test):
            yield ast.IfExp(ast.UnaryOp(ast.Not(), test), body, orelse)
        case ast.Return(value) if value and not _is_none(value):
            yield ast.Return(ast.Constant(None))
        case ast.Expr(ast.Call()) | ast.Raise(ast.AST()) | ast.AugAssign():
            yield ast.Pass()


def _unseen(tree: ast.Module) -> Iterator[ast.AST]:
    """Nodes without a say in what the module does: annotations, what messages look like."""
    for node in ast.walk(tree):
        hidden: list[ast.AST | None] = []
        match node:
            case ast.AnnAssign():
                hidden = [node.annotation]
            case ast.FunctionDef():
                hidden = [node.returns, *node.decorator_list]
            case ast.arg():
                hidden = [node.annotation]
            case ast.ClassDef():
                hidden = [*node.decorator_list, *node.bases]
            case ast.If(ast.Name("TYPE_CHECKING")):
                hidden = [node]
            case ast.FormattedValue():
                hidden = [node.format_spec]
            case ast.Assign([ast.Name()], ast.BinOp(op=ast.BitOr()) | ast.Subscript()):
                hidden = [node.value]  # a type's other name
        for each in filter(None, hidden):
            yield from ast.walk(each)


def _has_its_own_opposite(test: ast.AST) -> bool:
    """Whether a change within the condition turns it round already."""
    return isinstance(test, ast.Compare) or (
        isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not)
    )


def _is_none(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant) and node.value is None


def _text(node: ast.AST) -> str:
    if isinstance(node, ast.If):
        return f"if {ast.unparse(node.test)}"
    text = ast.unparse(ast.fix_missing_locations(node)).partition("\n")[0]
    return text if len(text) <= 70 else f"{text[:67]}..."


# ─── Judging ─────────────────────────────────────────────────────────────────────────────────────


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
    files = tuple(f"tests/unit/test_{name}.py::" for name in TESTS[module])
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
    files = [f"tests/unit/test_{name}.py" for name in names]
    if judged(trees, files, _Watch(notes)) != "survived":
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


def _once(make: Callable[..., Path], scratch: Path) -> Callable[..., Path]:
    """Let tests that want a slide like one that another process has made have a copy of it."""

    def made(path: Path, tissue: Path, **options: object) -> Path:
        kept = scratch / hashlib.sha256(repr(sorted(options.items())).encode()).hexdigest()
        if not kept.exists():
            os.replace(make(kept.with_suffix(f".{os.getpid()}"), tissue, **options), kept)
        shutil.copyfile(kept, path)
        return path

    return made


def main(arguments: Sequence[str] | None = None) -> int:
    """Return the exit code: 0 if enough was noticed."""
    parser = argparse.ArgumentParser(prog="make mutation", description=__doc__)
    parser.add_argument("modules", nargs="*", metavar="MODULE", help="default: all there are")
    parser.add_argument("--most", type=int, default=25, help="changes of each module; 0: all")
    parser.add_argument("--seed", type=int, default=1, help="which ones")
    options = parser.parse_args(arguments)
    os.chdir(ROOT)
    tried = noticed = 0
    with tempfile.TemporaryDirectory() as scratch:
        samples.generated_slide = _once(samples.generated_slide, Path(scratch))
        modules = options.modules or [*TESTS]
        seen = watch(modules, Path(scratch, "notes"))
        for module in modules:
            count, survivors = examine(module, seen, options.most, options.seed)
            tried, noticed = tried + count, noticed + count - len(survivors)
            print(f"{module}: {count - len(survivors)} of {count} noticed", flush=True)
    print(f"{noticed} of {tried} changes noticed: {noticed / tried:.0%} (seed {options.seed})")
    return int(noticed < WANTED * tried)


if __name__ == "__main__":
    # What tests import and no change touches is imported once.
    import boto3  # noqa: F401
    import hypothesis  # noqa: F401
    import imagecodecs  # noqa: F401
    import moto.dynamodb.models
    import moto.s3.models  # noqa: F401
    import numpy  # noqa: F401
    import playwright.sync_api  # noqa: F401
    import tifffile  # noqa: F401

    from tests import binaries

    binaries.foreign = dict  # what is loaded does not matter here
    sys.exit(main())
