"""Large values, by URI. The port and its adapters; no service's directory layout.

`s3` is imported where it is configured: its client takes 0.2 s.
"""

from volant_core.blobstore.folder import FolderStore
from volant_core.blobstore.port import BlobInfo, BlobStore
from volant_core.blobstore.signing import Endpoint, Presigner

__all__ = ["BlobInfo", "BlobStore", "Endpoint", "FolderStore", "Presigner"]
