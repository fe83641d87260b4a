"""What comes from FreeSWITCH: links of legs, and events."""
