"""One step each; their order is in their `down_revision`."""
