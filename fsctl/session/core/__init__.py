"""The legs and links of one conversation, and who is told of what happens."""
