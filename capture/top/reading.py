"""One look at a server's page of metrics."""

from __future__ import annotations

import http.client
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from prometheus_client.parser import text_string_to_metric_families

_TIMEOUT_S = 5.0
_MAX_PAGE_BYTES = 8 << 20

PREFIX = "smart_capture_"


@dataclass(frozen=True, slots=True)
class Sample:
    """One line of the page: its labels and its value."""

    labels: Mapping[str, str]
    value: float


@dataclass(frozen=True, slots=True)
class Reading:
    """The page at one moment.

    Attributes
    ----------
    at_s : float
        When it was read, in seconds of Unix time.
    samples : mapping
        The lines by name.
    """

    at_s: float
    samples: Mapping[str, tuple[Sample, ...]]

    def select(self, name: str, **labels: str) -> Iterator[Sample]:
        """Yield the lines of a name that have these labels."""
        for sample in self.samples.get(name, ()):
            if all(sample.labels.get(key) == value for key, value in labels.items()):
                yield sample

    def total(self, name: str, **labels: str) -> float:
        """Return the sum of such lines; 0 when there are none."""
        return sum(sample.value for sample in self.select(name, **labels))

    def value_of(self, label: str, name: str) -> str:
        """Return the label of the line that is 1 among those of a name; empty when none is."""
        is_so = (sample.labels.get(label, "") for sample in self.select(name) if sample.value == 1)
        return next(is_so, "")

    def by(self, label: str, name: str, **labels: str) -> dict[str, float]:
        """Return the sums of such lines, by the value of one label."""
        sums: dict[str, float] = {}
        for sample in self.select(name, **labels):
            key = sample.labels.get(label, "")
            sums[key] = sums.get(key, 0.0) + sample.value
        return sums


def read_metrics(target: str) -> Reading:
    """Read the page of a server.

    Parameters
    ----------
    target : str
        ``host:port`` of its metrics, or a URL.

    Raises
    ------
    ConnectionError
        If nobody answers there, or somebody who is not a Smart Capture server.
    """
    url = target if "://" in target else f"http://{target}/metrics"
    try:
        with urllib.request.urlopen(url, timeout=_TIMEOUT_S) as page:
            text = page.read(_MAX_PAGE_BYTES).decode()
    except urllib.error.HTTPError as error:
        raise ConnectionError(f"{url} answers {error.code} {error.reason}") from None
    except urllib.error.URLError as error:
        raise ConnectionError(
            f"no metrics at {url}: {error.reason}; is the server running with --metrics-port?"
        ) from None
    except http.client.HTTPException:  # its text is whatever came, control characters too
        raise ConnectionError(f"no metrics at {url}: what answers is no web server") from None
    except (OSError, ValueError) as error:
        raise ConnectionError(f"no metrics at {url}: {error}") from None
    return parse_metrics(text, time.time(), url)


def parse_metrics(text: str, at_s: float, url: str) -> Reading:
    """Parse a page.

    Raises
    ------
    ConnectionError
        If it is not the page of a Smart Capture server.
    """
    samples: dict[str, list[Sample]] = {}
    try:
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                samples.setdefault(sample.name, []).append(Sample(sample.labels, sample.value))
    except ValueError:
        samples = {}
    if not any(name.startswith(PREFIX) for name in samples):
        raise ConnectionError(f"{url} is not the metrics of a Smart Capture server")
    return Reading(at_s, {name: tuple(lines) for name, lines in samples.items()})
