"""Settings: from flags, the environment, a TOML file, and defaults, in that order."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, ClassVar

from pydantic import Field, ValidationError
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from capture.errors import ConfigurationError

SETTINGS_FILE = "smart-capture.toml"
ENV_PREFIX = "SMART_CAPTURE_"


class Settings(BaseSettings):
    """Everything that can be set, with its unit, range and default."""

    model_config: ClassVar[SettingsConfigDict] = SettingsConfigDict(
        env_prefix=ENV_PREFIX, extra="forbid", frozen=True
    )

    host: str = Field("127.0.0.1", description="address to listen on")
    port: int = Field(50051, ge=0, le=65535, description="port to listen on; 0 picks a free one")
    insecure: bool = Field(False, description="allow plaintext beyond loopback")
    tls_certificate: Path | None = Field(None, description="PEM file; empty: plaintext")
    tls_key: Path | None = Field(None, description="PEM file of its private key")
    tls_client_ca: Path | None = Field(
        None, description="PEM file of those who vouch for clients; empty: any client"
    )
    tokens_file: Path | None = Field(
        None, description="TOML file of bearer tokens; empty: any caller"
    )
    max_session_count: int = Field(1024, ge=1, description="camera sessions that may be open")
    max_sessions_per_client: int = Field(
        256, ge=1, description="camera sessions that one client may have open"
    )
    max_calls_per_client: int = Field(
        512, ge=1, description="calls with pictures that one client may have open"
    )
    idle_timeout_s: float = Field(
        600.0, gt=0, description="a call whose next message takes longer ends, in seconds"
    )
    keepalive_s: float = Field(
        20.0,
        ge=1,
        description="how often a silent connection is asked whether it is there, in seconds; "
        "without an answer for twice as long it ends",
    )
    session_kept_s: float = Field(
        60.0, gt=0, le=3600, description="how long a session that was cut off can go on, in seconds"
    )
    session_file: Path | None = Field(
        None, description="where such sessions are kept; empty: in the user's cache folder"
    )
    worker_count: int = Field(
        default_factory=lambda: os.cpu_count() or 1, ge=1, le=256, description="worker processes"
    )
    job_timeout_s: float = Field(
        10.0, gt=0, description="a job that runs longer ends its worker, in seconds"
    )
    max_worker_losses: int = Field(
        30,
        ge=1,
        description="workers of a server that may die or hang within ten seconds, for each there "
        "should be, before the next ones have to wait",
    )
    memory_limit_mb: int = Field(
        4096, ge=512, description="memory of its own that a worker may use, in MiB"
    )
    worker_niceness: int = Field(
        10, ge=0, le=19, description="how far the workers of a server yield to whatever else runs"
    )
    quarantine_folder: Path | None = Field(
        None, description="where the server keeps pictures that ended two workers; empty: nowhere"
    )
    max_queue_length: int = Field(64, ge=1, description="jobs that may wait for a worker")
    default_profile: str = Field("default", description="profile name, or path of a TOML file")
    classify: bool = Field(True, description="say what is in the pictures that are accepted")
    models_folder: Path | None = Field(None, description="model manifests; empty: those shipped")
    drain_grace_s: float = Field(10.0, ge=0, description="time to finish at shutdown, in seconds")
    metrics_port: int | None = Field(
        None, ge=0, le=65535, description="port of /metrics; empty: off"
    )
    metrics_host: str = Field(
        "127.0.0.1", description="address of /metrics, which speaks plaintext to anybody"
    )
    trace_endpoint: str | None = Field(
        None,
        description="OTLP/gRPC address of a collector of traces, such as http://localhost:4317; "
        "empty: OTEL_EXPORTER_OTLP_ENDPOINT, or off",
    )
    log_level: str = Field("info", pattern="^(debug|info|warning|error)$", description="log level")

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - the base class names it
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Let flags win over the environment, and the environment over the file."""
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls, SETTINGS_FILE)


def load_settings(**flags: Any) -> Settings:
    """Load the settings; flags that are None count as not given.

    Raises
    ------
    ConfigurationError
        If a value cannot be used; the message names it, and where it stands.
    """
    given = {name: value for name, value in flags.items() if value is not None}
    try:
        return Settings(**given)
    except ValidationError as error:
        problems = []
        for item in error.errors():
            name = ".".join(str(part) for part in item["loc"])
            place = name if name in given else f"{name} ({origin_of(name)})"
            problems.append(f"{place}: {item['msg']}")
        raise ConfigurationError("; ".join(problems)) from error
    except ValueError as error:
        raise ConfigurationError(f"{SETTINGS_FILE}: {error}") from error


def origin_of(name: str) -> str:
    """Say where the value of a setting comes from when no flag is given."""
    if f"{ENV_PREFIX}{name}".upper() in {key.upper() for key in os.environ}:
        return f"environment {ENV_PREFIX}{name.upper()}"
    if name in TomlConfigSettingsSource(Settings, SETTINGS_FILE)():
        return SETTINGS_FILE
    return "default"
