"""Large values, by URI. The port and its adapters; no service's directory layout."""

from volant_core.blobstore.folder import FolderStore
from volant_core.blobstore.port import BlobInfo, BlobStore
from volant_core.blobstore.signing import Endpoint, Presigner

__all__ = ["BlobInfo", "BlobStore", "Endpoint", "FolderStore", "Presigner"]
