"""``make bench-gates``: what the measures are worth, each beside its peers.

Every benchmark prints its table and writes it to ``results/`` with a picture.
"""

from __future__ import annotations

from tests.benchmarks import blur, exposure

if __name__ == "__main__":
    blur.main()
    exposure.main()
