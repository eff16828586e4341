"""Entry point of ``python -m capture.server``, which ``smart-capture serve`` becomes.

Kept free of imports: an interrupt while they are made is no failure.
"""

_INTERRUPTED = 130
"""What a shell makes of SIGINT: 128 + 2."""


def main() -> None:
    """Serve until told to end."""
    try:
        from capture.server.program import run

        code = run()
    except KeyboardInterrupt:
        code = _INTERRUPTED
    raise SystemExit(code)


if __name__ == "__main__":
    main()
