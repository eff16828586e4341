"""The import table of ARCHITECTURE.md, held against the code."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


def parts_of_the_table() -> dict[str, set[str]]:
    """Read the table: part -> parts it may import."""
    text = (ROOT / "ARCHITECTURE.md").read_text()
    rows = re.findall(r"^\| `([\w.]+)` \| (.*?) \|", text, flags=re.MULTILINE)
    return {part: set(re.findall(r"`([\w.]+)`", allowed)) for part, allowed in rows}


TABLE = parts_of_the_table()


def part_of(module: str) -> str | None:
    """Return the longest part of the table that `module` lies in."""
    candidates = [part for part in TABLE if module == part or module.startswith(part + ".")]
    return max(candidates, key=len, default=None)


def modules() -> list[Path]:
    files = [*ROOT.glob("capture/**/*.py"), *ROOT.glob("inference/**/*.py")]
    return sorted(file for file in files if "v1" not in file.parts)


def name_of(file: Path) -> str:
    return ".".join(file.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def imports_of(file: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return {name for name in names if name.split(".")[0] in ("capture", "inference")}


@pytest.mark.parametrize("file", modules(), ids=name_of)
def test_a_module_imports_only_what_its_part_may(file: Path) -> None:
    """Every import stays within the module's own part or the parts its row allows."""
    part = part_of(name_of(file))
    assert part is not None, f"{name_of(file)} is in no row of ARCHITECTURE.md"
    reached = {part_of(name) for name in imports_of(file)}
    assert reached <= TABLE[part] | {part}


def test_every_module_of_the_server_is_named() -> None:
    """The table of what a call passes leaves none out, and names none that is gone."""
    text = (ROOT / "ARCHITECTURE.md").read_text()
    table = text.partition("| modules |")[2].partition("\n\n")[0]
    there = {file.stem for file in ROOT.glob("capture/server/*.py")}
    assert set(re.findall(r"`(\w+)`", table)) == there - {"__init__", "__main__"}


def test_inference_knows_neither_capture_nor_grpc() -> None:
    """The classifier's package can be taken out and used alone."""
    for file in ROOT.glob("inference/**/*.py"):
        text = file.read_text()
        assert not re.search(r"^\s*(import|from) (capture|grpc)\b", text, flags=re.MULTILINE), file


def test_serving_never_imports_torch() -> None:
    """Only the offline folders named prepare may need torch."""
    for file in modules():
        if "prepare" not in file.parts:
            text = file.read_text()
            assert not re.search(r"^\s*(import|from) (torch|onnx|sklearn)\b", text, re.MULTILINE)
