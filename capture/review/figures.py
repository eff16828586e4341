"""A picture on a page: small, linked to where it lies, with what is said of it."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from html import escape
from pathlib import PurePath

from capture.ledger.rows import Row

VERDICT_WORDS = {"ACCEPT": "usable", "RETAKE": "retake", "CANNOT_ASSESS": "cannot tell"}
_STYLES = {"ACCEPT": "accept", "RETAKE": "retake", "CANNOT_ASSESS": "cannot"}


def file_address(path: str) -> str | None:
    """Return the address of a file on this machine; None for what is no absolute path."""
    return PurePath(path).as_uri() if PurePath(path).is_absolute() else None


@dataclass(frozen=True, slots=True)
class Gallery:
    """What is needed to show pictures.

    Attributes
    ----------
    thumbnails : mapping of str to bytes
        A small JPEG by path; pictures without one are named only.
    address_of : callable
        Maps a path to what a browser can open, or to None.
    """

    thumbnails: Mapping[str, bytes]
    address_of: Callable[[str], str | None] = file_address

    def figure(self, row: Row, said: str) -> str:
        """Show a judged picture.

        Parameters
        ----------
        row : Row
            Of the ledger; its status is ok.
        said : str
            What stands below it first.
        """
        path, verdict = row["path"], row["verdict"]
        small = self.thumbnails.get(path)
        image = (
            f'<img alt="" loading="lazy" src="data:image/jpeg;base64,{b64encode(small).decode()}">'
            if small
            else "<span class='gone'>no picture</span>"
        )
        hints = "\n".join(reason["hint"] for reason in row["reasons"])
        codes = " ".join(f"<code>{code}</code>" for code in row["reason_codes"].split(",") if code)
        return (
            f'<figure title="{escape(path)}&#10;{escape(hints)}">{self.linked(path, image)}'
            f'<figcaption><b>{escape(said)}</b><em class="{_STYLES[verdict]}">'
            f"{VERDICT_WORDS[verdict]}</em><span>{escape(PurePath(path).name)}</span>{codes}"
            "</figcaption></figure>"
        )

    def linked(self, path: str, content: str) -> str:
        """Lead from content, which is markup, to the picture at a path."""
        address = self.address_of(path)
        return f'<a href="{escape(address)}">{content}</a>' if address else f"<a>{content}</a>"
