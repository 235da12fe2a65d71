"""What all tables share: how constraints are named, and the kind of a row's own number."""

from sqlalchemy import BigInteger, Integer
from sqlmodel import SQLModel

SQLModel.metadata.naming_convention = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}

# SQLite only makes a column the row's own number if it is called INTEGER.
ROW = BigInteger().with_variant(Integer(), "sqlite")
