"""Models from object stores: S3 stores and Google Cloud Storage."""
