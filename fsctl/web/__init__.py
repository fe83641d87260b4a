"""What the desk shows by HTTP: one page, an API, metrics; and the few things that it does."""
