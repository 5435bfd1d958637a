"""Rules of this project that ruff, mypy and import-linter cannot check.

Each rule is a function of one source file that yields its findings, and no rule may depend on another. `make check`, or
`python -m scripts.project_rules` alone, applies the rules in RULES to every file of the repository.
"""

import ast
import re
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath

ROOT = Path(__file__).resolve().parent.parent
FILE_LINES = 450
FUNCTION_LINES = 60
TEMPLATE_LINE = 160  # characters

_HOSTS = (r"pypi\.org", r"pythonhosted\.org", r"registry\.npmjs\.org", r"registry\.yarnpkg\.com", r"npm\.pkg\.github")
_OPTIONS = (r"-index-url\b", r"\bindex-url\s*=", r"--find-links\b", r"tool\.uv\.index\b", r'"resolved"\s*:')
INDEX_ADDRESS = re.compile("|".join(_HOSTS + _OPTIONS))
# The content security policy of dexportal/settings.py blocks all of these in the browser.
INLINE = (
    (re.compile(r"<script\b(?![^>]*\bsrc=)", re.IGNORECASE), "inline script: move it to static/"),
    (re.compile(r"<style\b|\sstyle=", re.IGNORECASE), "inline style: move it to static/"),
    (re.compile(r"\son[a-z]+=|\bhx-on\b|javascript:|[\"']js:", re.IGNORECASE), "inline event handler: use static/js"),
)
SKIPPING = {"skip", "skipif", "skipIf", "skipUnless", "skipTest", "xfail", "importorskip"}
# Each pattern catches the inflections too. "rest" alone is not here, because "the rest of the list" is fine.
DISCOURAGED = (
    (r"(?:take|takes|taken|taking|took)(?!\s+(?:you|us)\b)(?:\s+[^\s.,;:!?]+){0,3}?\s+back", "withdraw, or reactivate"),
    (r"mend(?:s|ed|ing)?", "fix"),
    (r"a\s+rest|rests|rested|resting", "paused, or resumes"),
    (r"ask(?:s|ed|ing)?\s+for", "run, send, request, or requested by"),
    (r"(?:leave|leaves|leaving|left)(?:\s+(?:it|them|this|these))?\s+out", "skipped"),
    (r"whose\s*\?", "shared device"),
)
DISCOURAGED_WORDS = tuple(
    (re.compile(rf"(?<!\w)(?:{words})(?!\w)", re.IGNORECASE), better) for words, better in DISCOURAGED
)
DOCSTRING_STARTS = re.compile(r"(what|who|whether|as|of|the|an?)(?=[\s'’])", re.IGNORECASE)
QUOTED_CODE = re.compile(r"`[^`]*`")


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
    def is_generated(self) -> bool:
        return "migrations" in self.path.parts or self.path.name.startswith("requirements")

    @property
    def is_template(self) -> bool:
        return self.path.parts[0] == "templates"

    @property
    def is_portal(self) -> bool:
        return self.path.parts[0] in {"commands", "dexportal"}

    @cached_property
    def nodes(self) -> Sequence[ast.AST]:
        """Nodes of the syntax tree, parents before their children. None if this is not Python."""
        return tuple(ast.walk(ast.parse(self.text))) if self.is_python else ()

    def docstrings(self) -> Iterator[ast.Constant]:
        for node in self.nodes:
            match node:
                case (
                    ast.Module(body=[ast.Expr(value=ast.Constant(value=str()) as docstring), *_])
                    | ast.ClassDef(body=[ast.Expr(value=ast.Constant(value=str()) as docstring), *_])
                    | ast.FunctionDef(body=[ast.Expr(value=ast.Constant(value=str()) as docstring), *_])
                    | ast.AsyncFunctionDef(body=[ast.Expr(value=ast.Constant(value=str()) as docstring), *_])
                ):
                    yield docstring

    def texts(self) -> Iterator[tuple[int, str]]:
        """Yield the line and the text of every string literal that is no docstring.

        A literal in pieces is yielded once and whole, with {} for each value of an f-string.
        """
        docstrings = {(node.lineno, node.col_offset) for node in self.docstrings()}
        pieces: set[int] = set()
        for node in self.nodes:  # an f-string comes before its pieces
            match node:
                case ast.JoinedStr(values=values):
                    pieces.update(id(value) for value in values)
                    yield node.lineno, "".join(str(v.value) if isinstance(v, ast.Constant) else "{}" for v in values)
                case ast.Constant(value=str() as text) if id(node) not in pieces:
                    if (node.lineno, node.col_offset) not in docstrings:
                        yield node.lineno, text


@dataclass(frozen=True, order=True)
class Finding:
    path: str
    line: int
    message: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.message}"


type Violations = Iterator[tuple[int, str]]
type Rule = Callable[[Source], Violations]


def files_are_short(source: Source) -> Violations:
    counted = source.path.suffix in {".py", ".html", ".txt", ".js", ".css"} and not source.is_vendored
    lines = len(source.text.splitlines())
    if counted and not source.is_generated and lines > FILE_LINES:
        yield FILE_LINES + 1, f"the file has {lines} lines, and {FILE_LINES} are allowed"


def functions_are_short(source: Source) -> Violations:
    for node in source.nodes:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            lines = (node.end_lineno or node.lineno) - node.lineno + 1
            if lines > FUNCTION_LINES:
                yield node.lineno, f"{node.name} has {lines} lines, and {FUNCTION_LINES} are allowed"


