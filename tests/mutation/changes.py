"""Small changes to a module's syntax tree, each of which might be a mistake."""

import ast
import copy
from collections.abc import Iterator
from dataclasses import dataclass

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
