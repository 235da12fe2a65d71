"""What a process knows of the transparency log's condition."""

from dataclasses import dataclass

from hub.domain.tlog.checkpoint import Checkpoint


@dataclass(slots=True)
class LogCondition:
    """The condition of the log as this process saw it last."""

    fault: str | None = None  # why nothing is entered or signed; None: all is well, as far as anybody has looked
    hindrance: str | None = None  # why it could not be done the last time, though nothing contradicts it
    published: Checkpoint | None = None  # the last one that this process knows of, and remembers
    is_recomputed: bool = False  # whether this process has found the whole tree anew
    are_witnesses_heard: bool = False  # whether they told this process what they cosigned last, as far as it has to know
    is_kept_here: bool = False  # whether this process is the one that enters and signs

    @property
    def is_signed(self) -> bool:
        """Whether what is accepted is entered and signed, as far as this process knows."""
        return self.fault is None and self.hindrance is None
