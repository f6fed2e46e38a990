"""What the behaviour of a class follows from besides its settings: the code that it is written in.

Within matopt that is the module of the class and all of matopt that it imports, read for what it does: comments,
docstrings and blank lines do not count, nor does code that it never imports. Another version of Python may read the
same code as another.
"""

from __future__ import annotations

import ast
import hashlib
import inspect
import sys
from collections.abc import Iterable, Iterator
from functools import cache
from importlib.metadata import packages_distributions, version
from pathlib import Path

from matopt.errors import InputError
from matopt.registry import USER_MODULES

_ROOT = Path(__file__).parent
_NO_RESULT = ("matopt", "matopt.stages.keys", "matopt.provenance")
"""What names results and makes none; they import all families."""

_NOT_SCIENCE = ("study", "report", "cli", "testing")


def origin(member: type) -> str:
    """Tell where a class comes from that is not matopt's own; empty for one that is.

    Returns:
        A hash of the user's file that it is written in, or name, version and a hash of the sources of its package.

    Raises:
        InputError: its source cannot be read, as of a class that was typed into a prompt.
    """
    module = member.__module__
    if module.partition(".")[0] == "matopt":
        return ""
    if module.startswith(USER_MODULES):
        return module.rpartition("_")[2]
    if module == "__main__":
        try:
            return _digest([inspect.getsource(member).encode()])
        except (OSError, TypeError) as error:
            raise InputError(
                f"the source of {member.__name__} cannot be read, so that nobody could tell when it changes; "
                "write it into a file"
            ) from error
    return _package(module)


@cache
def code_version() -> str:
    """Hash matopt's own source, as far as it can change a result."""
    digest = hashlib.blake2b(digest_size=8)
    for path in sorted(_ROOT.rglob("*.py")):
        relative = path.relative_to(_ROOT)
        if relative.parts[0] not in _NOT_SCIENCE:
            digest.update(relative.as_posix().encode() + path.read_bytes())
    return digest.hexdigest()


def code_digest(modules: Iterable[str], files: Iterable[Path] = ()) -> str:
    """Hash what modules of matopt do, together with all of matopt that they import, at any remove.

    Args:
        modules: their names.
        files: others whose imports count too, though not they themselves.
    """
    left = [*modules, *(name for file in files for name in _imports(ast.parse(file.read_bytes())))]
    seen: dict[str, str] = {}
    while left:
        name = left.pop()
        path = _file(name)
        if name not in seen and name not in _NO_RESULT and path is not None:
            seen[name], imported = _read(path)
            left += imported
    return _digest(f"{name} {seen[name]}".encode() for name in sorted(seen))


@cache
def _read(path: Path) -> tuple[str, tuple[str, ...]]:
    """What a module does, hashed, and what it imports of matopt."""
    tree = ast.parse(path.read_bytes())
    imported = tuple(_imports(tree))
    return _digest([ast.dump(_WithoutDocstrings().visit(tree)).encode()]), imported


class _WithoutDocstrings(ast.NodeTransformer):
    def visit_Expr(self, node: ast.Expr) -> ast.Expr | None:
        """Drop strings that stand alone."""
        return None if isinstance(node.value, ast.Constant) and isinstance(node.value.value, str) else node


def _imports(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name.partition(".")[0] == "matopt")
        elif isinstance(node, ast.ImportFrom) and node.module and node.module.partition(".")[0] == "matopt":
            yield node.module
            for alias in node.names:
                yield _homes().get(alias.name, "") if node.module == "matopt" else f"{node.module}.{alias.name}"


@cache
def _homes() -> dict[str, str]:
    """The modules of what ``matopt`` itself offers, by name."""
    tree = ast.parse((_ROOT / "__init__.py").read_bytes())
    found = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.module]
    return {alias.name: str(node.module) for node in found for alias in node.names}


@cache
def _file(module: str) -> Path | None:
    """The file of a module of matopt; None where there is no such module."""
    first, *rest = module.split(".")
    stem = _ROOT.joinpath(*rest)
    candidates = (stem / "__init__.py", stem.with_name(f"{stem.name}.py"))
    return next((path for path in candidates if path.is_file()), None) if first == "matopt" else None


@cache
def _package(module: str) -> str:
    top = module.partition(".")[0]
    names = packages_distributions().get(top, [])
    file = getattr(sys.modules[top], "__file__", None)
    sources: list[Path] = []
    if file is not None:  # an editable package changes without another version
        sources = sorted(Path(file).parent.rglob("*.py")) if Path(file).name == "__init__.py" else [Path(file)]
    return " ".join([*(f"{name} {version(name)}" for name in names), _digest(path.read_bytes() for path in sources)])


def _digest(parts: Iterable[bytes]) -> str:
    digest = hashlib.blake2b(digest_size=16)
    for part in parts:
        digest.update(len(part).to_bytes(8) + part)
    return digest.hexdigest()
