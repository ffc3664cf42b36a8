"""The model fetcher, which the init container of every pod runs before Triton starts.

It is a program of its own, in an image of its own: it parses what others have written, and
neither imports the operator nor is imported by it.
"""

__version__ = "0.1.0"
