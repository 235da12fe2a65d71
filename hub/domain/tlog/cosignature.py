"""Cosignatures (C2SP tlog-cosignature): a witness says when it saw that a log had only grown since the witness last looked."""

import struct
from collections.abc import Sequence

from hub.domain.signing.keys import Signer
from hub.domain.tlog.note import Kind, Note, NoteSignature, VerifierKey
from hub.errors import Invalid

_TIME = struct.Struct(">Q")
_SECONDS_MAX = 2**63 - 1


def witness_key(name: str, signer: Signer) -> VerifierKey:
    """Return the key that verifies a witness's cosignatures.

    Raises:
        Invalid: a witness cannot sign with a key of its kind, or a note cannot hold its name.
    """
    return VerifierKey(name, Kind.COSIGNATURE, signer.public)


def cosign(text: str, name: str, signer: Signer, *, at_s: int) -> NoteSignature:
    """Return a witness's cosignature of the text of a checkpoint.

    Args:
        at_s: the time, in seconds since the epoch.
    """
    signature = _TIME.pack(at_s) + signer.sign(_signed(text, at_s))
    return NoteSignature(name, witness_key(name, signer).key_id, signature)


def cosigned_at(note: Note, key: VerifierKey) -> int | None:
    """Return when a witness cosigned a checkpoint, in seconds since the epoch; None: it did not.

    Raises:
        Invalid: a cosignature that bears its name is not its own.
    """
    times = [_verify(note.text, one, key) for one in key.own(note.signatures)]
    return max(times, default=None)


def require_cosigned(note: Note, witnesses: Sequence[VerifierKey]) -> None:
    """Check that each of these witnesses cosigned a checkpoint.

    Raises:
        Invalid: one did not, or a cosignature that bears its name is not its own.
    """
    for key in witnesses:
        if cosigned_at(note, key) is None:
            raise Invalid(f"no cosignature of {key.name} is on the checkpoint; one that is new has it a moment later: try again")


def _verify(text: str, signature: NoteSignature, key: VerifierKey) -> int:
    time, made = signature.signature[: _TIME.size], signature.signature[_TIME.size :]
    at_s = _TIME.unpack(time)[0] if len(time) == _TIME.size else _SECONDS_MAX + 1
    if at_s > _SECONDS_MAX or not key.public.verifies(made, _signed(text, at_s)):
        raise Invalid(f"the cosignature of {key.name} is not over this checkpoint")
    return int(at_s)


def _signed(text: str, at_s: int) -> bytes:
    return f"cosignature/v1\ntime {at_s}\n{text}".encode()
