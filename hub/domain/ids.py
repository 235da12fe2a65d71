"""Distinct types for the ids that could change places, and the forms that they take.

A member's id is a STIX `identity` id, so that `created_by_ref` names members directly.
"""

import uuid
from typing import NewType

MemberId = NewType("MemberId", str)  # "identity--<uuid>"
GroupId = NewType("GroupId", str)  # the sharing group's marking definition: "marking-definition--<uuid>"
AgreementId = NewType("AgreementId", str)  # a UUID version 4
ReleaseId = NewType("ReleaseId", str)  # a UUID version 4
LiftId = NewType("LiftId", str)  # a UUID version 4
CollectionId = NewType("CollectionId", str)  # a UUID version 4 (TAXII 2.1 §2, identifier)
StatusId = NewType("StatusId", str)  # a UUID version 4
LabelId = NewType("LabelId", int)  # the row of a label
TokenId = NewType("TokenId", str)  # public part of an API token
SubscriptionId = NewType("SubscriptionId", str)  # a UUID version 4
DeliveryId = NewType("DeliveryId", str)  # a UUID version 5
StixId = NewType("StixId", str)  # "<type>--<uuid>"


def new_uuid() -> str:
    """Return a random UUID, version 4, in its canonical form."""
    return str(uuid.uuid4())
