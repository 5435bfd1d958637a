"""The house rules that no other tool holds. `python -m scripts.house` reads every file of the repository.

Each rule is a function in a list: it gets a file's path and text and yields findings. No rule knows of another.
"""

import ast
import re
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

ROOT = Path(__file__).resolve().parent.parent
FILE_LINES = 450
FUNCTION_LINES = 60

_HOSTS = (r"pypi\.org", r"pythonhosted\.org", r"registry\.npmjs\.org", r"registry\.yarnpkg\.com", r"npm\.pkg\.github")
_OPTIONS = (r"-index-url\b", r"\bindex-url\s*=", r"--find-links\b", r"tool\.uv\.index\b", r'"resolved"\s*:')
INDEX_ADDRESS = re.compile("|".join(_HOSTS + _OPTIONS))
INLINE = (
    (
        re.compile(r"<script\b(?![^>]*\bsrc=)", re.IGNORECASE),
        "a script belongs into static/, the policy forbids it here",
    ),
    (re.compile(r"<style\b|\sstyle=", re.IGNORECASE), "style belongs into static/, the policy forbids it here"),
    (re.compile(r"\son[a-z]+=|\bhx-on\b|javascript:|[\"']js:", re.IGNORECASE), "the policy forbids inline handlers"),
)
LEAVING_OUT = {"skip", "skipif", "skipIf", "skipUnless", "skipTest", "xfail", "importorskip"}


@dataclass(frozen=True)
class Source:
    path: PurePosixPath
    text: str

    @property
    def is_python(self) -> bool:
        return self.path.suffix == ".py"

    @property
    def is_vendored(self) -> bool:
        return "vendor" in self.path.parts

    @property
    def is_template(self) -> bool:
        return self.path.parts[0] == "templates"

    def nodes(self) -> Iterator[ast.AST]:
        return ast.walk(ast.parse(self.text)) if self.is_python else iter(())


@dataclass(frozen=True, order=True)
class Finding:
    path: str
    line: int
    sentence: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.sentence}"


type Found = Iterator[tuple[int, str]]
type Rule = Callable[[Source], Found]


def files_are_short(source: Source) -> Found:
    ours = source.path.suffix in {".py", ".html", ".txt", ".js", ".css"} and not source.is_vendored
    generated = "migrations" in source.path.parts or source.path.name.startswith("requirements")
    lines = len(source.text.splitlines())
    if ours and not generated and lines > FILE_LINES:
        yield FILE_LINES + 1, f"{lines} lines; a file has {FILE_LINES} at most"


def functions_are_short(source: Source) -> Found:
    for node in source.nodes():
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            lines = (node.end_lineno or node.lineno) - node.lineno + 1
            if lines > FUNCTION_LINES:
                yield node.lineno, f"{node.name} has {lines} lines; a function has {FUNCTION_LINES} at most"


def no_address_of_a_package_index(source: Source) -> Found:
    if source.path.name != PurePosixPath(__file__).name:
        for number, line in enumerate(source.text.splitlines(), 1):
            if INDEX_ADDRESS.search(line):
                yield number, "an address of a package index belongs into the installer's own settings"


def templates_are_without_inline_code(source: Source) -> Found:
    if source.is_template:
        for pattern, why in INLINE:
            for match in pattern.finditer(source.text):
                yield source.text.count("\n", 0, match.start()) + 1, why


def rows_are_saved_by_name(source: Source) -> Found:
    if source.path.parts[0] not in {"commands", "dexportal"}:
        return
    for node in source.nodes():
        match node:
            case ast.Call(func=ast.Attribute(attr="save"), args=[], keywords=[]):
                yield node.lineno, "a bare save() overwrites what others changed: name the fields, or force_insert"


def tests_leave_nothing_out(source: Source) -> Found:
    if source.path.parts[0] != "tests":
        return
    for node in source.nodes():
        if isinstance(node, ast.Attribute) and node.attr in LEAVING_OUT:
            yield node.lineno, f"{node.attr}: a test runs, or is not there"


def tests_do_not_sleep(source: Source) -> Found:
    if source.path.parts[0] != "tests":
        return
    for node in source.nodes():
        match node:
            case ast.Attribute(value=ast.Name(id="time" | "asyncio"), attr="sleep"):
                yield node.lineno, "a test waits for what it expects, it does not sleep"
            case ast.ImportFrom(module="time" | "asyncio", names=names) if any(name.name == "sleep" for name in names):
                yield node.lineno, "a test waits for what it expects, it does not sleep"


RULES: Sequence[Rule] = (
    files_are_short,
    functions_are_short,
    no_address_of_a_package_index,
    templates_are_without_inline_code,
    rows_are_saved_by_name,
    tests_leave_nothing_out,
    tests_do_not_sleep,
)


def findings(source: Source, rules: Sequence[Rule] = RULES) -> list[Finding]:
    return sorted(Finding(str(source.path), line, words) for rule in rules for line, words in rule(source))


def sources() -> Iterator[Source]:
    """Every text file that git knows or would add."""
    words = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for name in sorted(filter(None, listed.split("\0"))):
        path = ROOT / name
        if path.is_file() and b"\0" not in (content := path.read_bytes()):
            yield Source(PurePosixPath(name), content.decode(errors="replace"))


def main() -> int:
    found = [finding for source in sources() for finding in findings(source)]
    for finding in found:
        print(finding)
    return bool(found)


if __name__ == "__main__":
    sys.exit(main())
