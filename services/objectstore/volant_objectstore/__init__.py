"""The embedded default object store: S3's protocol over the folder that `volant_core.blobstore.files` keeps.

Here belongs what S3 clients see: signatures, requests, documents. How objects lie on disk does not (that is the
core's), nor who may do what beyond one pair of keys.
"""
