"""Making calls: who is called where, whom that party sees, and who talks with whom."""
