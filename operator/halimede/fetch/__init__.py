"""The model fetcher, which the init container of every pod runs before Triton starts."""
