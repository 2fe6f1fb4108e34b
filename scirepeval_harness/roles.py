"""The role in which a text is encoded: the one thing that an encoder is told about its use."""

from __future__ import annotations

from enum import StrEnum


class Role(StrEnum):
    """What a vector is for; a model maps it to an adapter, a control code or nothing."""

    CLASSIFICATION = "classification"
    REGRESSION = "regression"
    PROXIMITY = "proximity"
    QUERY = "query"


class Format(StrEnum):
    """The four task formats of SciRepEval."""

    CLASSIFICATION = "classification"
    REGRESSION = "regression"
    PROXIMITY = "proximity"
    ADHOC_SEARCH = "adhoc_search"

    def query_role(self) -> Role:
        """Role of a query in this format; only ad-hoc search has queries of another kind."""
        return Role.QUERY if self is Format.ADHOC_SEARCH else self.document_role()

    def document_role(self) -> Role:
        """Role of a document or candidate in this format."""
        # SPECTER2 encodes the papers that a query searches with its proximity adapter.
        return Role.PROXIMITY if self is Format.ADHOC_SEARCH else Role(self.value)
