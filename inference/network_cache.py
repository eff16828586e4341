"""Networks as ONNX Runtime has optimized them for this CPU, kept between starts.

Opening a network from its file means hashing it, optimizing the graph and packing the
weights for the kernels of the CPU: a quarter of a second for a worker that was killed to
come back, and a private copy of the weights in each. What comes out is kept here, mapped
into memory by all workers alike. It is of use only on the same CPU with the same version
of ONNX Runtime, so both are part of its name; nothing of it is ever shipped.

The runtime is imported where a network is opened: the front of a server names models and
opens none, and would carry 15 MB for nothing.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
from pathlib import Path
from tempfile import mkdtemp
from typing import TYPE_CHECKING

from inference.cpu import cpu_signature
from inference.errors import ModelError
from inference.manifest import TierFile

if TYPE_CHECKING:
    import onnxruntime as ort

_NETWORK, _WEIGHTS = "network.onnx", "weights.bin"


def cache_folder() -> Path | None:
    """Return the user's folder for what is worked out once on a machine, if there is one."""
    base = os.environ.get("XDG_CACHE_HOME")
    try:
        return (Path(base) if base else Path.home() / ".cache") / "smart-capture"
    except RuntimeError:  # a user without a home, as in some containers
        return None


def open_network(tier: TierFile) -> ort.InferenceSession:
    """Open a network on one thread, from the cache if it is there; else fill the cache.

    Raises
    ------
    ModelError
        If the file is not the one of the manifest, or no network.
    """
    cache = cache_folder()
    if cache is not None:
        folder = cache / "networks" / _name_of(tier)
        with contextlib.suppress(OSError, ModelError):
            if not folder.exists():
                _fill(folder, tier)
            return _open(folder / _NETWORK, _options(is_optimized=True))
    tier.check()  # the cache cannot be used: each start does all the work
    return _open(tier.path, _options())


def _fill(folder: Path, tier: TierFile) -> None:
    tier.check()
    folder.parent.mkdir(parents=True, exist_ok=True)
    draft = Path(mkdtemp(dir=folder.parent))
    try:
        options = _options()
        options.optimized_model_filepath = str(draft / _NETWORK)
        for key, value in (
            ("optimized_model_external_initializers_file_name", _WEIGHTS),
            ("optimized_model_external_initializers_min_size_in_bytes", "128"),
            ("save_external_prepacked_constant_initializers", "1"),
        ):
            options.add_session_config_entry(f"session.{key}", value)
        _open(tier.path, options)
        with contextlib.suppress(OSError):  # another worker was faster
            draft.rename(folder)  # in one step: nobody ever opens half of it
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _name_of(tier: TierFile) -> str:
    key = f"{tier.sha256}\n{cpu_signature()}"
    return hashlib.sha256(key.encode()).hexdigest()[:16]


def _options(*, is_optimized: bool = False) -> ort.SessionOptions:
    import onnxruntime as ort

    options = ort.SessionOptions()
    # One worker is one core; with the default, two workers halve each other's throughput.
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.enable_cpu_mem_arena = False  # malloc is tuned to keep memory, for all alike
    options.log_severity_level = 4  # the optimized file draws a warning; errors are raised
    if is_optimized:
        options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    return options


def _open(path: Path, options: ort.SessionOptions) -> ort.InferenceSession:
    import onnxruntime as ort

    try:
        return ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # the runtime's exceptions have no common class
        cause = str(error).replace(str(path), path.name)
        raise ModelError(f"{path.name} cannot be loaded: {cause}") from error
