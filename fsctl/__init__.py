"""fsctl: call transfers on an unpatched FreeSWITCH, controlled over the event socket."""

__version__ = "0.1.0"
