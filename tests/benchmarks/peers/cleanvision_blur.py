"""Score the pictures of a folder as CleanVision does: {file name: blurry score} as JSON.

Run by an interpreter that has CleanVision, not by the project's own. Higher is sharper.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from cleanvision import Imagelab  # type: ignore[import-not-found]


def main(folder: str) -> None:
    """Print the scores of all pictures in `folder`."""
    lab = Imagelab(data_path=folder)
    lab.find_issues({"blurry": {}}, n_jobs=1, verbose=False)
    scores = lab.issues["blurry_score"].items()
    print(json.dumps({Path(path).name: score for path, score in scores}))


if __name__ == "__main__":
    main(sys.argv[1])
