"""Entry point of ``smart-capture`` and ``python -m capture``.

Kept free of imports: a process that Dask spawns imports the main module again.
"""


def main() -> None:
    """Run the command line."""
    from capture.cli.app import run

    run()


if __name__ == "__main__":
    main()
