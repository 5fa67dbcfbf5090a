"""Files that clients send: received in a stream, named safely, limited in size, removed when nobody wants them."""

from __future__ import annotations

import asyncio
import secrets
import shutil
from collections.abc import AsyncIterator
from pathlib import Path, PurePosixPath, PureWindowsPath

NAME_LENGTH = 200
"""Bytes in UTF-8."""
DEVICES = {"con", "prn", "aux", "nul", *(f"{port}{number}" for port in ("com", "lpt") for number in range(1, 10))}
"""Names that Windows takes for devices, whatever follows after a dot."""


class UploadError(ValueError):
    """A name that is none, or an upload that cannot be used."""


class TooLargeError(ValueError):
    """More was sent than the service takes."""


class Upload:
    """A folder that holds one video, or the pictures of a sequence."""

    def __init__(self, folder: Path, limit: int) -> None:
        """Makes the folder; the limit counts the bytes of all files together."""
        self.folder = folder
        self.limit = limit
        self._files = folder / "pictures"
        self._files.mkdir(parents=True)
        self._sizes: dict[str, int] = {}
        self._coming: dict[Path, int] = {}

    async def receive(self, name: str, stated: int, chunks: AsyncIterator[bytes]) -> None:
        """Write one file; one that had the name before is replaced when all of the new one is there.

        Args:
            name: of the file, without folders.
            stated: bytes that will come, 0 if the client does not say.
            chunks: what comes.

        Raises:
            UploadError: the name is no plain file name, or the upload was deleted meanwhile.
            TooLargeError: the files are larger together than the limit.
            OSError: the disk is full, or other trouble with it.
        """
        check_name(name)
        size, partial = 0, self.folder / secrets.token_hex(4)
        try:
            self._expect(name, partial, stated)
            with partial.open("wb") as file:
                async for chunk in chunks:
                    size += len(chunk)
                    self._expect(name, partial, max(size, stated))
                    await asyncio.to_thread(file.write, chunk)
            if not self._files.is_dir():
                raise UploadError("the upload was deleted while the file came")
            partial.replace(self._files / name)
            self._sizes[name] = size
        finally:
            self._coming.pop(partial, None)
            partial.unlink(missing_ok=True)

    def source(self) -> Path:
        """What is captured: the file, or the folder where there are several.

        Raises:
            UploadError: nothing was sent yet.
        """
        if not self._sizes:
            raise UploadError("the upload holds no file yet: send one with PUT /v1/uploads/UPLOAD/NAME")
        return self._files / next(iter(self._sizes)) if len(self._sizes) == 1 else self._files

    def _expect(self, name: str, partial: Path, size: int) -> None:
        """Count a file that is coming, in the place of one of that name."""
        self._coming[partial] = size
        kept = sum(known for other, known in self._sizes.items() if other != name)
        if kept + sum(self._coming.values()) > self.limit:
            raise TooLargeError(
                f"the upload would be larger than the {self.limit / 1e6:g} MB that this service takes together"
            )


class Uploads:
    """All uploads of a service."""

    def __init__(self, folder: Path, limit: int) -> None:
        """Args: the folder for all of them, and the bytes that each may have."""
        self.limit = limit
        self._folder = folder
        self._uploads: dict[str, Upload] = {}

    def create(self) -> str:
        """A new upload's number."""
        number = secrets.token_hex(8)
        self._uploads[number] = Upload(self._folder / number, self.limit)
        return number

    def find(self, number: str) -> Upload | None:
        """The upload of that number, if it was not removed."""
        return self._uploads.get(number)

    async def remove(self, number: str) -> None:
        """Forget an upload and its files. A capture that still reads them fails."""
        upload = self._uploads.pop(number)
        await asyncio.to_thread(shutil.rmtree, upload.folder, ignore_errors=True)


def check_name(name: str) -> None:
    """Whether a name can be a file's on every system, in the folder where it belongs.

    Raises:
        UploadError: it has folders, is hidden or a device, too long, or holds characters that some system refuses.
    """
    plain = PurePosixPath(name).name == name and PureWindowsPath(name).name == name
    odd = any(character in '<>:"|?*' or not character.isprintable() for character in name)
    hidden = name.startswith(".") or name.endswith((".", " "))
    device = name.partition(".")[0].strip().lower() in DEVICES
    if not plain or odd or hidden or device or len(name.encode(errors="surrogatepass")) > NAME_LENGTH:
        raise UploadError(f"{name[:NAME_LENGTH]!r} cannot be the name of an uploaded file: give a plain file name")
