"""Leads a database of any released version to the newest one (Alembic)."""
