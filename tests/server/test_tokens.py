"""The file of tokens: what is written, what is read, what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from capture.cli.app import app
from capture.errors import ConfigurationError
from capture.server.tokens import Scope, TokenFile, add_entry, new_token, read_entries

SHA256 = "ab" * 32


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "tokens.toml"


def test_a_token_is_found_by_itself_alone(path: Path) -> None:
    """Each of several, and nothing that only looks like one."""
    made = [new_token(name, [Scope.CAPTURE]) for name in ("first", "second", "third")]
    for _, entry in made:
        add_entry(path, entry)
    tokens = TokenFile(path)
    assert [tokens.find(token) for token, _ in made] == [entry for _, entry in made]
    first = made[0][0]
    for other in ("", first[:-1], first + "=", first.lower(), made[0][1].sha256, "é\udcff"):
        assert tokens.find(other) is None


def test_the_file_holds_no_token_and_is_for_its_owner_alone(path: Path) -> None:
    """Who reads the file cannot call the server with what it says."""
    token, entry = new_token("camera", [Scope.CAPTURE, Scope.ADMIN])
    add_entry(path, entry)
    assert token not in path.read_text()
    assert token.removeprefix("sc_") not in path.read_text()
    assert path.stat().st_mode & 0o777 == 0o600
    assert read_entries(path) == (entry,)


def test_no_two_tokens_are_alike() -> None:
    """256 random bits each."""
    tokens = {new_token("camera", [Scope.CAPTURE])[0] for _ in range(100)}
    assert len(tokens) == 100
    assert all(len(token) == len("sc_") + 43 for token in tokens)


def test_a_broken_file_leaves_the_tokens_before_it_good(path: Path) -> None:
    """A slip of the editor locks nobody out; a file put right is taken up."""
    token, entry = new_token("camera", [Scope.CAPTURE])
    add_entry(path, entry)
    tokens = TokenFile(path)
    path.write_text("[[token]\n")
    assert tokens.find(token) == entry
    path.write_text("# all revoked\n")
    assert tokens.find(token) is None


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ("[[token]", "Expected"),
        ("[tokens]\n", "only"),
        ("token = 3\n", "only"),
        ("token = [3]\n", "has a name"),
        (f"[[token]]\nname = 'a'\nsha256 = '{SHA256}'\n", "has a name"),
        (f"[[token]]\nname = 'a'\nsha256 = '{SHA256}'\nscopes = ['capture']\nx = 1\n", "has a"),
        ("[[token]]\nname = 'a'\nsha256 = 'AB'\nscopes = ['capture']\n", "64 hexadecimal"),
        (f"[[token]]\nname = 'a'\nsha256 = '{SHA256}'\nscopes = []\n", "capture, admin"),
        (f"[[token]]\nname = 'a'\nsha256 = '{SHA256}'\nscopes = ['root']\n", "capture, admin"),
        (f"[[token]]\nname = 'a'\nsha256 = '{SHA256}'\nscopes = [['a']]\n", "capture, admin"),
        (f"[[token]]\nname = 'a b'\nsha256 = '{SHA256}'\nscopes = ['admin']\n", "named 'a b'"),
        (2 * f"[[token]]\nname = 'a'\nsha256 = '{SHA256}'\nscopes = ['admin']\n", "one name"),
    ],
)
def test_an_entry_that_cannot_be_used_is_named(path: Path, text: str, cause: str) -> None:
    """With the file and the cause, and never the hash."""
    path.write_text(text)
    with pytest.raises(ConfigurationError, match=cause) as error:
        TokenFile(path)
    assert "tokens.toml" in str(error.value)
    assert SHA256 not in str(error.value)


def test_the_command_prints_a_token_once(path: Path) -> None:
    """What it prints is what the file lets in; the list tells names and scopes alone."""
    runner = CliRunner()
    made = runner.invoke(app, ["token", "new", "--name", "camera", "--tokens", str(path)])
    assert made.exit_code == 0
    found = TokenFile(path).find(made.stdout.strip())
    assert found is not None
    assert (found.name, found.scopes) == ("camera", {Scope.CAPTURE})
    listed = runner.invoke(app, ["token", "list", "--tokens", str(path)])
    assert listed.stdout == "camera\tcapture\n"


def test_a_name_is_given_once(path: Path) -> None:
    """Otherwise nobody could tell whose calls these are."""
    add_entry(path, new_token("camera", [Scope.CAPTURE])[1])
    with pytest.raises(ConfigurationError, match="already has a token named camera"):
        add_entry(path, new_token("camera", [Scope.ADMIN])[1])
