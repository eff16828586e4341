"""How the service stands under load, against the bare loop: ``make bench-serve``."""
