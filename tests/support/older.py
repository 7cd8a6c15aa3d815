"""A snapshot as an older reader would have kept it."""

from dataclasses import fields, replace

from notifier.domain.change import Change, apply


def restrict(snapshot, vocabulary):
    """Blank every member outside the vocabulary, and drop rows of subjects that it does not know at all."""

    def blank(row):
        unknown = {
            f.name: _nothing(f) for f in fields(row) if f"{type(row).__name__}.{f.name}" not in vocabulary
        }
        return replace(row, **unknown)

    known = {member.partition(".")[0] for member in vocabulary}
    rows = [(subject, blank(row)) for subject, row in snapshot.rows() if type(row).__name__ in known]
    bare = replace(
        snapshot, txns=(), refunds=(), offers=(), mandate=None, chargebacks=(), credit=None, loans=()
    )
    return apply(
        bare, [Change(subject=subject, subject_id=row.id, before=None, after=row) for subject, row in rows]
    )


def _nothing(field):
    return () if field.default == () else None
