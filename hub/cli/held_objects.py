"""Objects that a consumer holds in files, with the digests by which the log calls them."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from hub.cli.stix_files import find_files, read_file
from hub.domain.canonical import canonicalise
from hub.domain.json import read_document
from hub.domain.signing.object_signature import object_digest
from hub.domain.stix import Limits
from hub.domain.tlog.note import VerifierKey
from hub.domain.tlog.proof_file import SUFFIX, ProofFile
from hub.domain.tlog.receipt import Proved, check_receipt
from hub.errors import Invalid


@dataclass(frozen=True, slots=True)
class HeldObject:
    """An object in a file."""

    name: str  # its id and version, as far as it says them
    digest: bytes  # d: of what its signatures are made over
    whole: bytes  # digest of its canonical form, signatures included

    def check(self, receipt: str, key: VerifierKey, witnesses: Sequence[VerifierKey]) -> Proved:
        """Check the receipt for this object, which each of the witnesses has to have cosigned.

        Raises:
            Invalid: it does not prove that the log holds it.
        """
        return check_receipt(ProofFile.parse(receipt), key, self.digest, whole=self.whole, witnesses=witnesses)

    def receipt_in(self, directory: Path) -> Path:
        """Return where its receipt is kept."""
        return directory / f"{self.digest.hex()}{SUFFIX}"


def held_objects(paths: Sequence[Path]) -> Iterator[HeldObject]:
    """Yield the objects in files and folders.

    Raises:
        Invalid: a file cannot be read, or holds what is no object.
    """
    for path in find_files(paths):
        for raw in read_file(path).objects:
            properties = read_document(raw, depth_max=Limits().object_depth_max).value
            if not isinstance(properties, dict) or not isinstance(properties.get("id"), str):
                raise Invalid(f"{path}: an object without an id")
            version = properties.get("modified") or properties.get("created")
            name = f"{properties['id']} {version}" if isinstance(version, str) else properties["id"]
            yield HeldObject(name, object_digest(properties), hashlib.sha256(canonicalise(properties)).digest())


def read_receipt(path: Path) -> str:
    """Return the text of a receipt.

    Raises:
        Invalid: it cannot be read.
    """
    try:
        return path.read_bytes().decode()  # as it is: reading as text would mend its lines' ends
    except (OSError, UnicodeDecodeError) as e:
        raise Invalid(f"{path} cannot be read: {e}") from e
