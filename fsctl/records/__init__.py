"""The records of calls and transfers: their tables, how they are filled, and how they are found."""
