"""Assessments and human labels in SQL: one SQLite file, or a PostgreSQL server."""
