"""Transfers from their request to the one final report: blind, attended, native."""
