"""Entry point of ``smart-capture`` and ``python -m capture``.

Kept free of imports: a process that Dask spawns imports the main module again.
"""

_INTERRUPTED = 130
"""What a shell makes of SIGINT: 128 + 2."""


def main() -> None:
    """Run the command line."""
    try:
        from capture.cli.app import run

        run()
    except KeyboardInterrupt:
        raise SystemExit(_INTERRUPTED) from None


if __name__ == "__main__":
    main()
