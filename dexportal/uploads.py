"""Refusal of uploaded files. No form of the portal takes one, and a file part would fill the temporary folder."""

from django.core.exceptions import BadRequest
from django.core.files.uploadhandler import FileUploadHandler


class NoFiles(FileUploadHandler):
    """Upload handler that refuses the request at its first file part."""

    def new_file(self, *_args: object, **_kwargs: object) -> None:
        raise BadRequest("No form takes a file.")

    def receive_data_chunk(self, raw_data: bytes, start: int) -> None:
        raise NotImplementedError

    def file_complete(self, file_size: int) -> None:
        raise NotImplementedError