def template_lines_are_short(source: Source) -> Violations:
    """Find long lines of HTML templates. Text templates are free, because their line breaks are visible."""
    if source.is_template and source.path.suffix == ".html":
        for number, line in enumerate(source.text.splitlines(), 1):
            if len(line) > TEMPLATE_LINE:
                yield number, f"the line has {len(line)} characters, and {TEMPLATE_LINE} are allowed"


def no_package_index_address(source: Source) -> Violations:
    """Find addresses of package indexes, which belong in each installer's own settings."""
    if source.path.name != PurePosixPath(__file__).name:
        for number, line in enumerate(source.text.splitlines(), 1):
            if INDEX_ADDRESS.search(line):
                yield number, "address of a package index: put it in the installer's own settings"


def templates_have_no_inline_code(source: Source) -> Violations:
    if source.is_template:
        for pattern, message in INLINE:
            for match in pattern.finditer(source.text):
                yield _line_of(match, source.text), message


def saves_name_their_fields(source: Source) -> Violations:
    if not source.is_portal:
        return
    for node in source.nodes:
        match node:
            case ast.Call(func=ast.Attribute(attr="save"), args=[], keywords=[]):
                yield node.lineno, "a bare save() overwrites concurrent changes: pass update_fields or force_insert"


def tests_are_never_skipped(source: Source) -> Violations:
    if source.path.parts[0] != "tests":
        return
    for node in source.nodes:
        if isinstance(node, ast.Attribute) and node.attr in SKIPPING:
            yield node.lineno, f"{node.attr}: a skipped test proves nothing, so run it or delete it"


def tests_do_not_sleep(source: Source) -> Violations:
    if source.path.parts[0] != "tests":
        return
    message = "sleep: wait for the expected event instead"
    for node in source.nodes:
        match node:
            case ast.Attribute(value=ast.Name(id="time" | "asyncio"), attr="sleep"):
                yield node.lineno, message
            case ast.ImportFrom(module="time" | "asyncio", names=names) if any(name.name == "sleep" for name in names):
                yield node.lineno, message


def tests_assert_no_speed(source: Source) -> Violations:
    """Find assertions that a clock shows less than something. They fail on a loaded machine without a fault."""
    if source.path.parts[0] != "tests":
        return
    for node in source.nodes:
        if isinstance(node, ast.Assert) and any(map(_bounds_a_clock, ast.walk(node.test))):
            yield node.lineno, "upper bound on time: assert the order of events, or wait with tests/polling.py"


def _bounds_a_clock(node: ast.AST) -> bool:
    """Return True for a comparison that has a reading of a clock on its smaller side."""
    if not isinstance(node, ast.Compare):
        return False
    sides = [node.left, *node.comparators]
    return any(
        (isinstance(sign, ast.Lt | ast.LtE) and _reads_a_clock(left))
        or (isinstance(sign, ast.Gt | ast.GtE) and _reads_a_clock(right))
        for left, sign, right in zip(sides, node.ops, sides[1:], strict=False)
    )


def _reads_a_clock(expression: ast.expr) -> bool:
    for node in ast.walk(expression):
        match node:
            case ast.Call(func=ast.Name(id="monotonic" | "perf_counter")):
                return True
            case ast.Call(func=ast.Attribute(value=ast.Name(id="time"), attr="monotonic" | "perf_counter" | "time")):
                return True
    return False


def texts_use_the_agreed_words(source: Source) -> Violations:
    """Find discouraged words in what people read: templates and the portal's sentences, labels and help texts."""
    if source.is_template:
        yield from _discouraged_words(source.text)
    elif source.is_portal and not source.is_generated:
        for line, text in source.texts():
            for _, message in _discouraged_words(text):
                yield line, message


def _discouraged_words(text: str) -> Violations:
    for pattern, better in DISCOURAGED_WORDS:
        for match in pattern.finditer(text):
            yield _line_of(match, text), f"“{' '.join(match[0].split())}”: write “{better}”"


def docstrings_are_plain(source: Source) -> Violations:
    """Find docstrings that start with an article or a relative word, or that join sentences by a semicolon."""
    if source.is_generated:
        return
    for node in source.docstrings():
        text = str(node.value).lstrip()
        if match := DOCSTRING_STARTS.match(text):
            yield node.lineno, f"docstring starts with “{match[1]}”: use an imperative, or a noun without an article"
        if ";" in QUOTED_CODE.sub("", text):
            yield node.lineno, "docstring with a semicolon: write two sentences"


def _line_of(match: re.Match[str], text: str) -> int:
    return text.count("\n", 0, match.start()) + 1


RULES: Sequence[Rule] = (
    files_are_short,
    functions_are_short,
    template_lines_are_short,
    no_package_index_address,
    templates_have_no_inline_code,
    saves_name_their_fields,
    texts_use_the_agreed_words,
    docstrings_are_plain,
    tests_are_never_skipped,
    tests_do_not_sleep,
    tests_assert_no_speed,
)


def findings(source: Source, rules: Sequence[Rule] = RULES) -> list[Finding]:
    return sorted(Finding(str(source.path), line, message) for rule in rules for line, message in rule(source))


def sources() -> Iterator[Source]:
    """Yield every text file that git tracks or would add."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\0")
    for name in sorted(filter(None, names)):
        path = ROOT / name
        if path.is_file() and b"\0" not in (content := path.read_bytes()):
            yield Source(PurePosixPath(name), content.decode(errors="replace"))


def main() -> int:
    all_findings = [finding for source in sources() for finding in findings(source)]
    for finding in all_findings:
        print(finding)
    return bool(all_findings)


if __name__ == "__main__":
    sys.exit(main())
