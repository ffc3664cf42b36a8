"""The model fetcher: what the init container of every pod runs before Triton starts."""
