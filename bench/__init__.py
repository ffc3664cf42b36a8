"""Measurements, each beside something else that is run in the same minute."""
