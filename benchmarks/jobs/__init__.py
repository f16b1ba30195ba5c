"""The jobs, by the kind of work; all of them in the order of the tables."""

from __future__ import annotations

from . import bulk, calls, durable, loaded, messages, streams
from .job import Job

JOBS: dict[str, Job] = {
    job.name: job
    for job in (*messages.JOBS, *loaded.JOBS, *calls.JOBS, *streams.JOBS, *bulk.JOBS, *durable.JOBS)
}


def jobs_named(text: str) -> list[str]:
    """Return the names that contain a text, in whatever case."""
    return [name for name in JOBS if text.casefold() in name.casefold()]
