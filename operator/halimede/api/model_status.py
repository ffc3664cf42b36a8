"""`status.model`: which files the spec means, as far as that is known."""

from halimede.api.base import ApiModel, Timestamp


class ModelStatus(ApiModel):
    """The source of the model that the spec asks for, resolved to the digest of its files."""

    source: str
    """SHA-256, in hex digits, of the fields of the spec that determine the files: `storageUri`,
    and the endpoint and patterns of `supply`."""
    digest: str | None = None
    """SHA-256, in hex digits, of the files as `spec.model.sha256` defines it; absent until it is
    known. Pods of the revision serve no other files."""
    commit: str | None = None
    """The commit of a model on a hub. Pods of the revision fetch its files."""
    resolved_at: Timestamp | None = None
    """When the digest was observed the last time."""
    checked_at: Timestamp | None = None
    """With `resolve: OnChange`, when the files could not be read again; `failure` says why. The
    digest stays, and the next attempt follows after `resolveIntervalSeconds`."""
    files: str | None = None
    """SHA-256, in hex digits, of the manifest of the files in the cache, which names their folder;
    absent without a cache, and until they are there."""
    cached: str | None = None
    """SHA-256, in hex digits, of what determines whether they must be fetched again: the cache,
    and what the files may contain."""
    failed_job: str | None = None
    """The Job that failed to determine the digest, or to fill the cache. It is not repeated:
    another spec needs another Job, and the command `retry` removes this record."""
    failure: str | None = None
    """Why it failed, and what to do."""

    @property
    def resolved(self) -> bool:
        """Whether the digest is known, and the files are in the cache if there is one."""
        return self.digest is not None and (self.cached is None or self.files is not None)
