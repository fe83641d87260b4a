"""A web service decides on transfers: the question, its signature, the answer, and who asks."""
